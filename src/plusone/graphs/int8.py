"""The layers of a network in 8-bit integers: an ONNX graph in, a smaller one out.

The ranges of what flows between layers are fixed here, from real rows ('static' quantisation). Ranges that are taken
from each batch anew ('dynamic') would make a row's answer depend on whoever asks at the same time.

This module knows ONNX and onnxruntime's quantiser. It knows no trained model.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .layout import Columns

__all__ = ["count_layers", "to_int8"]

_LAYERS = ("MatMul", "Gemm", "Conv")
_BATCH = 50


def count_layers(graph: bytes, *, single: bool = False) -> int:
    """Return how many layers with weights of their own a graph has: products of matrices, and convolutions.

    Args:
        single: count those in single precision alone, which are what can be quantised.
    """
    from onnx import TensorProto, load_from_string

    model = load_from_string(graph)
    kinds = {TensorProto.FLOAT} if single else {TensorProto.FLOAT, TensorProto.DOUBLE}
    weights = {one.name for one in model.graph.initializer if one.data_type in kinds and len(one.dims) >= 2}
    return sum(node.op_type in _LAYERS and node.input[1] in weights for node in model.graph.node)


def to_int8(graph: bytes, columns: Columns) -> bytes:
    """Return the graph with its layers in 8 bits, calibrated on these rows.

    Raises:
        Exception: whatever onnxruntime's quantiser raises.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Rows(CalibrationDataReader):
        def __init__(self) -> None:
            self._parts = iter(range(0, columns.rows, _BATCH))

        def get_next(self) -> Any:
            start = next(self._parts, None)
            return None if start is None else columns.take(start, start + _BATCH).feeds

    with tempfile.TemporaryDirectory(prefix="plusone-") as folder, _quietly():
        from onnx import load

        whole, prepared, smaller = (Path(folder) / f"{name}.onnx" for name in ("whole", "prepared", "int8"))
        whole.write_bytes(graph)
        quant_pre_process(whole, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            smaller,
            Rows(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_LAYERS),
            per_channel=True,
            # Weights of 7 bits: on processors without VNNI sums of full 8 bits overflow, and the answer is another one.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"QDQDisableWeightAdjustForInt32Bias": True},  # it fails for Gemm with a bias (1.32)
        )
        model: Any = load(smaller)
        del model.graph.value_info[:]
        return bytes(model.SerializeToString(deterministic=True))


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep the quantiser's advice out of what the train function prints."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        logging.disable(before)
