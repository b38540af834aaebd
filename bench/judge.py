"""The judge of rollouts, simulated: how often it takes back what is as good, and how soon it finds what is not.

Each rollout has two releases under load, and a look every second. Most of them are computed by `judge_twin.py`, many
at once; on some the real `look` is run on the same counts, and the largest difference of their e-values is printed.
Sample sizes are the candidate's requests, from its first on; a fixed-size test has the same error rate and 80 % power,
and looks once, when it has all its requests.
"""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from statistics import NormalDist
from typing import Any

import numpy as np
from rich.table import Table

from plusone.base.rollouts import Evidence
from plusone.monitoring.judge import JudgeState, Judging, LabelEvidence, look
from plusone.monitoring.verdict import floor_of, forgiven_times

from . import judge_twin as twin

Array = np.ndarray[Any, Any]

SETTINGS = Judging()
BAR = 4 / SETTINGS.alpha
CAP = math.log(BAR) / 2
START, WIDTH = -110, 130  # bins of times: 73 microseconds to 5.7 s
NAMES = ("errors", "invalid", "labels", "latency")
POWER = 0.8
BIN = math.log(2) / 8


@dataclass(frozen=True)
class Scene:
    """How two releases behave, and how they are looked at; the second of a pair is the candidate."""

    name: str
    rollouts: int
    looks: int
    requests: float = 100.0  # a look
    share: float = 0.1
    errors: tuple[float, float] = (0.01, 0.01)
    invalid: float = 0.001
    labels: float = 0.3  # of the requests of a look
    wrong: float = 0.2
    slower: float = 1.0
    sigma: float = 0.5
    heavy: bool = False  # Student's t with 3 degrees of freedom in place of the normal distribution
    bursts: bool = False  # stretches in which both releases are slow and fail
    cold: int = 0  # looks at the start in which the candidate takes five times as long
    late: int = 0  # looks for which the candidate is as good as live, before it is not
    cycle: bool = False  # requests in a fixed order: each look has exactly as many errors
    tolerance: float = SETTINGS.latency_tolerance
    real: int = 0  # on how many of them the real judge looks, too
    only: tuple[str, ...] = NAMES
    power: bool = False  # whether it is over when enough are rolled back
    seed: int = 1


class Load:
    """The traffic of all rollouts of a scene, look by look."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.random = np.random.default_rng(scene.seed)
        self.at = -1
        self.burst = np.zeros(scene.rollouts)

    def second(self) -> dict[str, tuple[Array, Array]]:
        """Return for live and candidate: (how many, how many failed) of each kind, and histograms of times."""
        scene, random = self.scene, self.random
        self.at += 1
        many = random.poisson(scene.requests, scene.rollouts)
        own = random.binomial(many, scene.share)
        if scene.bursts:
            self.burst = 0.9 * self.burst + random.normal(size=scene.rollouts) * 0.25
            self.burst += (random.random(scene.rollouts) < 0.02) * 1.5
        rates, slower = scene.errors, scene.slower
        if self.at < scene.late:
            rates, slower = (rates[0], rates[0]), 1.0
        if self.at < scene.cold:
            slower *= 5
        found: dict[str, tuple[Array, Array]] = {}
        failed = [self._fail(side, rate) for side, rate in zip((many - own, own), rates, strict=True)]
        if scene.cycle:
            failed[1] = random.hypergeometric(many // 100, many - many // 100, own)
            failed[0] = many // 100 - failed[1]
        found["errors"] = _pairs((many - own, own), failed)
        answered = [many - own - failed[0], own - failed[1]]
        found["invalid"] = _pairs(answered, [random.binomial(side, scene.invalid) for side in answered])
        labelled = [random.binomial(side, scene.labels) for side in answered]
        found["labels"] = _pairs(labelled, [random.binomial(side, scene.wrong) for side in labelled])
        found["latency"] = (self._times(answered[0], 1.0), self._times(answered[1], slower))
        return found

    def _fail(self, many: Array, rate: float) -> Array:
        chance = np.clip(rate * np.exp(2 * np.maximum(self.burst, 0)), 0, 0.9)
        return self.random.binomial(many, chance)

    def _times(self, many: Array, slower: float) -> Array:
        rows = np.repeat(np.arange(len(many)), many)
        shape = self.random.standard_t(3, len(rows)) if self.scene.heavy else self.random.normal(size=len(rows))
        seconds = math.log(0.02 * slower) + self.scene.sigma * shape + self.burst[rows]
        places = np.clip(np.floor(seconds / BIN).astype(int) - START, 0, WIDTH - 1)
        return np.bincount(rows * WIDTH + places, minlength=len(many) * WIDTH).reshape(len(many), WIDTH)


def _pairs(many: Any, failed: Any) -> tuple[Array, Array]:
    first, second = (np.stack([a, b], 1).astype(float) for a, b in zip(many, failed, strict=True))
    return first, second


def simulate(scene: Scene) -> dict[str, Any]:
    """Return when each rollout of the scene was rolled back and why, and what was counted of the candidate by then."""
    settings = replace_setting(scene.tolerance)
    rows, load = scene.rollouts, Load(scene)
    tolerances = {"errors": 0.001, "invalid": 0.001, "labels": 0.01}
    judges: dict[str, Any] = {name: twin.Rates(rows, tolerances[name], CAP) for name in scene.only if name != "latency"}
    if "latency" in scene.only:
        judges["latency"] = twin.Times(rows, forgiven_times(settings), START, WIDTH, floor_of(settings), CAP)
    real = [_Real(settings) for _ in range(scene.real)]
    decided = {name: np.full(rows, -1) for name in scene.only}
    counted = {name: np.full(rows, np.inf) for name in scene.only}
    seen = {name: np.zeros(rows) for name in scene.only}
    apart = 0.0
    for at in range(scene.looks):
        more = load.second()
        for name, judge in judges.items():
            judge.look(*(side.astype(float) for side in more[name]))
            if name == "latency" and at < settings.warm_up_looks:
                judge.at_most(CAP)
            seen[name] += more[name][1].sum(1) if name == "latency" else more[name][1][:, 0]
            equal, tolerated = judge.logs()
            now = (equal >= math.log(BAR)) & (tolerated >= -math.log(SETTINGS.alpha_tolerated)) & (decided[name] < 0)
            decided[name][now] = at
            counted[name][now] = seen[name][now]
        for place, one in enumerate(real):
            apart = max(apart, one.look(more, place, judges))
        if scene.power and _is_known(counted[scene.only[0]], seen[scene.only[0]]):
            break
    back = np.stack(list(decided.values())) >= 0
    return {
        "scene": scene.name,
        "rollouts": rows,
        "looks": scene.looks,
        "back": int(back.any(0).sum()),
        "by": {name: int((found >= 0).sum()) for name, found in decided.items()},
        "samples": {name: _at_power(found) for name, found in counted.items()},
        "after": {name: _at_power(np.where(found < 0, np.inf, found + 1.0)) for name, found in decided.items()},
        "real": {"rollouts": len(real), "held": sum(one.held for one in real), "apart": apart}
        | {"disagree": sum(one.back != bool(back[:, place].any()) for place, one in enumerate(real))},
    }


def replace_setting(tolerance: float) -> Judging:
    """Return the default settings with another tolerance of times."""
    return Judging(latency_tolerance=tolerance)


class _Real:
    """One rollout as the control process judges it: cumulative evidence, `look`, a state."""

    def __init__(self, settings: Judging) -> None:
        self.settings = settings
        self.sides = (Evidence(), Evidence())
        self.labels = LabelEvidence()
        self.state: JudgeState | None = look(None, settings, *self.sides)[0]
        self.held = self.back = False

    def look(self, more: dict[str, tuple[Array, Array]], row: int, judges: dict[str, Any]) -> float:
        """Take a look at what came; return the largest difference of its log e-values to those of the twin."""
        self.sides = (_grown(self.sides[0], more, row, 0), _grown(self.sides[1], more, row, 1))
        live, own = ([int(n) for n in side[row]] for side in more["labels"])
        told = self.labels
        self.labels = LabelEvidence(
            live=told.live + live[0],
            live_wrong=told.live_wrong + live[1],
            candidate=told.candidate + own[0],
            candidate_wrong=told.candidate_wrong + own[1],
        )
        self.state, verdict = look(self.state, self.settings, *self.sides, self.labels)
        self.held |= verdict.action == "hold"
        self.back |= verdict.action == "roll back"
        pairs = [
            (log, float(twin_logs[row]))
            for name, judge in judges.items()
            for log, twin_logs in zip(getattr(self.state, name).evidence(), judge.logs(), strict=True)
        ]
        return max(abs(first - second) for first, second in pairs)


def _grown(before: Evidence, more: dict[str, tuple[Array, Array]], row: int, side: int) -> Evidence:
    requests, errors = (int(n) for n in more["errors"][side][row])
    times = more["latency"][side][row]
    latency = dict(before.latency)
    for place in np.flatnonzero(times).tolist():
        latency[str(place + START)] = latency.get(str(place + START), 0) + int(times[place])
    # The answers follow the times: eight kinds, the same for both releases.
    outputs = dict(before.outputs)
    for kind in range(8):
        outputs[str(kind)] = outputs.get(str(kind), 0) + int(times[kind::8].sum())
    return Evidence(
        requests=before.requests + requests,
        errors=before.errors + errors,
        rows=before.rows + requests - errors,
        invalid=before.invalid + int(more["invalid"][side][row][1]),
        latency=latency,
        outputs={key: count for key, count in outputs.items() if count},
    )


def _is_known(counted: Array, seen: Array) -> bool:
    """Whether no rollout that goes on could still change what 80 % needed."""
    needed = _at_power(counted)
    return needed is not None and bool((seen[~np.isfinite(counted)] >= needed).all())


def _at_power(values: Array) -> float | None:
    """Return the value that 80 % of the rollouts needed at most; None when fewer were rolled back."""
    found = float(np.sort(values)[math.ceil(POWER * len(values)) - 1])
    return found if math.isfinite(found) else None


# ---------------------------------------------------------------------------------------------- fixed-size tests


def fixed_rates(live: float, candidate: float, share: float, alpha: float) -> float:
    """Return the candidate's requests that the one-sided z-test of two proportions needs for 80 % power.

    Fleiss, Levin & Paik (2003), "Statistical Methods for Rates and Proportions", section 4.2, without correction for
    continuity; live has (1 - share) / share times as many.
    """
    more = (1 - share) / share
    both = (candidate + more * live) / (1 + more)
    first = NormalDist().inv_cdf(1 - alpha) * math.sqrt(both * (1 - both) * (1 + 1 / more))
    second = NormalDist().inv_cdf(POWER) * math.sqrt(candidate * (1 - candidate) + live * (1 - live) / more)
    return ((first + second) / (candidate - live)) ** 2


def fixed_times(deviation: float, shift: float, share: float, alpha: float) -> float:
    """Return the candidate's requests that the one-sided two-sample z-test of mean log time needs for 80 % power."""
    spread = NormalDist().inv_cdf(1 - alpha) + NormalDist().inv_cdf(POWER)
    return (spread * deviation / shift) ** 2 / (1 - share)


# ---------------------------------------------------------------------------------------------- scenes

EQUAL = Scene("nothing differs", 1000, 300, real=8)
ALARMS = (
    EQUAL,
    replace(EQUAL, seed=2, real=0),
    Scene("bursts that hit both", 200, 120, bursts=True, seed=3),
    Scene("10 requests a look", 200, 300, requests=10, seed=4),
    Scene("1,000 requests a look", 100, 60, requests=1000, seed=5),
    Scene("half of the traffic", 200, 120, share=0.5, seed=6),
    Scene("requests in a fixed cycle", 200, 120, cycle=True, seed=7),
    Scene("cold for 5 looks: 5 times as slow", 200, 120, cold=5, seed=8),
    Scene("cold for 8 looks: 5 times as slow", 200, 60, cold=8, seed=9),
    Scene("5 % slower", 200, 300, slower=1.05, only=("latency",), seed=10),
    Scene("9.05 % slower: the most that is tolerated", 200, 300, slower=2**0.125, only=("latency",), seed=11),
    Scene("5 % slower, times within 2 %", 200, 300, slower=1.05, sigma=0.02, only=("latency",), seed=12),
)
ERRORS = Scene("errors 1 % -> 3 %", 800, 400, errors=(0.01, 0.03), only=("errors",), power=True, seed=20)
LATENCY = Scene("times +30 %, log-normal", 2000, 120, slower=1.3, only=("latency",), power=True, seed=21)
HEAVY = Scene(
    "times +30 %, heavy tail (t, 3 df)", 600, 160, slower=1.3, heavy=True, only=("latency",), power=True, seed=22
)
POWERS = (
    ERRORS,
    replace(ERRORS, name="errors 0 -> 2 %", errors=(0.0, 0.02), seed=23),
    replace(ERRORS, name="errors 1 % -> 3 %, 1,000 requests a look", requests=1000, looks=60, rollouts=300, seed=24),
    replace(ERRORS, name="errors 1 % -> 3 %, 10 requests a look", requests=10, looks=3000, rollouts=300, seed=25),
    replace(ERRORS, name="all fail", errors=(0.01, 1.0), rollouts=200, looks=20, seed=26),
    LATENCY,
    replace(LATENCY, name=f"{LATENCY.name}, nothing tolerated", tolerance=0.0, seed=27),
    HEAVY,
    replace(HEAVY, name=f"{HEAVY.name}, nothing tolerated", tolerance=0.0, seed=28),
    replace(LATENCY, name="times +30 %, bursts", bursts=True, rollouts=600, seed=29),
    replace(LATENCY, name="times x 2", slower=2.0, rollouts=200, seed=30),
    replace(ERRORS, name="errors 1 % -> 3 % after 300 looks", late=300, looks=800, rollouts=300, seed=31),
    replace(LATENCY, name="times +30 % after 300 looks", late=300, looks=500, rollouts=300, seed=32),
)


def measure() -> dict[str, Any]:
    """Simulate all scenes in two processes."""
    scenes = (*ALARMS, *POWERS)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = list(pool.map(simulate, scenes))
    first = {**found[0]}
    for key in ("rollouts", "back"):
        first[key] += found[1][key]
    first["by"] = {name: first["by"][name] + found[1]["by"][name] for name in NAMES}
    return {"alarms": [first, *found[2 : len(ALARMS)]], "power": found[len(ALARMS) :], "naive": naive()}


def alarms(result: dict[str, Any]) -> Table:
    """Return how often candidates that are no worse were rolled back."""
    made = Table(
        title="rolled back though no worse, or no worse than is tolerated",
        caption=f"up to: 95 % bound of the share (Clopper-Pearson); stated: {SETTINGS.alpha:.0%} with no difference "
        f"(bar {BAR:.0f}), {SETTINGS.alpha_tolerated:.0%} within the tolerance",
    )
    for heading in ("", "rollouts", "looks", "rolled back", "share", "up to", *NAMES):
        made.add_column(heading, justify="left" if not heading else "right")
    for one in result["alarms"]:
        made.add_row(
            one["scene"],
            f"{one['rollouts']:,}",
            str(one["looks"]),
            str(one["back"]),
            f"{one['back'] / one['rollouts']:.1%}",
            f"{upper(one['back'], one['rollouts']):.1%}",
            *(str(one["by"].get(name, "")) for name in NAMES),
        )
    return made


def powers(result: dict[str, Any]) -> Table:
    """Return how many requests of the candidate the judge needs, and how many a test of fixed size."""
    alpha = SETTINGS.alpha / 4
    made = Table(
        title="requests of the candidate until 80 % of the rollouts are rolled back",
        caption=f"fixed: a test that looks once, of the same error rate ({alpha:.2%}) and power, of 'no difference'; "
        "with tolerance: of 'no more than is tolerated'. Bar: 3 times",
    )
    for heading in ("", "looks", "requests", "fixed", "ratio", "fixed with tolerance", "ratio"):
        made.add_column(heading, justify="left" if not heading else "right")
    for scene, one in zip(POWERS, result["power"], strict=True):
        name = scene.only[0]
        needed, looks = one["samples"][name], one["after"][name]
        made.add_row(scene.name, _number(looks and looks - scene.late), *_ratios(scene, needed, alpha))
    return made


def _ratios(scene: Scene, needed: float | None, alpha: float) -> list[str]:
    if scene.late or needed is None:
        return ["", "", "", "", ""]
    if scene.only == ("errors",):
        low, high = scene.errors
        allowed = low + SETTINGS.errors_tolerance * (1 - low)
        plain, tolerant = (fixed_rates(rate, high, scene.share, alpha) for rate in (low, allowed))
    else:
        deviation = math.sqrt(_variance(scene))
        shift = math.log(scene.slower)
        plain = fixed_times(deviation, shift, scene.share, alpha)
        tolerant = fixed_times(deviation, shift - _tolerated(scene), scene.share, alpha)
    said = [f"{needed:,.0f}"]
    for other in (plain, tolerant):
        said += [f"{other:,.0f}", f"{needed / other:.2f}"]
    return said


def _tolerated(scene: Scene) -> float:
    """Return what is tolerated of the log times of a scene, at their median of 20 ms."""
    settings = replace_setting(scene.tolerance)
    slow = math.floor(math.log(0.02 * scene.slower) / BIN)
    return BIN * (slow - forgiven_times(settings)(slow))


def _variance(scene: Scene) -> float:
    own = scene.sigma**2 * (3 if scene.heavy else 1)
    # The bursts: an autoregression with 0.9, of noise 0.25^2 and jumps of 1.5 at one look in fifty.
    return own + ((0.25**2 + 0.02 * 0.98 * 1.5**2) / (1 - 0.81) if scene.bursts else 0.0)


def _number(value: float | None) -> str:
    return "not reached" if value is None else f"{value:,.0f}"


def upper(hits: int, trials: int) -> float:
    """Return the upper end of the one-sided 95 % interval of Clopper & Pearson (1934), by bisection."""
    low, high = hits / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        few = (
            sum(
                math.exp(
                    math.lgamma(trials + 1)
                    - math.lgamma(k + 1)
                    - math.lgamma(trials - k + 1)
                    + k * math.log(middle)
                    + (trials - k) * math.log1p(-middle)
                )
                for k in range(hits + 1)
            )
            if 0 < middle < 1
            else 0.0
        )
        low, high = (middle, high) if few > 0.05 else (low, middle)
    return high


def naive() -> float:
    """Return the share of equal candidates that a z-test of errors at 5 % calls worse, at one of the 300 looks."""
    load, totals = Load(EQUAL), np.zeros((2, EQUAL.rollouts, 2))
    worse = np.zeros(EQUAL.rollouts, bool)
    for _ in range(EQUAL.looks):
        many = load.random.poisson(EQUAL.requests, EQUAL.rollouts)
        own = load.random.binomial(many, EQUAL.share)
        for side, asked in enumerate((many - own, own)):
            totals[side] += np.stack([asked, load.random.binomial(asked, EQUAL.errors[side])], 1)
        asked, failed = np.maximum(totals[:, :, 0], 1), totals[:, :, 1]
        both = failed.sum(0) / asked.sum(0)
        deviation = np.sqrt(both * (1 - both) * (1 / asked).sum(0))
        worse |= failed[1] / asked[1] - failed[0] / asked[0] > NormalDist().inv_cdf(0.95) * np.maximum(deviation, 1e-9)
    return float(worse.mean())


def lines(result: dict[str, Any]) -> list[str]:
    """Return what the tables do not say."""
    real = result["alarms"][0]["real"]
    said = (
        f"the real judge looked at {real['rollouts']} of these rollouts, {EQUAL.looks} times each, and at the answers: "
        f"its log e-values differ from the simulation's by {real['apart']:.1g} at most, {real['disagree']} verdicts "
        f"differ, {real['held']} were held"
    )
    return [
        said,
        f"a z-test of errors at 5 %, done at each look, calls {result['naive']:.0%} of equal candidates worse",
    ]
