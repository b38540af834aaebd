"""The messages of a gRPC inference call to rows, and an answer to a message. No server and no loop is known here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError

from ..base.errors import InvalidInput
from ..predictor import Predictor
from ..predictor.predictor import Answer
from ..signatures.tables import shown
from ..tensors.tensors import Read, Tensor, answer_tensors, interface_of, read_tensors
from .descriptions import config, index, model_metadata, properties
from .inference import check_output, tensor_bytes
from .messages import DATA_TYPES, message
from .served import Served

__all__ = [
    "Call",
    "config_message",
    "index_message",
    "metadata_message",
    "parse",
    "read_call",
    "write_call",
]

# FP16 has no place among the typed contents: it is only sent raw.
_CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


class Call(NamedTuple):
    """A call that fits its model.

    Attributes:
        raw: whether the tensors came as bytes: the answer's go the same way.
    """

    id: str
    read: Read
    outputs: tuple[str, ...]
    raw: bool


def parse(name: str, data: bytes) -> Any:
    """Return a message from its bytes.

    Raises:
        InvalidInput: when they are no such message.
    """
    try:
        return message(name).FromString(data)
    except DecodeError as error:
        raise InvalidInput(f"What came is no {name}: {error}.") from error


def read_call(predictor: Predictor, request: Any) -> Call:
    """Return what a `ModelInferRequest` asks.

    Raises:
        InvalidInput: for anything that does not fit; its message names the tensor, what came and what was expected.
    """
    raw = request.raw_input_contents
    inputs = request.inputs
    if raw and len(raw) != len(inputs):
        raise InvalidInput(
            f"The request has {len(inputs)} inputs and {len(raw)} raw_input_contents: expected one for each input, or "
            "none."
        )
    tensors: list[Tensor] = []
    missing: dict[str, str] = {}
    whole = _missing(request.parameters, None)
    for place, one in enumerate(inputs):
        data = _raw(one, raw[place]) if raw else _typed(one)
        tensors.append(Tensor(one.name, one.datatype, list(one.shape), data))
        word = _missing(one.parameters, whole) if one.parameters else whole
        if word is not None:
            missing[one.name] = word
    read = read_tensors(predictor, tensors, missing)
    return Call(request.id, read, _wanted(predictor, request.outputs), bool(raw))


def write_call(
    call: Call, predictor: Predictor, answer: Answer, *, model: str, release: int, prediction_id: str
) -> bytes:
    """Return a `ModelInferResponse`, serialised; as `write_infer` has it, tensors raw if those of the call were."""
    response = message("ModelInferResponse")(
        model_name=model,
        model_version=str(release),
        id=call.id or prediction_id,
        parameters={"prediction_id": {"string_param": prediction_id}},
    )
    for tensor in answer_tensors(predictor, answer, call.outputs):
        output = response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if call.raw:
            response.raw_output_contents.append(tensor_bytes(tensor))
        else:
            values = tensor.data.tolist()
            if tensor.datatype == "BYTES":
                values = [value.encode() for value in values]
            getattr(output.contents, _CONTENTS[tensor.datatype]).extend(values)
    return response.SerializeToString()


def metadata_message(served: Served, releases: Sequence[int]) -> bytes:
    """Return a `ModelMetadataResponse`, serialised."""
    found = model_metadata(served, releases)
    found["properties"] = found.pop("parameters")
    for tensor in (*found["inputs"], *found["outputs"]):
        tensor.pop("parameters", None)
    return message("ModelMetadataResponse")(**found).SerializeToString()


def config_message(served: Served) -> bytes:
    """Return a `ModelConfigResponse`, serialised."""
    found = config(served)
    tensors = {
        side: [{**tensor, "data_type": DATA_TYPES[tensor["data_type"]]} for tensor in found[side]]
        for side in ("input", "output")
    }
    said = {
        "name": found["name"],
        "platform": found["platform"],
        "backend": found["backend"],
        "max_batch_size": found["max_batch_size"],
        "parameters": {name: {"string_value": value} for name, value in properties(served).items()},
    }
    return message("ModelConfigResponse")(config={**said, **tensors}).SerializeToString()


def index_message(served: Sequence[Served], failed: dict[str, str], *, ready: bool) -> bytes:
    """Return a `RepositoryIndexResponse`, serialised."""
    return message("RepositoryIndexResponse")(models=index(served, failed, ready=ready)).SerializeToString()


# ---------------------------------------------------------------------------------------------- reading


def _raw(one: Any, data: bytes) -> bytes:
    if one.contents.ListFields():
        raise InvalidInput(
            f"Input {shown(one.name)} has contents, and the request raw_input_contents: expected one of them.",
            tensor=one.name,
        )
    return data


def _typed(one: Any) -> list[Any]:
    """Return the values of a tensor's typed contents."""
    place = _CONTENTS.get(one.datatype)
    filled = [field.name for field, _ in one.contents.ListFields()]
    if place is None:
        if one.datatype != "FP16":
            return []  # no datatype at all: this is said when the tensor is looked at
        raise InvalidInput(
            f"Input {shown(one.name)} has the datatype FP16: expected its values in raw_input_contents.",
            tensor=one.name,
        )
    if others := [name for name in filled if name != place]:
        raise InvalidInput(
            f"Input {shown(one.name)} of the datatype {one.datatype} has {others[0]}: expected its values in {place}.",
            tensor=one.name,
        )
    values = list(getattr(one.contents, place))
    if one.datatype != "BYTES":
        return values
    return [_text(one.name, at, value) for at, value in enumerate(values)]


def _text(name: str, place: int, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"Input {shown(name)}, value {place} is not UTF-8: its byte {error.start} is "
            f"0x{value[error.start]:02x}: expected text.",
            tensor=name,
        ) from None


def _missing(parameters: Any, default: str | None) -> str | None:
    """Return which string stands for a missing one; a look at a map of messages must not make its entry."""
    if "missing_string" not in parameters:
        return default
    parameter = parameters["missing_string"]
    if parameter.WhichOneof("parameter_choice") != "string_param":
        raise InvalidInput("The parameter missing_string is no string_param: expected a string.")
    return parameter.string_param


def _wanted(predictor: Predictor, asked: Any) -> tuple[str, ...]:
    interface = interface_of(predictor)
    if not asked:
        return tuple(interface.outputs)
    wanted: dict[str, None] = {}
    for one in asked:
        check_output(interface, one.name, wanted)
        wanted[one.name] = None
    return tuple(wanted)
