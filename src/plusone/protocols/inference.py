"""The Open Inference Protocol (v2) over HTTP: the body of a request to columns, an answer to a body.

JSON, or JSON with the tensors behind it as bytes (the extension `binary_tensor_data`). Pure functions: bytes in, bytes
out. Errors of the protocol are `{"error": "..."}`, and what does not fit a model is 400, as its specification has it.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from ..base.errors import BodyTooLarge, InvalidInput, PlusoneError, WrongContentType
from ..predictor import Predictor
from ..predictor.predictor import Answer, Columns
from ..signatures.tables import shown
from ..tensors.direct import Plan
from ..tensors.tensors import Interface, Read, Tensor, answer_tensors, interface_of, pack_strings, read_tensors
from ..tensors.values import DTYPES

__all__ = [
    "HEADER_LENGTH",
    "Infer",
    "Wanted",
    "check_output",
    "header_length",
    "inflate",
    "read_infer",
    "refusal",
    "tensor_bytes",
    "text_of",
    "write_infer",
]

HEADER_LENGTH = "inference-header-content-length"
"""The header that says how many bytes of a body are JSON, where tensors follow as bytes."""

JSON = b"application/json"
BINARY = b"application/octet-stream"

_MOST_SEEN = 64
_MOST_SEEN_BYTES = 16 * 1024
"""How many JSON parts of requests are kept with what they say, and up to which length."""

_encode = msgspec.json.Encoder().encode


class Wanted(NamedTuple):
    """An output that was asked for, and whether as bytes behind the JSON."""

    name: str
    binary: bool


class Infer(NamedTuple):
    """A request that fits its model.

    Attributes:
        id: what the client called it; empty when it did not say.
        read: its rows.
        outputs: which tensors the answer has, in that order.
    """

    id: str
    read: Read
    outputs: tuple[Wanted, ...]

    @property
    def columns(self) -> Columns:
        """The rows, ready to enter the graph."""
        return self.read.columns


class _Input(msgspec.Struct, gc=False):
    name: str
    shape: list[int]
    datatype: str
    data: Any = None
    parameters: dict[str, Any] | None = None


class _Asked(msgspec.Struct, gc=False):
    name: str
    parameters: dict[str, Any] | None = None


class _Request(msgspec.Struct, gc=False):
    inputs: list[_Input]
    id: str | None = None
    outputs: list[_Asked] | None = None
    parameters: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Request).decode
# Strings, closed or not, and what lies between them are taken in one go: each byte is looked at once, whatever comes.
_LITERALS = re.compile(rb'(?:"(?:[^"\\]|\\.)*+"?(?:[^"N]|N(?!aN))*+)++|(?<![\w.+-])NaN(?!\w)', re.DOTALL)


def read_infer(predictor: Predictor, body: bytes, header_length: int | None) -> Infer:
    """Return the request in a body.

    Args:
        header_length: how many of its bytes are JSON (`header_length(headers)`); None: all; 0: none, the body is the
            one tensor of a model that takes one.

    Raises:
        InvalidInput: for anything that does not fit; its message names the tensor, what came and what was expected.
    """
    interface = interface_of(predictor)
    if header_length == 0:
        return _raw(predictor, interface, body)
    length = len(body) if header_length is None else header_length
    if length > len(body):
        raise InvalidInput(
            f"The header Inference-Header-Content-Length says {shown(length)}, the body has {len(body)} bytes: "
            "expected how many bytes of it are JSON."
        )
    text = body[:length] if length < len(body) else body
    is_known = header_length is not None and text in interface.seen
    if is_known and (found := _read_again(predictor, interface, body, text)) is not None:
        return found
    request = _request(text)
    parameters = request.parameters or {}
    tensors = _tensors(request, memoryview(body)[length:], header_length is not None)
    named = _missing(request, parameters)
    wanted = _wanted(interface, request.outputs, parameters)
    if header_length is not None and tensors and not named and length <= _MOST_SEEN_BYTES:
        plan = interface.direct.plan(tensors, length) if is_known else None
        _remember(interface, text, plan and _Seen(len(body), plan, request.id or "", wanted))
    return Infer(request.id or "", read_tensors(predictor, tensors, named), wanted)


class _Seen(NamedTuple):
    """What the JSON of a request said whose tensors are all in bytes, and how long the whole body was."""

    size: int
    plan: Plan
    id: str
    wanted: tuple[Wanted, ...]


def _remember(interface: Interface, text: bytes, seen: _Seen | None) -> None:
    """Keep what a JSON says; many a client sends the same again, with other values behind it."""
    if len(interface.seen) >= _MOST_SEEN:
        interface.seen.clear()
    interface.seen[text] = seen


def _read_again(predictor: Predictor, interface: Interface, body: bytes, text: bytes) -> Infer | None:
    """Return the request of a body whose JSON came before, byte for byte: only the values are new."""
    seen: _Seen | None = interface.seen.get(text)
    if seen is None or len(body) != seen.size:
        return None
    found = interface.direct.read(seen.plan, body)
    if found is None:
        return None
    rows, columns = (found, None) if isinstance(found, list) else (None, found)
    return Infer(seen.id, Read(predictor, rows, columns), seen.wanted)


def write_infer(
    infer: Infer, predictor: Predictor, answer: Answer, *, model: str, release: int, prediction_id: str
) -> tuple[bytes, bytes, tuple[tuple[str, str], ...]]:
    """Return an answer as body, content type and further headers.

    The id is the request's, or the prediction's where it had none; labels are sent under the prediction's, which is
    the parameter `prediction_id`. A number that is not finite is null in JSON.
    """
    tensors = answer_tensors(predictor, answer, [wanted.name for wanted in infer.outputs])
    outputs: list[dict[str, Any]] = []
    parts = [b""]
    for wanted, tensor in zip(infer.outputs, tensors, strict=True):
        output: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": tensor.shape}
        if wanted.binary:
            data = tensor_bytes(tensor)
            output["parameters"] = {"binary_data_size": len(data)}
            parts.append(data)
        else:
            output["data"] = tensor.data.tolist()
        outputs.append(output)
    parts[0] = _encode(
        {
            "model_name": model,
            "model_version": str(release),
            "id": infer.id or prediction_id,
            "parameters": {"prediction_id": prediction_id},
            "outputs": outputs,
        }
    )
    if len(parts) == 1:
        return parts[0], JSON, ()
    return b"".join(parts), BINARY, (("Inference-Header-Content-Length", str(len(parts[0]))),)


def tensor_bytes(tensor: Tensor) -> bytes:
    """Return the values of an outgoing tensor as the wire has them."""
    if tensor.datatype == "BYTES":
        return pack_strings(tensor.data)
    return np.ascontiguousarray(tensor.data, dtype=DTYPES[tensor.datatype]).tobytes()


def refusal(error: PlusoneError) -> tuple[int, bytes]:
    """Return the status and the body for an error: 400 for what does not fit a model, else the error's own status."""
    return (400 if isinstance(error, InvalidInput) else error.status), _encode({"error": text_of(error)})


def text_of(error: PlusoneError) -> str:
    """Return an error as the one line that the protocol has for it."""
    return f"{error.message} To mend it: {error.mend}" if error.mend else error.message


def header_length(headers: Mapping[str, str]) -> int | None:
    """Return what the header says, None where there is none. The names of `headers` are in lower case.

    Raises:
        InvalidInput: when it is no number of bytes.
    """
    text = headers.get(HEADER_LENGTH)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidInput(f"The header Inference-Header-Content-Length is {shown(text)}: expected a number of bytes.")
    return int(text)


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the body that was sent with this Content-Encoding: gzip or deflate, as the clients know them.

    Args:
        limit: how many bytes it may be; no more are ever made of it.

    Raises:
        BodyTooLarge: when it is more.
        InvalidInput: when the bytes are not of that encoding, or not whole.
        WrongContentType: for other encodings.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "deflate"):
        raise WrongContentType(
            f"The content encoding is {shown(encoding)}: expected gzip, deflate or none.",
            mend="send the body without content-encoding",
        )
    stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16 if encoding == "gzip" else zlib.MAX_WBITS)
    try:
        data = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidInput(f"The body is not {encoding}: {error}.") from error
    if len(data) > limit:
        raise BodyTooLarge(
            f"The body has over {limit} bytes when it is unpacked: expected at most {limit}.",
            mend="send fewer rows per request, or raise max_body_bytes under [tool.plusone.serve] in pyproject.toml",
            limit_bytes=limit,
        )
    if not stream.eof or stream.unused_data:
        raise InvalidInput(f"The body is not one whole {encoding}: expected all of it and nothing behind it.")
    return data


# ---------------------------------------------------------------------------------------------- reading


def _request(text: bytes) -> _Request:
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if b"NaN" not in text:
            raise _malformed(error) from error
    try:
        return _decode(_without_nan(text))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error) from error


def _without_nan(text: bytes) -> bytes:
    """Return JSON with null for NaN, which tritonclient writes and JSON has not: both say that a value is missing."""
    return _LITERALS.sub(lambda found: b"null" if found[0] == b"NaN" else found[0], text)


def _malformed(error: Exception) -> InvalidInput:
    if isinstance(error, RecursionError):
        return InvalidInput("The body is nested too deeply: expected an inference request.")
    if isinstance(error, UnicodeDecodeError):
        return InvalidInput(f"The body is not UTF-8: its byte 0x{error.object[error.start]:02x} is no text.")
    if isinstance(error, msgspec.ValidationError):
        return InvalidInput(
            f'The body is no inference request: {error}: expected {{"inputs": [{{"name", "shape", "datatype", '
            '"data"}, ...]}.'
        )
    return InvalidInput(f"The body is not valid JSON: {error}.")


def _tensors(request: _Request, behind: memoryview, announced: bool) -> list[Tensor]:
    """Return the inputs with their values, those behind the JSON cut out of it."""
    tensors: list[Tensor] = []
    start = 0
    for one in request.inputs:
        data = one.data
        size = _binary_size(one)
        if size is not None:
            if not announced:
                raise InvalidInput(
                    f"Input {shown(one.name)} has a binary_data_size, and the request no header "
                    "Inference-Header-Content-Length: expected it to say how many bytes of the body are JSON.",
                    tensor=one.name,
                )
            if size > len(behind) - start:
                raise InvalidInput(
                    f"Input {shown(one.name)} has a binary_data_size of {shown(size)}: the body has "
                    f"{len(behind) - start} bytes left for it.",
                    tensor=one.name,
                )
            data = behind[start : start + size]
            start += size
        elif not isinstance(data, list):
            raise InvalidInput(
                f"Input {shown(one.name)} has no list of values: expected 'data', or a 'binary_data_size' among its "
                "parameters.",
                tensor=one.name,
            )
        tensors.append(Tensor(one.name, one.datatype, one.shape, data))
    if start != len(behind):
        raise InvalidInput(
            f"The body has {len(behind) - start} bytes behind those of its tensors: expected the sizes "
            "(binary_data_size) to add up to what follows the JSON."
        )
    return tensors


def _binary_size(one: _Input) -> int | None:
    said = one.parameters
    if not said:
        return None
    if "shared_memory_region" in said:
        raise InvalidInput(
            f"Input {shown(one.name)} lies in shared memory, which is not read here: expected its values in the "
            "request.",
            tensor=one.name,
        )
    size = said.get("binary_data_size")
    if size is None:
        return None
    if type(size) is not int or size < 0:
        raise InvalidInput(
            f"Input {shown(one.name)} has a binary_data_size of {shown(size)}: expected a number of bytes.",
            tensor=one.name,
        )
    if one.data is not None:
        raise InvalidInput(
            f"Input {shown(one.name)} has both 'data' and a binary_data_size: expected one of them.", tensor=one.name
        )
    return size


def _missing(request: _Request, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return, by input, which string stands for a missing one: its own parameter, or the request's."""
    whole = parameters.get("missing_string")
    found: dict[str, str] = {}
    for one in request.inputs:
        value = whole if one.parameters is None else one.parameters.get("missing_string", whole)
        if value is not None and not isinstance(value, str):
            raise InvalidInput(f"The parameter missing_string is {shown(value)}: expected a string.", tensor=one.name)
        if value is not None:
            found[one.name] = value
    return found


def _wanted(interface: Interface, asked: Sequence[_Asked] | None, parameters: Mapping[str, Any]) -> tuple[Wanted, ...]:
    binary = _flag("binary_data_output", parameters, False)
    if not asked:
        return tuple(Wanted(name, binary) for name in interface.outputs)
    wanted: dict[str, Wanted] = {}
    for one in asked:
        check_output(interface, one.name, wanted)
        said = one.parameters or {}
        if said.get("classification"):
            raise InvalidInput(
                f"Output {shown(one.name)} is asked for with 'classification', which is not offered: ask for "
                "'probabilities'; the model's metadata names the classes.",
                tensor=one.name,
            )
        if "shared_memory_region" in said:
            raise InvalidInput(
                f"Output {shown(one.name)} is wanted in shared memory, which is not written here.", tensor=one.name
            )
        wanted[one.name] = Wanted(one.name, _flag("binary_data", said, binary))
    return tuple(wanted.values())


def check_output(interface: Interface, name: str, before: Mapping[str, Any]) -> None:
    """Raise InvalidInput when the model has no output of that name, or it was asked for before."""
    if name not in interface.outputs:
        raise InvalidInput(
            f"The model has no output {shown(name)}: expected {', '.join(interface.outputs)}, or no outputs at all "
            "for all of them.",
            tensor=name,
        )
    if name in before:
        raise InvalidInput(f"Output {shown(name)} is asked for twice: expected once.", tensor=name)


def _flag(name: str, parameters: Mapping[str, Any], default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise InvalidInput(f"The parameter {name} is {shown(value)}: expected true or false.")
    return value


def _raw(predictor: Predictor, interface: Interface, body: bytes) -> Infer:
    """Return the request of a body without JSON: the values of the one tensor that the model takes."""
    if len(interface.inputs) != 1:
        raise InvalidInput(
            f"The header Inference-Header-Content-Length is 0, and the model takes {len(interface.inputs)} inputs: a "
            "body without JSON is only for a model that takes one."
        )
    slot = next(iter(interface.inputs.values()))
    if slot.datatype == "BYTES":  # one string is the whole body
        tensor = Tensor(slot.name, slot.datatype, [1], len(body).to_bytes(4, "little") + body)
    else:
        own = slot.shape or ()
        rows = len(body) // (DTYPES[slot.datatype].itemsize * math.prod(own))
        tensor = Tensor(slot.name, slot.datatype, [rows, *own], body)
    return Infer("", read_tensors(predictor, [tensor], {}), tuple(Wanted(name, True) for name in interface.outputs))
