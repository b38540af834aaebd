"""`@plusone.step` and `@plusone.model`: what a function takes, makes and may be told, read from its signature.

Positional parameters are inputs, named after the step output that fills them; keyword-only parameters are settings.
The decorators return the function unchanged: it is called, tested and debugged like any other.
"""

from __future__ import annotations

import contextlib
import inspect
import keyword
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar, overload

import msgspec

from ..base.errors import PipelineError
from ..base.ids import check_model_name
from ..media import Audio, Image

__all__ = ["REQUIRED", "ModelSpec", "StepSpec", "collecting", "is_plain", "model", "step"]

F = TypeVar("F", bound=Callable[..., Any])


class _Required(msgspec.Struct, frozen=True):
    """Stands for the default of a setting that has none."""


REQUIRED = _Required()


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What `@plusone.model` adds to a step."""

    name: str
    target: str | tuple[str, ...] | None
    features: tuple[str, ...] | None
    tolerance: float
    media: dict[str, Image | Audio] = {}
    quantise: float | None = None
    """How far the answers of a network in 8 bits may be from the trained one's; None: it is not tried."""

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns that it answers: one, several or none."""
        return () if self.target is None else (self.target,) if isinstance(self.target, str) else self.target


class StepSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One declared function."""

    name: str
    function: Callable[..., Any]
    inputs: tuple[str, ...]
    settings: dict[str, Any]
    outputs: tuple[str, ...]
    version: Callable[..., Any] | None = None
    model: ModelSpec | None = None
    where: str = ""


_collector: ContextVar[list[StepSpec] | None] = ContextVar("plusone_steps", default=None)


@contextlib.contextmanager
def collecting() -> Iterator[list[StepSpec]]:
    """Give the list that gets every step declared while the block runs, in the order of declaration."""
    found: list[StepSpec] = []
    token = _collector.set(found)
    try:
        yield found
    finally:
        _collector.reset(token)


@overload
def step(function: F, /) -> F: ...
@overload
def step(
    function: None = None, /, *, outputs: Sequence[str] | None = None, version: Callable[..., Any] | None = None
) -> Callable[[F], F]: ...
def step(
    function: F | None = None,
    /,
    *,
    outputs: Sequence[str] | None = None,
    version: Callable[..., Any] | None = None,
) -> F | Callable[[F], F]:
    """Declare a function as a step of the pipeline, and return it unchanged.

    Args:
        outputs: the names of what it returns, when that is a tuple of several; default: one output with its own name.
        version: for a source (a step without inputs): a cheap function that returns a plain JSON value, such as a
            file's time or `max(updated_at)`. While that is unchanged the source is not run again. Its keyword-only
            parameters, if it has any, get the settings of those names.

    Raises:
        PipelineError: when the signature can't be a step's.
    """

    def declare(target: F) -> F:
        _check_function(target)
        names = _output_names(target, outputs)
        spec = _spec(target, names, version=version)
        if version is not None and spec.inputs:
            raise PipelineError(
                f"{spec.where}: step {spec.name!r} has inputs ({', '.join(spec.inputs)}) and version=: only a source, "
                "a step without inputs, has a version. Other steps run again when their inputs change.",
                mend="remove version=",
            )
        _check_version(spec)
        _collect(spec)
        return target

    return declare if function is None else declare(function)


def model(
    name: str,
    *,
    target: str | Sequence[str] | None,
    features: Sequence[str] | None = None,
    tolerance: float = 1e-5,
    media: Mapping[str, Image | Audio] | None = None,
    quantise: bool = False,
    quantise_tolerance: float = 0.1,
) -> Callable[[F], F]:
    """Declare a function as the one that trains the model `name`, and return it unchanged.

    The function's first input is the training data, a table or a dict of numpy arrays; it returns any fitted model that
    can be packaged.

    Args:
        name: the name under which releases are numbered, e.g. `flight-delays`.
        target: the column of the training data that the model answers; several, for a model that answers a number for
            each, in that order; None for a model whose answers (embeddings) the data has no truth for.
        features: the fields that a request carries; default: all columns of the training data but the target.
        tolerance: the largest difference, absolute for probabilities and relative for numbers, that the compiled
            model's answers may have from the trained one's.
        media: by feature, how the bytes of an image or a sound become its tensor, where requests may bring such.
        quantise: serve a network in 8-bit integers, if that is smaller or faster and its answers are near enough.
        quantise_tolerance: how near: the largest difference of a probability, or of a number as a share of the range of
            all answers. At most 1 % of the labels may change beside.

    Raises:
        PipelineError: when the signature can't be a model's.
        UsageError: when the name can't be a model's.
    """
    check_model_name(name)
    columns = _targets(name, target)
    given: Any = features
    if isinstance(given, str) or not all(isinstance(one, str) for one in given or ()):
        raise PipelineError(f"model {name!r}: features={features!r}: expected a list of them: each a column name.")
    if not 0 <= tolerance < math.inf:
        raise PipelineError(f"model {name!r}: tolerance={tolerance}: expected a number of 0 or more, for example 1e-5.")
    made = ModelSpec(
        name=name,
        target=columns,
        features=None if features is None else tuple(features),
        tolerance=tolerance,
        media=_media(name, media),
        quantise=_nearness(name, quantise_tolerance, wanted=quantise),
    )

    def declare(function: F) -> F:
        _check_function(function)
        _check_features(made)
        spec = _spec(function, (), model=made)
        if not spec.inputs:
            raise PipelineError(
                f"{spec.where}: {spec.name!r} trains model {name!r} but has no inputs: the first is its training data.",
                mend=f"def {spec.name}(train_set, ...)",
            )
        _collect(spec)
        return function

    return declare


def _targets(name: str, target: Any) -> str | tuple[str, ...] | None:
    """Return the targets: a list of one is one."""
    if target is None or isinstance(target, str):
        return target
    given: list[Any] = list(target) if isinstance(target, (list, tuple)) else []
    if not given or not all(isinstance(one, str) for one in given) or len(set(given)) != len(given):
        raise PipelineError(
            f"model {name!r}: target={target!r}: expected a column name, several different ones, or None.",
            mend='for example target="late", or target=("delay", "taxi_time")',
        )
    return tuple(given) if len(given) > 1 else given[0]


def _check_features(made: ModelSpec) -> None:
    listed = made.features
    if listed is not None and (not listed or set(made.targets) & set(listed) or len(set(listed)) != len(listed)):
        raise PipelineError(
            f"model {made.name!r}: features={list(listed)}: expected at least one column, each once, "
            f"and not the target {', '.join(map(repr, made.targets))}."
        )


def _media(name: str, media: Mapping[str, Any] | None) -> dict[str, Image | Audio]:
    """Return how the files of each feature are read, checked."""
    said: dict[str, Any] = dict(media or {})
    if others := [field for field, how in said.items() if not isinstance(how, (Image, Audio))]:
        raise PipelineError(
            f"model {name!r}: media={{{others[0]!r}: ...}}: expected plusone.Image(...) or plusone.Audio(...) for a "
            "feature."
        )
    return said


def _nearness(name: str, quantise_tolerance: float, *, wanted: bool) -> float | None:
    if not 0 < quantise_tolerance <= 1:
        raise PipelineError(
            f"model {name!r}: quantise_tolerance={quantise_tolerance}: expected more than 0, and 1 at most.",
            mend="quantise_tolerance=0.1",
        )
    return quantise_tolerance if wanted else None


def _collect(spec: StepSpec) -> None:
    found = _collector.get()
    if found is not None:
        found.append(spec)


def _output_names(function: Callable[..., Any], outputs: Sequence[str] | None) -> tuple[str, ...]:
    if outputs is None:
        return (function.__name__,)
    names = (outputs,) if isinstance(outputs, str) else tuple(outputs)
    if not names or len(set(names)) != len(names) or not all(_is_parameter(name) for name in names):
        raise PipelineError(
            f"step {function.__name__!r}: outputs={list(names)}: expected different names that can be parameters.",
            mend='for example outputs=("train_set", "holdout")',
        )
    return names


def _is_parameter(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


def _check_function(function: Any) -> None:
    """Refuse what is no plain function with a name: its code is what the fingerprint is made of."""
    code = getattr(inspect.unwrap(function) if callable(function) else None, "__code__", None)
    if code is None or not hasattr(function, "__name__") or not _is_parameter(function.__name__):
        raise PipelineError(
            f"{function!r} can't be a step: expected a function that was written with `def`.",
            mend="@plusone.step above `def name(...)`",
        )
    if code.co_flags & (inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR):
        raise PipelineError(
            f"{code.co_filename}:{code.co_firstlineno}: step {function.__name__!r} is async or yields: expected a "
            "function that returns its value.",
            mend="return the whole value, for example list(...) or asyncio.run(...)",
        )


def _check_version(spec: StepSpec) -> None:
    if spec.version is None:
        return
    try:
        parameters = list(inspect.signature(spec.version).parameters.values()) if callable(spec.version) else None
    except ValueError:  # a builtin that does not tell
        parameters = []
    if parameters is None or any(
        part.default is part.empty
        and part.kind not in (part.VAR_POSITIONAL, part.VAR_KEYWORD)
        and not (part.kind is part.KEYWORD_ONLY and part.name in spec.settings)
        for part in parameters
    ):
        raise PipelineError(
            f"{spec.where}: step {spec.name!r}: version={spec.version!r}: expected a function that is called with "
            "nothing but settings of the step, by name.",
            mend='for example version=lambda: os.path.getmtime("data.csv")',
        )


def _spec(
    function: Callable[..., Any],
    outputs: tuple[str, ...],
    *,
    version: Callable[..., Any] | None = None,
    model: ModelSpec | None = None,
) -> StepSpec:
    name = function.__name__
    code = inspect.unwrap(function).__code__
    where = f"{code.co_filename}:{code.co_firstlineno}"
    inputs: list[str] = []
    settings: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise PipelineError(
                f"{where}: step {name!r} takes *{parameter.name}: expected inputs and settings by name.",
                mend="name each input as a parameter, and each setting as a parameter behind a bare *",
            )
        if parameter.kind is parameter.KEYWORD_ONLY:
            settings[parameter.name] = REQUIRED if parameter.default is parameter.empty else parameter.default
        elif parameter.default is not parameter.empty:
            raise PipelineError(
                f"{where}: step {name!r}: parameter {parameter.name!r} is positional and has a default: "
                "positional parameters are inputs, settings are keyword-only.",
                mend=f"def {name}(..., *, {parameter.name}={parameter.default!r})",
            )
        else:
            inputs.append(parameter.name)
    _check_settings(name, where, settings)
    return StepSpec(
        name=name,
        function=function,
        inputs=tuple(inputs),
        settings=settings,
        outputs=outputs,
        version=version,
        model=model,
        where=where,
    )


def _check_settings(name: str, where: str, settings: dict[str, Any]) -> None:
    for key, value in settings.items():
        if value is not REQUIRED and not is_plain(value):
            raise PipelineError(
                f"{where}: step {name!r}: setting {key}={value!r} is of type {type(value).__name__}: expected text, "
                "a finite number, a boolean, None, or a list or dict of those, so that it can be recorded and set."
            )


def is_plain(value: Any, depth: int = 0) -> bool:
    """Say whether `value` can be a setting: text, a finite number, a boolean, None, or a list or dict of those.

    NaN and infinities are none: in a record they would be null, and equal to each other.
    """
    if depth > 20:
        return False
    if isinstance(value, (list, tuple)):
        return all(is_plain(part, depth + 1) for part in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(part, depth + 1) for key, part in value.items())
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace") == value.encode("utf-8", "surrogatepass")
    return value is None or isinstance(value, (bool, int))
