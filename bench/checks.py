"""The checks, simulated: how often each says what is not so, and whether the rows that it names are enough.

Models are columns of numbers here, drawn with a difference that is known; what judges them is what `plusone.check` and
the built-in checks use. `scale` makes it smaller, for tests.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np
import pyarrow as pa
from rich.table import Table

from plusone.measuring.searching import halves, search
from plusone.measuring.slicing import sliced
from plusone.measuring.timing import paired_times
from plusone.statistics import estimates, intervals, metrics
from plusone.statistics.bootstrap import Interval
from plusone.statistics.calibration import calibration_error
from plusone.statistics.medians import of_median
from plusone.statistics.power import rows_for
from plusone.statistics.proportions import newcombe

Array = np.ndarray[Any, Any]
RUNS = 1000
MARGIN_RATE, POWER, FAMILY = 0.05, 0.8, 0.05
"""The bars: passed at the margin at most, passed with the rows named at least, any false alarm at most."""


@dataclass(frozen=True)
class Pair:
    """Two models on rows of one kind: `draw(generator, rows, apart)` gives truth, candidate, live.

    `apart` is how much noisier the candidate is: 0 for none.
    """

    name: str
    metric: str
    draw: Callable[[np.random.Generator, int, float], tuple[Array, Array, Array]]
    rows: tuple[int, ...]
    apart: float


def _scores(positive: float) -> Callable[[np.random.Generator, int, float], tuple[Array, Array, Array]]:
    def draw(generator: np.random.Generator, rows: int, apart: float) -> tuple[Array, Array, Array]:
        truth = (generator.random(rows) < positive).astype(int)
        truth[:6] = 1  # without any there is nothing to measure
        shared = 1.2 * truth + generator.normal(size=rows)

        def one(noise: float) -> Array:
            odds = 1.2 * (shared + noise * generator.normal(size=rows) - 0.6) / (1 + noise**2)
            chance = 1 / (1 + np.exp(-odds - np.log(positive / (1 - positive))))
            return np.stack([1 - chance, chance], axis=1)

        return truth, one(0.4 + apart), one(0.4)

    return draw


def _labels(off: float) -> Callable[[np.random.Generator, int, float], tuple[Array, Array, Array]]:
    def draw(generator: np.random.Generator, rows: int, apart: float) -> tuple[Array, Array, Array]:
        place = generator.random(rows)
        ours, theirs = place < off / 2 + apart, place > 1 - off / 2
        return np.zeros(rows, int), ours.astype(int), theirs.astype(int)

    return draw


def _numbers(tails: bool) -> Callable[[np.random.Generator, int, float], tuple[Array, Array, Array]]:
    def draw(generator: np.random.Generator, rows: int, apart: float) -> tuple[Array, Array, Array]:
        truth = generator.normal(size=rows)
        error = generator.standard_t(3, rows) if tails else generator.normal(size=rows)
        ours, theirs = (truth + 0.7 * error + s * generator.normal(size=rows) for s in (0.3 + apart, 0.3))
        return truth, ours, theirs

    return draw


PAIRS = (
    Pair("half positive", "roc_auc", _scores(0.5), (60, 300), 0.4),
    Pair("1 in 20 positive", "roc_auc", _scores(0.05), (200, 1000), 0.4),
    Pair("half positive", "brier", _scores(0.5), (60, 300), 0.4),
    Pair("1 in 3 positive", "log_loss", _scores(0.33), (60, 300), 0.4),
    Pair("4 in 100 differ", "accuracy", _labels(0.02), (60, 200, 1000), 0.02),
    Pair("2 in 100 differ", "accuracy", _labels(0.0), (60, 200, 1000), 0.02),
    Pair("normal errors", "rmse", _numbers(False), (60, 300), 0.3),
    Pair("Student's errors (3)", "rmse", _numbers(True), (60, 300), 0.3),
    Pair("Student's errors (3)", "mae", _numbers(True), (60, 300), 0.3),
)
POWERED = (0, 4, 6, 8)
"""Which of the pairs the named rows are tried on."""


def _compare(pair: Pair, generator: np.random.Generator, rows: int, apart: float, seed: int) -> Interval:
    metric = metrics.find(pair.metric)
    return intervals.of_difference(metric, *pair.draw(generator, rows, apart), seed=seed)


def _true_difference(pair: Pair) -> float:
    """What the candidate is worse by, from two million rows."""
    if pair.metric == "accuracy":
        return pair.apart
    generator = np.random.default_rng(0)
    metric = metrics.find(pair.metric)
    sign = 1.0 if metric.higher_is_better else -1.0
    found: list[float] = []
    for _ in range(40):
        truth, ours, theirs = pair.draw(generator, 50_000, pair.apart)
        found.append(sign * (metrics.value(metric, truth, theirs) - metrics.value(metric, truth, ours)))
    return float(np.mean(found))


def at_the_margin(place: int, rows: int, runs: int) -> float:
    """The share of runs that pass, though the candidate is worse by the margin."""
    pair = PAIRS[place]
    margin = _true_difference(pair)
    generator = np.random.default_rng(rows)
    return float(np.mean([_compare(pair, generator, rows, pair.apart, run).low >= -margin for run in range(runs)]))


def with_rows_named(place: int, rows: int, runs: int) -> tuple[float, float]:
    """The share of runs that pass with as many rows as a first look named, and how many those were on average.

    At no difference, by a margin that needs some three times the rows of the first look.
    """
    pair = PAIRS[place]
    generator = np.random.default_rng(rows + 1)
    errors = [_compare(pair, generator, rows, 0.0, run).error for run in range(20)]
    margin = 1.6 * float(np.mean(errors))
    passed: list[bool] = []
    named: list[int] = []
    for run in range(runs):
        needed = rows_for(_compare(pair, generator, rows, 0.0, run), rows, margin)
        if needed is None:
            continue
        named.append(needed)
        passed.append(_compare(pair, generator, needed, 0.0, run).low >= -margin)
    return float(np.mean(passed)), float(np.mean(named))


def _frame(generator: np.random.Generator, rows: int) -> pa.Table:
    words = {f"c{size}": generator.integers(0, size, rows).astype(str) for size in (3, 8, 20)}
    return pa.table({**words, **{f"n{place}": generator.normal(size=rows) for place in range(4)}})


def family(kind: str, rows: int, runs: int) -> float:
    """The share of runs in which any slice is called worse, though none is: margins 0, losses that are skewed."""
    generator = np.random.default_rng(rows)
    alarms = 0
    for run in range(runs):
        table = _frame(generator, rows)
        wrong = generator.random(rows) < 0.2
        chance = np.where(wrong, 0.3, 0.8) + 0.1 * generator.normal(size=(2, rows))
        if kind == "accuracy":
            values = (chance[0] > 0.5).astype(float) - (chance[1] > 0.5)
        else:
            values = (1 - chance[1]) ** 2 - (1 - chance[0]) ** 2
        slicings = [sliced(table, name) for name in table.column_names]
        if kind == "searched":
            looked = halves(rows, run)
            parts = [one.rows & ~looked for one in search(slicings, values, looked, 0.0, 25)]
        else:
            parts = [one.rows(at) for one in slicings for at in range(len(one.labels))]
        parts = [part for part in parts if part.sum() >= 25]
        chances = [_chance(values[part], binary=kind == "accuracy") for part in parts]
        alarms += any(estimates.holm(chances, 0.025))
    return alarms / runs


def _chance(values: Array, *, binary: bool) -> float:
    if not binary:
        return estimates.from_mean(values, effective=int((values != 0).sum())).chance(0.0)
    rows = np.zeros(len(values), int)
    return estimates.difference(
        metrics.find("accuracy"), rows, (values < 0).astype(int), (values > 0).astype(int)
    ).chance(0.0)


def calibrated(rows: int, runs: int) -> float:
    """The share of runs in which probabilities that are off by just the bound are called worse, or are called better:
    the larger of the two.
    """
    generator = np.random.default_rng(rows)
    worse = better = 0
    for run in range(runs):
        true = generator.beta(2, 3, rows) * 0.95
        seen = (generator.random(rows) < true).astype(float)
        found = calibration_error(true + 0.05, seen, seed=run)
        worse += found.low > 0.05
        better += found.high < 0.05
    return max(worse, better) / runs


def fair(rows: int, runs: int) -> float:
    """The share of runs in which five groups with rates of 0.3 are called unequal by more than 0."""
    generator = np.random.default_rng(rows)
    level, wrong = 1 - 0.05 / 10, 0
    for _ in range(runs):
        hits = generator.binomial(rows // 5, 0.3, 5).tolist()
        ends = [
            newcombe((first, rows // 5), (second, rows // 5), level)
            for at, first in enumerate(hits)
            for second in hits[at + 1 :]
        ]
        wrong += any(low > 0 or high < 0 for low, high in ends)
    return wrong / runs


def fast(runs: int) -> dict[str, float]:
    """How often equal work is called more than 1.2 times as slow on this machine, and work of twice the size is."""
    small, large = np.arange(3_000.0), np.arange(6_000.0)
    called = {"equal": 0, "twice": 0}
    for run in range(runs):
        for name, other in (("equal", small), ("twice", large)):
            pairs = paired_times(
                lambda other=other: np.sort(other[::-1]), lambda: np.sort(small[::-1]), budget_s=0.05, seed=run
            )
            called[name] += of_median([pair.ratio for pair in pairs])[1] > 1.2
    return {name: count / runs for name, count in called.items()}


def measure(runs: int = RUNS) -> dict[str, Any]:
    """Return every rate, with `runs` runs of each."""
    jobs: dict[str, Any] = {}
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for place, pair in enumerate(PAIRS):
            for rows in pair.rows:
                jobs[f"no_worse, {pair.metric}, {pair.name}, {rows} rows"] = pool.submit(
                    at_the_margin, place, rows, runs
                )
        powers = {
            (place, rows): pool.submit(with_rows_named, place, rows, max(runs // 3, 1))
            for place in POWERED
            for rows in PAIRS[place].rows[-1:]
        }
        for kind in ("brier", "accuracy", "searched"):
            for rows in (500, 4000):
                jobs[f"slices, {kind}, {rows} rows"] = pool.submit(family, kind, rows, runs)
        for rows in (200, 2000):
            jobs[f"calibrated, {rows} rows"] = pool.submit(calibrated, rows, runs)
            jobs[f"fair, {rows} rows"] = pool.submit(fair, rows, runs)
        rates = {name: job.result() for name, job in jobs.items()}
        named = {
            f"{PAIRS[place].metric}, {PAIRS[place].name}, {rows} rows at first": job.result()
            for (place, rows), job in powers.items()
        }
    return {"runs": runs, "rates": rates, "power": named, "fast": fast(max(runs // 5, 10))}


def table(result: dict[str, Any]) -> Table:
    """Return every rate beside its bar."""
    shown = Table(title=f"the checks, {result['runs']} runs of each")
    for name in ("check", "rate", "bar", ""):
        shown.add_column(name)
    for name, rate in result["rates"].items():
        what = "passes at the margin" if name.startswith("no_worse") else "wrong"
        shown.add_row(f"{name}: {what}", f"{rate:.3f}", f"at most {MARGIN_RATE:g}", _held(rate <= MARGIN_RATE))
    for name, (rate, rows) in result["power"].items():
        text = f"no_worse, {name}: passes with the {rows:,.0f} rows named"
        shown.add_row(text, f"{rate:.3f}", f"at least {POWER:g}", _held(rate >= POWER))
    equal, twice = result["fast"]["equal"], result["fast"]["twice"]
    shown.add_row(
        "fast: equal work called slower", f"{equal:.3f}", f"at most {MARGIN_RATE:g}", _held(equal <= MARGIN_RATE)
    )
    shown.add_row("fast: twice the work called slower", f"{twice:.3f}", f"at least {POWER:g}", _held(twice >= POWER))
    return shown


def _held(true: bool) -> str:
    return "held" if true else "MISSED"
