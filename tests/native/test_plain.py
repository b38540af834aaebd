"""Plain Python of a project: what of it is packaged, that the package answers alike, and what is refused and why."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Files
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from plusone import packaging
from plusone.base.errors import Incompatible, PlusoneError, UnsafeValue
from plusone.data.tensors import to_table
from plusone.execution.venvs import lines_of
from plusone.media import Image
from plusone.native.child import ranked
from plusone.native.plain import open_plain, pack_object
from plusone.predictor import Predictor, load
from plusone.replaying.verify import verify
from tests.native.conftest import SCRIPTS, Packed, data, pack


def loaded(packed: Packed) -> Predictor:
    return load(packed.folder, packed.digest)


@pytest.fixture
def forecaster(on_path: None) -> Any:
    import forecaster  # pyright: ignore[reportMissingImports] - of the project

    return forecaster


@pytest.mark.slow
def test_an_object_is_packaged_with_its_state_its_code_and_its_files(forecaster: Any, tmp_path: Path):
    frame = data()
    model = forecaster.Seasonal().fit(frame, frame["target"])
    packed = pack(model, tmp_path / "package")
    predictor = load(packed.folder, packed.digest)
    assert predictor.package.format == "python"
    assert "plain Python" in predictor.package.options["native_because"]
    assert predictor.package.proof["max_difference"] == 0.0
    names = {file.path for file in predictor.package.files}
    assert {"project/forecaster.py", "project/inner/__init__.py", "project/inner/scaling.py"} <= names
    assert {"project/inner/numbers.py", "project/factors.csv", "environment.txt"} <= names
    assert "project/wild.py" not in names  # nothing reaches it
    assert predictor.predict(frame) == pytest.approx(model.predict(frame), abs=0.0)
    # The lock has what was imported, and not what else is installed.
    lock = (packed.folder / "environment.txt").read_text()
    assert "setuptools" not in lock, "only a .pth file imports it, when Python starts"
    assert f"pandas=={pd.__version__}" in lock
    assert "scikit-learn" not in lock
    predictor.warm_up()


@pytest.mark.slow
@pytest.mark.parametrize("flavour", ["pandas", "polars"])
def test_functions_labels_and_probabilities(forecaster: Any, tmp_path: Path, flavour: str):
    frame = data()
    packed = pack(forecaster.hours, tmp_path / "hours", flavour=flavour)
    assert loaded(packed).predict(frame) == pytest.approx(frame["hour"] * 1.5)
    frame["target"] = np.where(frame["weekend"], "weekend", "weekday")
    packed = pack(forecaster.weekday, tmp_path / "weekday", frame, flavour=flavour)
    assert loaded(packed).predict(frame).tolist() == frame["target"].tolist()


@pytest.mark.slow
def test_of_labels_the_most_probable_one_is_taken_unless_the_model_says_otherwise(forecaster: Any, tmp_path: Path):
    frame = data()
    frame["target"] = np.where(frame["hour"] > 12, "late", "early")
    sharp = loaded(pack(forecaster.Late(12.0), tmp_path / "sharp", frame))
    other = loaded(pack(forecaster.Late(12.0, sharp=False), tmp_path / "other", frame))
    assert sharp.package.options.get("ask_labels") is None
    assert other.package.options["ask_labels"] is True
    assert (sharp.predict_proba(frame) == other.predict_proba(frame)).all()
    assert sharp.predict(frame).tolist() == forecaster.Late(12.0).predict(frame).tolist()
    assert other.predict(frame).tolist() == forecaster.Late(12.0, sharp=False).predict(frame).tolist()
    assert sharp.predict(frame).tolist() != other.predict(frame).tolist()


@pytest.mark.slow
def test_what_writes_itself_is_asked_to(forecaster: Any, tmp_path: Path):
    packed = pack(forecaster.Saved(2.5), tmp_path / "package")
    assert (packed.folder / "state/saved/deep/bias.txt").read_text() == "2.5"
    assert loaded(packed).predict(data())[:3].tolist() == [0.0, 2.5, 5.0]


@pytest.mark.slow
def test_code_that_is_imported_late_comes_too(forecaster: Any, tmp_path: Path):
    packed = pack(forecaster.lazily, tmp_path / "package")
    assert (packed.folder / "project/inner/late.py").exists()
    assert loaded(packed).predict(data())[:2].tolist() == [3.0, 4.0]


def test_equal_objects_have_equal_packages(forecaster: Any):
    frame = data()
    found = [pack_object(forecaster.Seasonal().fit(frame, frame["target"]), SCRIPTS).files for _ in range(2)]
    assert found[0] == found[1]


def test_sets_that_come_in_another_order_are_written_alike(forecaster: Any):
    models = [forecaster.Seasonal().fit(data(), data()["target"]) for _ in range(2)]
    # 0 and 8 fall on one place of a small set: which comes first is which was first.
    models[0].seen, models[1].seen = {0, 8}, {8, 0}
    assert [list(one.seen) for one in models] == [[0, 8], [8, 0]]
    first, second = (pack_object(one, SCRIPTS).files for one in models)
    assert first == second


def nameless() -> Any:
    """A function of the project that stands nowhere in it."""
    found: Any = lambda: 1  # noqa: E731 - that it has no name is the point
    found.__module__ = "forecaster"
    return found


class Stranger:
    """Not of the project."""

    def predict(self, frame: Any) -> Any:
        return frame["hour"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (io.StringIO, r"Keeps\.thing is a _io\.StringIO"),
        (lambda: [1, {"a": object()}], r"Keeps\.thing\[1\]\['a'\] is a builtins\.object"),
        (lambda: np.array([None]), "array of Python objects"),
        (lambda: Path("/etc/passwd"), "below the project's folder"),
        (lambda: Path("../test_plain.py"), "below the project's folder"),
        (lambda: Path("none.csv"), "that exists"),
        (nameless, "can't be found under that name"),
        (lambda: re.compile("a"), r"a re\.Pattern"),
        (lambda: pd.DataFrame({"a": [object()]}), "Keeps.thing: "),
    ],
)
def test_what_cannot_be_kept_is_named_with_what_to_do(forecaster: Any, make: Callable[[], Any], message: str):
    value = make()
    with pytest.raises(Incompatible, match=message) as refused:
        pack_object(forecaster.Keeps(value), SCRIPTS)
    assert refused.value.mend
    if hasattr(value, "close"):
        value.close()


def test_what_holds_itself_is_refused(forecaster: Any):
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(Incompatible, match="holds itself"):
        pack_object(forecaster.Keeps(circle), SCRIPTS)


def test_no_pickle_comes_in_by_save(forecaster: Any):
    with pytest.raises(UnsafeValue, match="is a pickle"):
        pack_object(forecaster.Pickler(1.0), SCRIPTS)


@pytest.mark.slow
def test_a_lambda_in_an_estimator_is_named_before_anything_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("plusone.packaging.natively.NativeRunner", None)
    frame = data()[["hour", "target"]].assign(target=["a", "b"] * 60)

    def inside(values: Any) -> Any:
        return values

    for function in (lambda values: values, inside):
        model = make_pipeline(FunctionTransformer(function), LogisticRegression()).fit(frame[["hour"]], frame["target"])
        with pytest.raises(Incompatible, match="made inside of a function") as refused:
            pack(model, tmp_path / "package", frame, root=Path(__file__).parent)
        assert "top level" in refused.value.mend


def test_code_beside_the_pipeline_is_needed(tmp_path: Path, on_path: None):
    import pipeline_like  # pyright: ignore[reportMissingImports] - of the project

    with pytest.raises(Incompatible, match="which imports plusone") as refused:
        pack(pipeline_like.forecast, tmp_path / "package")
    assert "module of its own" in refused.value.mend


@pytest.mark.parametrize(
    ("how", "classes", "said"),
    [
        ("fewer", (), r"answers 119 values to 120 rows \(training data\)"),
        ("text", (), r"answers '1\.5' to rows of the training data: expected numbers"),
        ("times", (), "answers .* to rows of the training data: expected numbers"),
        ("other", ("a", "b"), "answers 'c' to a row of the training data, which is none of its classes: 'a', 'b'"),
        ("nothing", (), "answers one NoneType to 1 rows"),
        ("generator", (), "answers one generator to 1 rows"),
        ("likely", ("a", "b"), r"the probability -0\.5 to a row|the probability 1\.5 to a row"),
    ],
)
def test_what_is_no_answer_is_said_before_a_process_is_asked(
    forecaster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, classes: tuple[str, ...], said: str
):
    monkeypatch.setattr("plusone.packaging.natively.NativeRunner", None)
    frame = data()
    if classes:
        frame["target"] = ["a", "b"] * 60
    with pytest.raises(Incompatible, match=said) as refused:
        pack(forecaster.Wrong(how, classes), tmp_path / "package", frame)
    assert "Traceback" not in str(refused.value)
    assert str(refused.value).count("to mend it") == 1


def test_what_is_not_the_projects_is_no_plain_model(forecaster: Any, tmp_path: Path):
    assert open_plain(Stranger(), [], SCRIPTS) is None
    assert open_plain(len, [], SCRIPTS) is None
    with pytest.raises(Incompatible, match="no method predict"):
        open_plain(forecaster.NoPredict(), [], SCRIPTS)
    with pytest.raises(Incompatible, match="no format knows"):
        pack(Stranger(), tmp_path / "stranger")
    with pytest.raises(Incompatible, match="no format knows"):  # without a project there is none of its code
        pack(forecaster.hours, tmp_path / "none", root=None)


def test_whole_numbers_are_labels_only_where_the_model_says_so(forecaster: Any):
    opened = open_plain(forecaster.hours, [0, 1, 2], SCRIPTS)
    assert opened is not None
    assert getattr(opened.trained, "classes_", None) is None
    opened = open_plain(forecaster.weekday, ["a", "b"], SCRIPTS)
    assert opened is not None
    assert opened.trained.classes_.tolist() == ["a", "b"]


def test_state_that_is_not_kept_is_found_by_the_proof(forecaster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # A module's variable that training changed: the process that only has the sources does not know.
    from inner import numbers  # pyright: ignore[reportMissingImports] - of the project

    frame = data()
    model = forecaster.Seasonal().fit(frame, frame["target"])
    monkeypatch.setattr(numbers, "ZERO", 100.0)
    with pytest.raises(Incompatible, match="does not answer as the trained one"):
        pack(model, tmp_path / "package")


@pytest.mark.slow
def test_a_model_that_needs_what_is_not_packaged_fails_with_its_traceback(
    forecaster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(forecaster, "hidden", 1.0, raising=False)
    other = compile("lambda frame: frame['hour'] + hidden", "forecaster.py", "eval").co_consts[0]
    monkeypatch.setattr(forecaster.hours, "__code__", other)
    with pytest.raises(Incompatible, match=r"does not answer as the trained one|own process"):
        pack(forecaster.hours, tmp_path / "package")


def test_the_state_is_plain_json(forecaster: Any):
    frame = data()
    files = pack_object(forecaster.Seasonal().fit(frame, frame["target"]), SCRIPTS).files
    state = json.loads(files["state/state.json"])
    assert state["file"] == {"$": "path", "path": "factors.csv"}
    assert state["mixed"][4] == {"$": "tuple", "items": [1, {"$": "set", "items": [2]}]}
    assert not any(data.startswith(b"\x80") for data in files.values())


def test_the_errors_are_ours(forecaster: Any):
    for thing in (object(), circle := [], {1: object()}):
        if thing is circle:
            circle.append(circle)
        with pytest.raises(PlusoneError):
            pack_object(forecaster.Keeps(thing), SCRIPTS)


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


@pytest.mark.slow
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


@pytest.mark.slow
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
