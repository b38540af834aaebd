"""The example of pictures, released at a small size: its own tests are the gate."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.projects import copy_example, missed_without, release_example

pytest.importorskip("torch", reason="not run: torch not available here: `make torch` has it")


@pytest.mark.timeout(900)
def test_it_is_released_and_reads_a_png(tmp_path: Path):
    project = copy_example("digits", tmp_path)
    predictor = release_example(project, epochs=10)
    field = predictor.package.signature.fields[0]
    assert (field.name, field.shape, field.dtype) == ("image", (8, 8), "uint8")
    assert predictor.package.signature.output.classes == tuple(range(10))
    assert predictor.package.proof["rows"] >= 1797
    seven = np.zeros((8, 8), np.uint8)
    seven[1, 2:6] = 255
    seven[2:7, 4] = 255
    sink = io.BytesIO()
    Image.fromarray(seven).save(sink, "PNG")
    rows = [{"image": seven.tolist()}, {"image": {"base64": base64.b64encode(sink.getvalue()).decode()}}]
    answer = predictor.run(predictor.decode(json.dumps({"rows": rows}).encode()))
    np.testing.assert_array_equal(answer.probabilities[0], answer.probabilities[1])
    assert float(answer.probabilities[0].sum()) == pytest.approx(1.0)
    missed = missed_without(project, "digits@1")
    assert "torch" not in missed
    assert missed["pillow"] == "PIL"  # requests may bring pictures
    assert all(missed.values())
