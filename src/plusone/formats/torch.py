"""PyTorch modules: asked as they are, exported by PyTorch's own exporters, and completed to a graph that takes fields.

A module is moved to the CPU and put into eval mode, where it stays. Nothing of it is saved, and `torch.load` is never
called. This module knows PyTorch, which is imported by whoever made a module: here it is only looked up.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import logging
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from ..base.errors import Incompatible, UsageError
from ..base.records import Field
from ..graphs.graph import OPSET, Graph
from ..graphs.layout import Block
from . import Compiled, Opened
from .answers import Asked, Meaning, Said, decide, spans, write
from .arguments import Argument, arrays_of, described

__all__ = ["TorchModel", "open_model", "torch_model"]

_SCRIPT_OPSET = 20  # the newest that PyTorch's older exporter writes
_SAY = "return plusone.torch_model(module, answers={}) from the train function"
_ONE = "wrap it in a module whose forward returns the one tensor that requests are answered with"
_WRAPPERS = {"OptimizedModule": "_orig_mod", "DataParallel": "module", "DistributedDataParallel": "module"}


class TorchModel:
    """A module, and what its answers are."""

    def __init__(self, module: Any, said: Said) -> None:
        self.module = module
        self.said = said


def torch_model(
    module: Any,
    *,
    answers: Literal["logits", "probabilities", "number", "vector"] | None = None,
    classes: Sequence[Any] = (),
    names: Sequence[str] = (),
) -> TorchModel:
    """Return a PyTorch module with what its answers are, for the train function to return.

    Args:
        answers: what the module's numbers are; found out without it, see docs/tasks/models.md.
        classes: the labels, in the order of the numbers; without it the sorted labels of the training data.
        names: of a vector: the name of each number.

    Raises:
        UsageError: when it is no module, or what was said fits no module.
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(module, torch.nn.Module):
        raise UsageError(f"torch_model takes a torch.nn.Module, and got a {type(module).__name__}.")
    return TorchModel(module, Said.of(answers, classes, names))


def open_model(model: Any, labels: Sequence[Any]) -> Opened | None:
    """Return a PyTorch module and the ways to export it, best first; None when the object is none.

    The attempts raise Incompatible, with the line of the module that is in the way, when no exporter can write it.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    said = model.said if isinstance(model, TorchModel) else Said()
    module = model.module if isinstance(model, TorchModel) else model
    if not isinstance(module, torch.nn.Module):
        return None
    while isinstance(inner := getattr(module, _WRAPPERS.get(type(module).__name__, ""), None), torch.nn.Module):
        module = inner
    settle = functools.partial(_settle, torch, module, labels, said)
    return Opened(trained=module, compile=_nothing_yet, settle=settle)


def _nothing_yet(fields: Sequence[Field], blocks: Sequence[Block]) -> Iterator[Compiled]:
    return iter(())


def _settle(torch: Any, module: Any, labels: Sequence[Any], said: Said, fields: Sequence[Field], frame: Any) -> Opened:
    dtype = _prepare(torch, module)
    arguments = _arguments(torch, module, fields, dtype)
    module_on = _Module(torch, module, arguments)
    try:
        raw = module_on(frame)
    except Incompatible:
        raise
    except Exception as error:  # whatever its forward raises
        raise Incompatible(
            f"The module does not answer to rows of its own training data: {type(error).__name__}: {str(error)[:300]}",
            mend=f"let its forward take what it is asked with: {described(arguments)}",
        ) from error
    meaning = decide(raw, labels, said, mend=_SAY)
    return Opened(
        trained=Asked(module_on, meaning),
        compile=functools.partial(_attempts, module_on, meaning, module_on.tensors(frame, slice(0, 3))),
        output=meaning.output,
    )


class _Module:
    """A module that takes what the prover asks with, and answers an array."""

    def __init__(self, torch: Any, module: Any, arguments: Sequence[Argument]) -> None:
        self.torch = torch
        self.module = module
        self.arguments = arguments
        self._fields = [field for argument in arguments for field in argument.fields]

    def __call__(self, frame: Any) -> Any:
        values = arrays_of(frame, self._fields)
        rows = len(next(iter(values.values())))
        return np.concatenate([self._part(values, span) for span in spans(rows)])

    def tensors(self, frame: Any, span: slice) -> tuple[Any, ...]:
        """Return the arguments for some rows, at least two."""
        values = arrays_of(frame, self._fields)
        parts = [argument.array({name: array[span] for name, array in values.items()}) for argument in self.arguments]
        return tuple(self.torch.from_numpy(np.resize(part, (max(2, len(part)), *part.shape[1:]))) for part in parts)

    def _part(self, values: dict[str, Any], span: slice) -> Any:
        arrays = [argument.array({name: array[span] for name, array in values.items()}) for argument in self.arguments]
        with self.torch.no_grad():
            out = self.module(*[self.torch.from_numpy(np.ascontiguousarray(array)) for array in arrays])
        if not isinstance(out, self.torch.Tensor):
            raise Incompatible(f"The module answers {_shown(out)}: expected one tensor.", mend=_ONE)
        rows = len(arrays[0])
        if out.ndim == 0 or out.shape[0] != rows:
            raise Incompatible(
                f"The module answers a tensor of shape {tuple(out.shape)} to {rows} rows: expected one answer for "
                "each row, in the first axis.",
                mend="keep the first axis of the input, for example with .flatten(1) in place of .flatten()",
            )
        return (out.float() if out.dtype in (self.torch.float16, self.torch.bfloat16) else out).numpy()


def _prepare(torch: Any, module: Any) -> Any:
    """Make the module ready to be asked; return the type, of numpy, of the numbers that it computes with.

    What is in 16 bits is widened: each such number is one in 32 bits, too, and onnxruntime has no arithmetic for them.
    """
    try:
        module.to("cpu").eval()
        floats = {part.dtype for part in (*module.parameters(), *module.buffers()) if part.is_floating_point()}
        if floats & {torch.float16, torch.bfloat16}:
            module.float()
            floats = {torch.float32}
    except Exception as error:  # parameters without data, parts of other libraries
        raise Incompatible(
            f"The module can't be moved to the CPU: {type(error).__name__}: {str(error)[:300]}",
            mend="call it once, so that all its parameters are made, and keep it on one device",
        ) from error
    return np.dtype(np.float64 if floats == {torch.float64} else np.float32)


def _arguments(torch: Any, module: Any, fields: Sequence[Field], dtype: Any) -> list[Argument]:
    """Return what the module is asked with: a matrix of all fields, or an argument for each."""
    if texts := [field.name for field in fields if field.dtype == "string"]:
        raise Incompatible(
            f"A PyTorch module takes numbers, and {', '.join(map(repr, texts))} hold text.",
            mend="turn them into numbers in a step, and name those columns in features=",
        )
    count = _positional(torch, module)
    tensors = any(field.shape is not None for field in fields)
    if not tensors and (count in (None, 1) or len(fields) == 1):
        return [Argument(tuple(fields), dtype, "matrix")]
    if count not in (None, len(fields)):
        one = "" if tensors else ", or one matrix of all"
        raise Incompatible(
            f"The module's forward takes {count} arguments, and the model has {len(fields)} features: expected one "
            f"for each feature{one}.",
            mend=f"def forward(self, {', '.join(field.name for field in fields[:8])})",
        )
    return [
        Argument((field,), _own_type(field, dtype), "flat" if field.shape is None else "tensor") for field in fields
    ]


def _own_type(field: Field, dtype: Any) -> Any:
    """Return the type of a field that is an argument of its own: floats as the module has them, all else as it is."""
    if field.dtype in ("float32", "float64") or field.nullable:
        return dtype
    return np.dtype(field.dtype)


def _positional(torch: Any, module: Any) -> int | None:
    """Return how many arguments forward must be given; None when it takes any number."""
    if isinstance(module, torch.jit.ScriptModule):
        parts = [part for part in module.forward.schema.arguments if part.name != "self"]
        return sum(not part.has_default_value() for part in parts)
    found = 0
    for part in inspect.signature(module.forward).parameters.values():
        if part.kind is part.VAR_POSITIONAL:
            return None
        found += part.default is part.empty and part.kind in (part.POSITIONAL_ONLY, part.POSITIONAL_OR_KEYWORD)
    return found


def _shown(out: Any) -> str:
    if isinstance(out, dict):
        return f"a {type(out).__name__} with {', '.join(map(repr, list(out)[:8]))}"
    if isinstance(out, (tuple, list)):
        return f"a {type(out).__name__} of {len(out)} ({', '.join(type(part).__name__ for part in out[:8])})"
    return f"a {type(out).__name__}"


# ---------------------------------------------------------------------------------------------- export


def _attempts(
    asked: _Module, meaning: Meaning, sample: tuple[Any, ...], fields: Sequence[Field], blocks: Sequence[Block]
) -> Iterator[Compiled]:
    scripted = isinstance(asked.module, asked.torch.jit.ScriptModule)
    failure: Exception | None = None
    for way in (_by_script,) if scripted else (_by_export, _by_script):
        try:
            with _quiet():
                proto = way(asked, sample)
            compiled = _compiled(proto, asked.arguments, meaning, blocks)
        except Exception as error:  # each exporter has its own errors, and those of what it calls
            failure = failure or error
            continue
        yield compiled
    if failure is not None:
        raise _refused(failure) from failure


def _compiled(proto: Any, arguments: Sequence[Argument], meaning: Meaning, blocks: Sequence[Block]) -> Compiled:
    _forget(proto.graph)
    graph = Graph(blocks, np.float32)
    graph.adopt(proto)
    names = [one.name for one in proto.graph.input]
    inputs = dict(zip(names, [argument.enter(graph) for argument in arguments], strict=True))
    raw = graph.merge(proto, inputs, proto.graph.output[0].name)
    return write(graph, raw, meaning)


def _by_export(asked: _Module, sample: tuple[Any, ...]) -> Any:
    """Export by torch.export, which follows the module's Python with symbolic shapes."""
    axes = tuple({0: asked.torch.export.Dim.DYNAMIC} for _ in sample)
    program = asked.torch.onnx.export(
        asked.module, sample, dynamo=True, opset_version=OPSET, dynamic_shapes=axes, verbose=False, external_data=False
    )
    return program.model_proto


def _by_script(asked: _Module, sample: tuple[Any, ...]) -> Any:
    """Export by TorchScript, which compiles the module's code. Its other way, to trace, would forget branches."""
    from onnx import load_from_string

    module = asked.module
    script = module if isinstance(module, asked.torch.jit.ScriptModule) else asked.torch.jit.script(module)
    names = [f"argument_{place}" for place in range(len(sample))]
    sink = io.BytesIO()
    asked.torch.onnx.export(
        script,
        sample,
        sink,
        dynamo=False,
        opset_version=_SCRIPT_OPSET,
        input_names=names,
        output_names=["answer"],
        dynamic_axes={name: {0: "rows"} for name in (*names, "answer")},
    )
    return load_from_string(sink.getvalue())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the exporters say on their way, which is much, off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _forget(graph: Any) -> None:
    """Take out where each node came from: paths and lines of the machine that it was trained on."""
    for part in (graph, *graph.node, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _forget(attribute.g)


_PLACE = re.compile(r'File "([^"\n]+)", line (\d+), in (\w+)\n\s+(.+)')
_COLOUR = re.compile(r"\x1b\[\d+m")


def _refused(error: Exception) -> Incompatible:
    """Return the exporter's error, which is pages long, in a few lines: what, where, and what would mend it."""
    if isinstance(error, Incompatible):
        return error
    root: BaseException = error
    while root.__cause__ is not None:
        root = root.__cause__
    said = _COLOUR.sub("", str(root)).strip().split("\n\n")[0]
    places = [place for place in _PLACE.findall(str(error)) if "/torch/" not in place[0]]
    where = f" at {places[-1][0]}:{places[-1][1]}: {places[-1][3].strip()}" if places else ""
    mend = "see what torch.export.export(module, (rows,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)) says of it"
    kind = type(root).__name__
    if "DataDependent" in kind or "data-dependent" in said:
        mend = "a graph has no `if` on values of a tensor: write torch.where(condition, this, that)"
    elif "specialized" in said or kind == "ConstraintViolationError":
        mend = "let forward take any number of rows: no fixed number in reshape or view, use -1 or x.shape[0]"
    return Incompatible(f"The module can't be exported to ONNX{where}: {kind}: {said[:400]}", mend=mend)
