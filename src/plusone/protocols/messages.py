"""The messages of `inference.GRPCInferenceService`, made from a table: no compiler is needed, here or at build time.

The names and numbers of the fields are the protocol's own (KServe's Open Inference Protocol; `ModelConfig` and
`RepositoryIndex` are Triton's). The messages live in a pool of their own, so that a process may load a client's too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["DATA_TYPES", "METHODS", "SERVICE", "message"]

SERVICE = "inference.GRPCInferenceService"
METHODS = (
    "ServerLive",
    "ServerReady",
    "ModelReady",
    "ServerMetadata",
    "ModelMetadata",
    "ModelConfig",
    "ModelInfer",
    "RepositoryIndex",
)
"""The calls that are answered; the messages of each are called so, with `Request` and `Response` behind it."""

_TYPES = ("BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64")
DATA_TYPES = {f"TYPE_{name}": number for number, name in enumerate((*_TYPES, "STRING"), start=1)}
"""The numbers of Triton's `DataType`, which `ModelConfig` has for its tensors."""

_Row = tuple[str, int, str]
_NAMED: tuple[_Row, ...] = (("name", 1, "string"), ("version", 2, "string"))
_TENSOR: tuple[_Row, ...] = (
    ("name", 1, "string"),
    ("datatype", 2, "string"),
    ("shape", 3, "repeated int64"),
    ("parameters", 4, "map InferParameter"),
    ("contents", 5, "InferTensorContents"),
)
# A kind is a scalar or a message, behind `repeated`, `map` (of strings to it) or `one` (of the message's oneof).
_MESSAGES: dict[str, tuple[_Row, ...]] = {
    "InferParameter": (
        ("bool_param", 1, "one bool"),
        ("int64_param", 2, "one int64"),
        ("string_param", 3, "one string"),
        ("double_param", 4, "one double"),
        ("uint64_param", 5, "one uint64"),
    ),
    "InferTensorContents": (
        ("bool_contents", 1, "repeated bool"),
        ("int_contents", 2, "repeated int32"),
        ("int64_contents", 3, "repeated int64"),
        ("uint_contents", 4, "repeated uint32"),
        ("uint64_contents", 5, "repeated uint64"),
        ("fp32_contents", 6, "repeated float"),
        ("fp64_contents", 7, "repeated double"),
        ("bytes_contents", 8, "repeated bytes"),
    ),
    "ServerLiveRequest": (),
    "ServerLiveResponse": (("live", 1, "bool"),),
    "ServerReadyRequest": (),
    "ServerReadyResponse": (("ready", 1, "bool"),),
    "ModelReadyRequest": _NAMED,
    "ModelReadyResponse": (("ready", 1, "bool"),),
    "ServerMetadataRequest": (),
    "ServerMetadataResponse": (*_NAMED, ("extensions", 3, "repeated string")),
    "ModelMetadataRequest": _NAMED,
    "ModelMetadataResponse": (
        ("name", 1, "string"),
        ("versions", 2, "repeated string"),
        ("platform", 3, "string"),
        ("inputs", 4, "repeated ModelMetadataResponse.TensorMetadata"),
        ("outputs", 5, "repeated ModelMetadataResponse.TensorMetadata"),
        ("properties", 6, "map string"),
    ),
    "ModelMetadataResponse.TensorMetadata": _TENSOR[:3],
    "ModelConfigRequest": _NAMED,
    "ModelConfigResponse": (("config", 1, "ModelConfig"),),
    "ModelConfig": (
        ("name", 1, "string"),
        ("platform", 2, "string"),
        ("max_batch_size", 4, "int32"),
        ("input", 5, "repeated ModelConfig.Input"),
        ("output", 6, "repeated ModelConfig.Output"),
        ("parameters", 14, "map ModelConfig.Parameter"),
        ("backend", 17, "string"),
    ),
    "ModelConfig.Input": (("name", 1, "string"), ("data_type", 2, "int32"), ("dims", 4, "repeated int64")),
    "ModelConfig.Output": (("name", 1, "string"), ("data_type", 2, "int32"), ("dims", 3, "repeated int64")),
    "ModelConfig.Parameter": (("string_value", 1, "string"),),
    "ModelInferRequest": (
        ("model_name", 1, "string"),
        ("model_version", 2, "string"),
        ("id", 3, "string"),
        ("parameters", 4, "map InferParameter"),
        ("inputs", 5, "repeated ModelInferRequest.InferInputTensor"),
        ("outputs", 6, "repeated ModelInferRequest.InferRequestedOutputTensor"),
        ("raw_input_contents", 7, "repeated bytes"),
    ),
    "ModelInferRequest.InferInputTensor": _TENSOR,
    "ModelInferRequest.InferRequestedOutputTensor": (("name", 1, "string"), ("parameters", 2, "map InferParameter")),
    "ModelInferResponse": (
        ("model_name", 1, "string"),
        ("model_version", 2, "string"),
        ("id", 3, "string"),
        ("parameters", 4, "map InferParameter"),
        ("outputs", 5, "repeated ModelInferResponse.InferOutputTensor"),
        ("raw_output_contents", 6, "repeated bytes"),
    ),
    "ModelInferResponse.InferOutputTensor": _TENSOR,
    "RepositoryIndexRequest": (("repository_name", 1, "string"), ("ready", 2, "bool")),
    "RepositoryIndexResponse": (("models", 1, "repeated RepositoryIndexResponse.ModelIndex"),),
    "RepositoryIndexResponse.ModelIndex": (*_NAMED, ("state", 3, "string"), ("reason", 4, "string")),
}

_Field = descriptor_pb2.FieldDescriptorProto


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="plusone/inference.proto", package="inference", syntax="proto3")
    made: dict[str, descriptor_pb2.DescriptorProto] = {}
    for path, rows in _MESSAGES.items():
        parent, _, name = path.rpartition(".")
        entry = made[parent].nested_type.add() if parent else file.message_type.add()
        entry.name = name
        made[path] = entry
        _fill(entry, path, rows)
    return file


def _fill(entry: descriptor_pb2.DescriptorProto, path: str, rows: Sequence[_Row]) -> None:
    for name, number, kind in rows:
        modifier, _, inner = kind.rpartition(" ")
        repeated = modifier in ("repeated", "map")
        if modifier == "map":
            pair = entry.nested_type.add(name="".join(word.capitalize() for word in name.split("_")) + "Entry")
            pair.options.map_entry = True
            _add(pair, "key", 1, "string")
            _add(pair, "value", 2, inner)
            inner = f"{path}.{pair.name}"
        field = _add(entry, name, number, inner, repeated=repeated)
        if modifier == "one":
            if not entry.oneof_decl:
                entry.oneof_decl.add(name="parameter_choice")
            field.oneof_index = 0


def _add(entry: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str, *, repeated: bool = False) -> _Field:
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    field = entry.field.add(name=name, number=number, label=label)
    if kind[0].isupper():
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".inference.{kind}"
    else:
        field.type = _Field.Type.Value(f"TYPE_{kind.upper()}")
    return field


_pool = descriptor_pool.DescriptorPool()
_pool.AddSerializedFile(_file().SerializeToString())


def message(name: str) -> Any:
    """Return the class of a message, e.g. `ModelInferRequest`."""
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"inference.{name}"))
