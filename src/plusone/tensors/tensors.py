"""Tensors of the Open Inference Protocol: what a model takes and answers in them, and their way to columns and back.

A model of a table takes one tensor per field, of one value per row, and answers one tensor with the label, the number
or the vector and, where it has them, one with the probabilities; of several targets such tensors for each; or one with
the ranked items and one with their scores, the rest empty or -1, and NaN, where there are fewer. The HTTP and the gRPC
form of the protocol both come through here.

A missing value is NaN in a tensor of floats and null in one of JSON; BYTES has no word for it, so a request may name a
string that stands for it (the parameter `missing_string`). Whatever a tensor claims of itself is compared with what
came before anything is made of that size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import msgspec
import numpy as np

from ..base.errors import InvalidInput
from ..base.records import Field, Output
from ..labels.several import parts_of, share_names, singles
from ..predictor import Predictor
from ..predictor.predictor import Answer, Columns
from ..signatures.tables import shown
from .direct import DATATYPES, Direct
from .rows import find_turn, read_rows
from .shaped import read_shaped
from .values import FLOATS, INTEGERS, read_binary, read_list

__all__ = ["Interface", "Read", "Slot", "Tensor", "answer_tensors", "interface_of", "pack_strings", "read_tensors"]

_ANY_INTEGER = frozenset(INTEGERS)
_ANY_FLOAT = frozenset(FLOATS)


class Tensor(NamedTuple):
    """One tensor, on its way in or out.

    Attributes:
        data: coming in: a list as JSON gives it, or bytes as the wire has them; going out: an array.
    """

    name: str
    datatype: str
    shape: Sequence[int]
    data: Any


class Slot(NamedTuple):
    """A tensor that a model takes or answers, as its metadata says: rows times `width` values, or times its `shape`."""

    name: str
    datatype: str
    width: int
    parameters: dict[str, Any]
    shape: tuple[int, ...] | None = None

    @property
    def dimensions(self) -> list[int]:
        """Its shape in the metadata, -1 for the rows."""
        return [-1, *((self.width,) if self.shape is None else self.shape)]


class Interface:
    """The tensors of one model. But for `seen`, nothing in it changes after it was made.

    Attributes:
        inputs: by name, in the order of the signature.
        outputs: by name: the label, the number, the vector or the items first.
        classes: the labels, in the order of the probabilities, as JSON text, of several targets an object by target;
            empty for all others.
        parts: of several targets: by the name of an output, what of an answer it is.
        seen: for who reads requests: by the JSON of one, what it says of its tensors; None where it came once so far.
    """

    def __init__(self, predictor: Predictor) -> None:
        signature = predictor.signature
        self.seen: dict[bytes, Any] = {}
        self.fields = {field.name: field for field in signature.fields}
        self.inputs = {
            field.name: Slot(field.name, _declared(field), 1, _said(field), field.shape) for field in signature.fields
        }
        self.direct = Direct(signature.fields, predictor.blocks, predictor.known)
        self.declared = {field.name: (self.inputs[field.name].datatype, find_turn(field)) for field in signature.fields}
        self.takes = {field.name: _accepted(field) for field in signature.fields}
        output = signature.output
        self.parts = _parts(output) if output.kind == "labels" else {}
        if self.parts:
            self.classes = _written({one.name: one.classes for one in singles(output)})
            self.outputs = {name: part.slot for name, part in self.parts.items()}
            return
        self.classes = _written(output.classes) if output.kind == "classes" else ""
        slots = _answered(output, self.classes)
        self.outputs = {slot.name: slot for slot in slots}
        self.probabilities = slots[1] if output.probabilities else None
        self.scores = slots[1] if output.kind == "ranking" else None
        self.labels = _label_values(output.classes, slots[0].datatype)
        if output.kind == "ranking":  # the code -1 finds what stands for none
            none: Any = "" if slots[0].datatype == "BYTES" else -1
            self.labels = np.append(self.labels, np.array([none], dtype=self.labels.dtype))


class _Part(NamedTuple):
    """An output of one of several targets.

    Attributes:
        place: that of the target.
        start, stop: where its classes stand among those of all targets.
        labels: what the codes are of, by code among those of all; None for probabilities.
    """

    slot: Slot
    place: int
    start: int
    stop: int
    labels: np.ndarray[Any, Any] | None

    def of(self, answer: Answer) -> Any:
        """Return the values of an answer."""
        if self.labels is None:
            return np.asarray(answer.probabilities[:, self.start : self.stop], dtype=np.float64)
        return self.labels[answer.codes[:, self.place] - self.start]


def _parts(output: Output) -> dict[str, _Part]:
    """Return the outputs of several targets by name: the label of each, and then the probabilities of each."""
    labels: list[_Part] = []
    shares: list[_Part] = []
    parts = zip(singles(output), parts_of(output.sizes), share_names(output), strict=True)
    for place, (one, (start, stop), name) in enumerate(parts):
        slots = _answered(one, _written(one.classes))
        known = _label_values(one.classes, slots[0].datatype)
        labels.append(_Part(slots[0], place, start, stop, known))
        shares += [_Part(slot._replace(name=name), place, start, stop, None) for slot in slots[1:]]
    return {part.slot.name: part for part in (*labels, *shares)}


def _written(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_interfaces: WeakKeyDictionary[Predictor, Interface] = WeakKeyDictionary()


def interface_of(predictor: Predictor) -> Interface:
    """Return the tensors of a model; they are found out once for each predictor."""
    found = _interfaces.get(predictor)
    if found is None:
        found = _interfaces[predictor] = Interface(predictor)
    return found


# ---------------------------------------------------------------------------------------------- what a model takes


def _declared(field: Field) -> str:
    """Return the datatype that the metadata names: one that can say what the field may hold, a missing value too."""
    if field.shape is not None:
        return DATATYPES[field.dtype]
    if field.dtype == "string":
        return "BYTES"
    if field.dtype == "float64" or field.nullable:
        return "FP64"
    return "BOOL" if field.dtype == "bool" else "INT64"


def _accepted(field: Field) -> frozenset[str]:
    """Return the datatypes whose values the field can hold; each value is looked at before it is taken."""
    if field.dtype == "string":
        return frozenset({"BYTES"})
    if field.dtype == "bool":
        return frozenset({"BOOL"}) | (_ANY_FLOAT if field.nullable else frozenset())
    return _ANY_INTEGER | _ANY_FLOAT


def _said(field: Field) -> dict[str, Any]:
    """Return what the metadata says of an input beside its datatype, in values that the protocol allows."""
    said: dict[str, Any] = {"type": field.dtype, "nullable": field.nullable}
    if field.media is not None:
        said["media"] = msgspec.json.encode(field.media).decode()
    if field.nullable:
        said["missing"] = "null, or missing_string" if field.dtype == "string" else "NaN, or null"
    if field.dtype == "string":
        said["unseen"] = field.unseen
    return said


def _answered(output: Output, classes: str) -> list[Slot]:
    if output.kind == "number":
        return [Slot(output.name, "FP64", 1, {})]
    if output.kind == "vector":
        said = {"names": msgspec.json.encode(output.names).decode()} if output.names else {}
        return [Slot(output.name, "FP64", output.width, said)]
    if output.kind == "ranking":
        whole = all(type(item) is int for item in output.classes)
        said = {"none": "-1" if whole else "", "order": "best first"}
        scores = Slot("scores" if output.name != "scores" else "item_scores", "FP64", output.width, {"none": "NaN"})
        return [Slot(output.name, "INT64" if whole else "BYTES", output.width, said), scores]
    kinds = {type(label) for label in output.classes}
    datatypes = {frozenset({bool}): "BOOL", frozenset({int}): "INT64", frozenset({float}): "FP64"}
    slots = [Slot(output.name, datatypes.get(frozenset(kinds), "BYTES"), 1, {"classes": classes})]
    if output.probabilities:
        name = "probabilities" if output.name != "probabilities" else "class_probabilities"
        slots.append(Slot(name, "FP64", len(output.classes), {"classes": classes}))
    return slots


def _label_values(classes: Sequence[Any], datatype: str) -> np.ndarray[Any, Any]:
    """Return the labels as an array that codes index: strings as text, labels of mixed kinds as JSON writes them."""
    if datatype == "BYTES":
        texts = [label if isinstance(label, str) else msgspec.json.encode(label).decode() for label in classes]
        return np.array(texts, dtype=object)
    kinds = {"BOOL": np.bool_, "INT64": np.int64, "FP64": np.float64}
    return np.array(classes, dtype=kinds[datatype])


# ---------------------------------------------------------------------------------------------- tensors to columns


class Read:
    """The rows of a request, checked.

    Attributes:
        rows: as tuples, which may be joined with those of other requests to one `predictor.gather`; None where they
            are columns already.
        count: how many.
    """

    __slots__ = ("_columns", "_gather", "count", "rows")

    def __init__(self, predictor: Predictor, rows: list[tuple[Any, ...]] | None, columns: Columns | None) -> None:
        self._gather = predictor.gather
        self._columns = columns
        self.rows = rows
        self.count = len(rows) if rows is not None else (columns.rows if columns is not None else 0)

    @property
    def columns(self) -> Columns:
        """The rows, ready to enter the graph."""
        if self._columns is None:
            self._columns = self._gather(self.rows or [])
        return self._columns


def read_tensors(predictor: Predictor, tensors: Sequence[Tensor], missing: Mapping[str, str]) -> Read:
    """Return the rows of a request's tensors.

    Args:
        missing: by tensor, the string that stands for a missing one; without those that have none.

    Raises:
        InvalidInput: for a tensor that the model does not take, lacks, or can't read; it names the tensor.
    """
    interface = interface_of(predictor)
    if tensors:
        columns = None if missing else interface.direct.read_parts(tensors)
        if columns is not None:
            return Read(predictor, None, columns)
        rows = read_rows(predictor, interface.declared, tensors, missing)
        if rows is not None:
            return Read(predictor, rows, None)
    return Read(predictor, None, predictor.from_arrays(_arrays(interface, tensors, missing)))


def _arrays(
    interface: Interface, tensors: Sequence[Tensor], missing: Mapping[str, str]
) -> dict[str, np.ndarray[Any, Any]]:
    """Return one array for each field, each value looked at."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    first: tuple[str, int] | None = None
    for tensor in tensors:
        field = _field_of(interface, tensor, arrays)
        rows = _rows_of(tensor, field.shape)
        first = first or (tensor.name, rows)
        if rows != first[1]:
            raise InvalidInput(
                f"Input {shown(tensor.name)} has {rows} rows, input {shown(first[0])} has {first[1]}: expected as many "
                "in each, one value for each row.",
                tensor=tensor.name,
            )
        if field.shape is not None:
            arrays[tensor.name] = read_shaped(tensor.name, tensor.datatype, tensor.data, rows, field)
            continue
        read: Callable[..., np.ndarray[Any, Any]] = read_list if type(tensor.data) is list else read_binary
        arrays[tensor.name] = read(tensor.name, tensor.datatype, tensor.data, rows, field, missing.get(tensor.name))
    if absent := [name for name in interface.inputs if name not in arrays]:
        raise InvalidInput(
            f"The request has no input {', '.join(map(shown, absent[:8]))}: expected one tensor for each of "
            f"{_listed(interface.inputs)}.",
            tensor=absent[0],
        )
    return arrays


def _field_of(interface: Interface, tensor: Tensor, arrays: Mapping[str, Any]) -> Field:
    field = interface.fields.get(tensor.name)
    if field is None:
        raise InvalidInput(
            f"The model takes no input {shown(tensor.name)}: expected {_listed(interface.inputs)}.", tensor=tensor.name
        )
    if tensor.name in arrays:
        raise InvalidInput(f"Input {shown(tensor.name)} is there twice: expected it once.", tensor=tensor.name)
    if tensor.datatype not in interface.takes[tensor.name]:
        raise InvalidInput(
            f"Input {shown(tensor.name)} has the datatype {shown(tensor.datatype)}: expected "
            f"{interface.inputs[tensor.name].datatype} (taken too: {_listed(sorted(interface.takes[tensor.name]))}).",
            tensor=tensor.name,
        )
    return field


def _rows_of(tensor: Tensor, own: tuple[int, ...] | None) -> int:
    """Return how many rows a tensor says it has. `own`: the shape of a row's value, None for one value."""
    shape = tensor.shape
    if own is not None:
        if len(shape) != len(own) + 1 or tuple(shape[1:]) != own or shape[0] < 0:
            raise InvalidInput(
                f"Input {shown(tensor.name)} has the shape {shown(list(shape[:8]))}: expected "
                f"[rows, {', '.join(map(str, own))}].",
                tensor=tensor.name,
            )
    elif not 1 <= len(shape) <= 2 or shape[0] < 0 or (len(shape) == 2 and shape[1] != 1):
        raise InvalidInput(
            f"Input {shown(tensor.name)} has the shape {shown(list(shape[:8]))}: expected [rows] or [rows, 1], one "
            "value for each row.",
            tensor=tensor.name,
        )
    if shape[0] == 0:
        raise InvalidInput(f"Input {shown(tensor.name)} has no rows: expected at least one.", tensor=tensor.name)
    return shape[0]


def _listed(names: Any) -> str:
    found = list(names)
    return ", ".join(found[:32]) + (f", ... ({len(found)} in all)" if len(found) > 32 else "")


# ---------------------------------------------------------------------------------------------- answers to tensors


def answer_tensors(predictor: Predictor, answer: Answer, names: Sequence[str]) -> list[Tensor]:
    """Return the asked tensors of an answer, in the order asked, with arrays of their datatype; BYTES as text."""
    interface = interface_of(predictor)
    tensors: list[Tensor] = []
    for name in names:
        slot = interface.outputs[name]
        if interface.parts:
            data = interface.parts[name].of(answer)
        elif slot is interface.probabilities:
            data = np.asarray(answer.probabilities, dtype=np.float64)
        elif slot is interface.scores:
            data = np.asarray(answer.scores, dtype=np.float64)
        elif answer.codes is None:
            data = np.asarray(answer.numbers, dtype=np.float64)
        else:
            data = interface.labels[answer.codes]
        tensors.append(Tensor(name, slot.datatype, (answer.rows, slot.width), data.reshape(-1)))
    return tensors


def pack_strings(values: Sequence[str]) -> bytes:
    """Return strings as BYTES has them: each behind its length in four bytes, the lowest first."""
    parts: list[bytes] = []
    for value in values:
        data = value.encode()
        parts.append(len(data).to_bytes(4, "little"))
        parts.append(data)
    return b"".join(parts)
