"""Every format with every kind of input: packaged, proven, served by a real worker, and asked over HTTP.

A cell that can't run on this machine is reported as 'not run' with the reason; one that no format takes has its reason
in the list. None is left out in silence.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from plusone import packaging
from plusone.base.config import Serve
from plusone.base.records import ModelRoute, Package, RouteFile, RouteTarget
from plusone.proving.prove import Trained
from plusone.trust.published import write_trusted
from plusone.workers import routes
from plusone.workers.supervisor import Supervisor, stop_workers
from tests.matrix.cells import CELLS, Cell, missing, table
from tests.matrix.formats import COMPILED, FORMATS, NATIVE, frame_of
from tests.matrix.inputs import INPUTS
from tests.packaged import one_thread
from tests.serving.serving_folder import ask, until

__all__ = ["one_thread"]

RUN = [cell for cell in CELLS if cell.runs]


class Made(NamedTuple):
    """What became of a cell: its package, and what its trained model answers to the rows that are asked."""

    package: Package
    expected: list[Any]
    probabilities: list[list[float]] | None
    rows: list[dict[str, Any]]


class Served:
    """One worker that serves the cells that were asked for so far: each process of tests has its own."""

    def __init__(self, root: Path) -> None:
        self._root, self._serving = root, root / "serving"
        self._models: dict[str, ModelRoute] = {}
        self._trusted: list[str] = []
        self._made: dict[str, Made] = {}
        self._publish()
        self.supervisor = Supervisor(self._serving, Serve(port=0, workers=1))

    @property
    def port(self) -> int:
        return self.supervisor.port

    def add(self, cell: Cell) -> Made:
        """Train, package and prove the cell's model, and wait until it is served; once for each cell."""
        name = model_name(cell)
        if name in self._made:
            return self._made[name]
        made, digest = make(cell, self._root / "made" / name)
        shutil.move(self._root / "made" / name, self._serving / "packages" / digest)
        target = RouteTarget(
            release=1, digest=digest, package=digest, folder=f"packages/{digest}", share=1.0, shadow=0.0, stage="live"
        )
        self._models[name] = ModelRoute(version=1, targets=(target,))
        if "types" in made.package.options:
            # What a person does who knows where the package comes from: `plusone trust`.
            self._trusted.append(digest)
        self._made[name] = made
        self._publish()
        served = f"/v2/models/{name}/ready"
        until(lambda: ask(self.port, "GET", served, None)[0] == 200, name, poll=self.supervisor.poll, seconds=300)
        return made

    def _publish(self) -> None:
        write_trusted(self._serving, self._trusted)
        routes.publish(self._serving, RouteFile(sequence=len(self._models) + 1, models=self._models))


def model_name(cell: Cell) -> str:
    """A model's name for a cell."""
    return f"cell-{CELLS.index(cell)}"


def make(cell: Cell, folder: Path) -> tuple[Made, str]:
    """Train, package and prove the cell's model; return what it answers and its package's digest."""
    data, form = cell.input.make(), cell.format
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # small data makes libraries talk
        model = form.fit(data, cell.input.name)
    more: Any = form.packs() | ({"media": data.media} if data.media else {})
    package, digest = packaging.pack(
        model,
        name=model_name(cell),
        target=form.target,
        features=data.features,
        train=data.table,
        environment=f"numpy=={np.__version__}\n",
        flavour=form.flavour,
        folder=folder,
        **more,
    )
    if form.expects is not None:
        return Made(package, form.expects(model, data), None, data.rows), digest
    if cell.way == NATIVE:
        answers = np.asarray(getattr(model, "predict", model)(frame_of(data, len(data.rows))))
        return Made(package, answers.tolist(), None, data.rows), digest
    opened = packaging.building.open_model(model, [False, True])
    few = data.table.slice(0, len(data.rows))
    if opened.settle is not None:
        rows = Trained(opened.trained, data.features, form.flavour).frame(few)
        opened = opened.settle(package.signature.fields, rows)
    asked = Trained(opened.trained, data.features, form.flavour)
    probabilities = asked.probabilities(few)
    answers = np.asarray(asked.answers(few))
    return Made(package, answers.tolist(), None if probabilities is None else probabilities.tolist(), data.rows), digest


@pytest.fixture(scope="module")
def served(one_thread: None) -> Iterator[Served]:
    root = Path(tempfile.mkdtemp(prefix="plusone-matrix-"))
    served = Served(root)
    try:
        served.supervisor.start()
        yield served
    finally:
        served.supervisor.stop(timeout_s=5.0)
        stop_workers(root / "serving", timeout_s=1.0)
        shutil.rmtree(root)


@pytest.mark.slow
@pytest.mark.parametrize("cell", RUN, ids=lambda cell: cell.name)
def test_a_cell_is_packaged_proven_served_and_asked(cell: Cell, request: pytest.FixtureRequest) -> None:
    if reason := missing(cell):
        pytest.skip(f"not run: {cell.name}: {reason}")
    served: Served = request.getfixturevalue("served")
    made = served.add(cell)
    assert (made.package.format == "onnx") == (cell.way == COMPILED)
    assert made.package.proof["rows"] > 0
    if cell.way == COMPILED:
        assert made.package.proof["edges"]["rows"] >= 0
    status, _, body = ask(served.port, "POST", f"/models/{model_name(cell)}/predict", json.dumps({"rows": made.rows}))
    assert status == 200, body
    answers = json.loads(body)["predictions"]
    assert len(answers) == len(made.expected) == len(made.rows)
    for answer, expected, place in zip(answers, made.expected, range(len(answers)), strict=True):
        check(answer, expected, None if made.probabilities is None else made.probabilities[place])


_RANKED = [cell for cell in RUN if cell.way == NATIVE and cell.input.name == "tensor" and cell.format.target is None]


@pytest.mark.slow
@pytest.mark.parametrize("cell", _RANKED, ids=lambda cell: cell.name)
def test_plain_python_ranks_what_comes_as_a_tensor_of_the_open_inference_protocol(cell: Cell, served: Served) -> None:
    made = served.add(cell)
    (field,) = made.package.signature.fields
    values = np.array([row[field.name] for row in made.rows], dtype=np.float32)
    tensor = {"name": field.name, "shape": list(values.shape), "datatype": "FP32", "data": values.ravel().tolist()}
    status, _, body = ask(served.port, "POST", f"/v2/models/{model_name(cell)}/infer", json.dumps({"inputs": [tensor]}))
    assert status == 200, body
    items, scores = json.loads(body)["outputs"]
    assert (items["name"], items["datatype"], items["shape"]) == ("answer", "BYTES", [len(made.rows), 2])
    assert (scores["name"], scores["datatype"], scores["shape"]) == ("scores", "FP64", [len(made.rows), 2])
    assert items["data"] == [one["item"] for ranking in made.expected for one in ranking]
    assert scores["data"] == pytest.approx([one["score"] for ranking in made.expected for one in ranking], rel=1e-6)


def check(answer: Any, expected: Any, probabilities: list[float] | None) -> None:
    """Compare one answer, as JSON has it, with what the trained model answers."""
    if isinstance(expected, list) and expected and isinstance(expected[0], dict):
        assert [one["item"] for one in answer] == [one["item"] for one in expected]
        assert [one["score"] for one in answer] == pytest.approx([one["score"] for one in expected], rel=1e-4)
    elif isinstance(expected, list) and isinstance(answer, dict) and isinstance(answer.get("label"), dict):
        assert list(answer["label"].values()) == expected
        if probabilities is not None:
            shares = [share for one in answer["probabilities"].values() for share in one.values()]
            assert shares == pytest.approx(probabilities, abs=1e-5)
    elif isinstance(expected, list):
        found = list(answer.values()) if isinstance(answer, dict) else answer
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
    elif isinstance(answer, dict):
        assert answer["label"] == expected
        if probabilities is not None:
            assert list(answer["probabilities"].values()) == pytest.approx(probabilities, abs=1e-5)
    elif isinstance(expected, float) and not isinstance(answer, bool):
        assert math.isclose(answer, expected, rel_tol=1e-4, abs_tol=1e-5)
    else:
        assert answer == expected


def test_every_format_says_something_of_every_kind_of_input() -> None:
    assert len(CELLS) == len(FORMATS) * len(INPUTS)
    assert len({cell.name for cell in CELLS}) == len(CELLS)
    for form in FORMATS:
        assert list(form.takes) == [one.name for one in INPUTS], form.name
    for cell in CELLS:
        assert cell.runs or len(cell.way) > 10, f"{cell.name}: say why it takes none"


def test_what_can_not_run_here_says_why() -> None:
    absent = CELLS[0]._replace(format=FORMATS[0]._replace(needs=("no_such_module",)))
    assert missing(absent) == "no_such_module is not installed"
    absent = CELLS[0]._replace(format=FORMATS[0]._replace(needs=("plusone.no_such_room.module",)))
    assert missing(absent) == "plusone.no_such_room.module is not in this version"


def test_the_table_has_every_cell_of_this_version() -> None:
    lines = [line for line in table().splitlines() if line.startswith("| scikit-learn: a tree |")]
    assert len(lines) == 1
    assert lines[0].count(COMPILED) == 7
    named = {line.split(" | ")[0].removeprefix("| ") for line in table().splitlines() if line.startswith("| ")}
    assert {form.name for form in FORMATS if not any(map(absent, form.needs))} <= named


def absent(module: str) -> bool:
    """Whether a module of plusone is not in this version."""
    return module.startswith("plusone.") and bool(
        missing(CELLS[0]._replace(format=FORMATS[0]._replace(needs=(module,))))
    )
