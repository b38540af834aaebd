"""Plain Python whose input is a picture or a sound, and whose answer is a ranking: packaged, proven, asked."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Files

from plusone import packaging
from plusone.base.errors import Incompatible
from plusone.data.tensors import to_table
from plusone.execution.venvs import lines_of
from plusone.media import Image
from plusone.native.child import ranked
from plusone.predictor import Predictor, load
from plusone.replaying.verify import verify
from tests.native.conftest import SCRIPTS, data, pack

PICTURES = np.arange(60 * 12, dtype=np.uint8).reshape(60, 3, 4)
PICTURES[0] = 0
NAMES = ["dark", "grey", "light"]
LEVELS = [10.0, 120.0, 240.0]
SOUNDS = np.linspace(-1.0, 1.0, 60 * 5).reshape(60, 5).astype(np.float32)


@pytest.fixture
def ranking(on_path: None) -> Any:
    import ranking  # pyright: ignore[reportMissingImports] - of the project

    return ranking


def packed(model: Any, folder: Path, target: str = "name", **arrays: Any) -> Predictor:
    """Package a model of the project that takes arrays; pictures may come as files."""
    truth = np.arange(60.0) if target == "loud" else np.array(NAMES * 20)
    train = to_table({**arrays, target: truth})
    media: dict[str, Any] = {"picture": Image(height=3, width=4, mode="L")} if "picture" in arrays else {}
    _, digest = packaging.pack(
        model,
        name="m",
        target=target,
        features=list(arrays),
        train=train,
        flavour="numpy",
        environment="a==1\n",
        folder=folder,
        media=media,
        root=SCRIPTS,
    )
    return load(folder, digest)


def test_a_picture_is_answered_by_a_ranking(ranking: Any, tmp_path: Path):
    model = ranking.Brightness(NAMES, LEVELS, 2)
    predictor = packed(model, tmp_path / "p", picture=PICTURES)
    output = predictor.signature.output
    assert (output.kind, output.classes, output.width) == ("ranking", tuple(NAMES), 2)
    assert predictor.package.proof["max_difference"] == 0.0
    assert predictor.package.options["frame"]["flavour"] == "numpy"
    expected = model.rank(PICTURES)
    rows = [{"picture": one.tolist()} for one in PICTURES]
    answer = predictor.run(predictor.decode(json.dumps({"rows": rows}).encode()))
    found = predictor.predictions(answer)
    assert [[(one["item"], one["score"]) for one in row] for row in found] == expected
    assert found[0] == []
    # A file is the same picture.
    sink = io.BytesIO()
    Files.fromarray(PICTURES[5]).save(sink, "PNG")
    row = {"picture": {"base64": base64.b64encode(sink.getvalue()).decode()}}
    assert predictor.predictions(predictor.run(predictor.decode(json.dumps({"rows": [row]}).encode()))) == [found[5]]
    # numpy is all that it imports; pictures are read by the worker.
    folder, digest = tmp_path / "p", predictor.digest
    assert list(lines_of((folder / "environment.txt").read_text())) == ["numpy"]
    checked = verify(folder, digest, each_line=True)
    assert checked.problems == ()
    assert [(line.name, line.without, line.module) for line in checked.lines] == [("numpy", "fails", "numpy")]


def test_a_sound_is_answered_by_a_number(ranking: Any, tmp_path: Path):
    predictor = packed(ranking.Loudness(), tmp_path / "p", target="loud", sound=SOUNDS)
    assert predictor.signature.output.kind == "number"
    assert predictor.predict({"sound": SOUNDS}) == pytest.approx(np.abs(SOUNDS).mean(axis=1), abs=0.0)


def test_several_tensors_come_as_a_dict(ranking: Any, tmp_path: Path):
    model = ranking.TwoInputs(NAMES, LEVELS, 3)
    predictor = packed(model, tmp_path / "p", picture=PICTURES, sound=SOUNDS)
    codes, _ = predictor.rank({"picture": PICTURES, "sound": SOUNDS})
    expected = model.rank({"picture": PICTURES, "sound": SOUNDS})
    assert [list(row)[: len(other)] for row, other in zip(codes, expected, strict=True)] == [
        [item for item, _ in row] for row in expected
    ]


@pytest.mark.parametrize("flavour", ["pandas", "polars"])
def test_a_dataframe_is_answered_by_a_ranking(ranking: Any, tmp_path: Path, flavour: str):
    frame = data()[["hour"]].assign(target=[7, 8, 9] * 40)
    model = ranking.Usual()
    made = pack(model, tmp_path / "p", frame, flavour=flavour)
    predictor = load(made.folder, made.digest)
    answer = predictor.run(predictor.decode(b'{"rows": [{"hour": 0}, {"hour": 5}]}'))
    assert predictor.predictions(answer) == [[], [{"item": 9, "score": 1.0}, {"item": 7, "score": 0.5}]]


@pytest.mark.parametrize(
    ("items", "k", "message"),
    [
        (None, 2, "does not say which items: its attribute `items` is None"),
        ([], 2, "does not say which items"),
        (["a", "a"], 2, "does not say which items"),
        ([1.5, 2.5], 2, "does not say which items"),
        ("abc", 2, "does not say which items"),
        (["a", "b"], None, "does not say how many items at most: its attribute `k` is None"),
        (["a", "b"], 0, "its attribute `k` is 0"),
        (["a", "b"], True, "its attribute `k` is True"),
        (["a", "b"], 3, "its attribute `k` is 3"),
    ],
)
def test_one_that_does_not_say_what_it_ranks_is_refused(ranking: Any, tmp_path: Path, items: Any, k: Any, message: str):
    with pytest.raises(Incompatible, match=message) as refused:
        packed(ranking.Brightness(items, LEVELS, k), tmp_path / "p", picture=PICTURES)
    assert "set self." in refused.value.mend


CODES = {"a": 0, "b": 1, 7: 2}


def test_pairs_become_codes_and_scores():
    codes, scores = ranked([[("b", 2), (np.int64(7), np.float32(0.5))], [], iter([("a", -1.0)])], CODES, 3, 2)
    assert codes.tolist() == [[1, 2], [-1, -1], [0, -1]]
    np.testing.assert_array_equal(scores, [[2.0, 0.5], [np.nan, np.nan], [-1.0, np.nan]])


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([[]], "for 1 rows of 2"),
        ([[], [("a", 1.0), ("b", 1.0), (7, 1.0)]], "ranked 3 items in row 1: expected at most 2"),
        ([[("z", 1.0)], []], "ranked 'z' in row 0, which is none of its `items`"),
        ([[("a", 1.0), ("a", 0.5)], []], "ranked an item twice in row 0"),
        ([[("a", float("nan"))], []], "the score NaN"),
        ([["abc"], []], "ranked 'abc' in row 0: expected an item and its score"),
    ],
)
def test_a_ranking_that_can_not_be_says_so(answers: Any, message: str):
    with pytest.raises(ValueError, match=message):
        ranked(answers, CODES, 2, 2)
