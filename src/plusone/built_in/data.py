"""Plusone's own checks of the data, before training: held against that of the live release, and in itself.

Every source of the model and its training data are looked at; what lies between them is made of the one and shows in
the other. What is wrong is recorded, finding by finding; a check fails if one of its findings does.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from ..checks.built_in import BuiltIn, Given
from ..measuring.figures import bars, histograms
from ..measuring.outcomes import CheckFailed, NotApplicable, record, warn

if TYPE_CHECKING:
    from ..base.records import Learning
    from ..data.views import TableView
    from ..expectations.findings import Finding, Pair

__all__ = ["NAMES", "checks"]

_SHOWN = 3
_HISTOGRAMS = 3
_BARS = 30
_BEFORE = (
    "columns", "ranges", "nulls", "categories", "units", "rows", "gaps", "history", "links", "shift", "label",
)  # fmt: skip
"""What takes a table to compare with."""
NAMES = (*_BEFORE, "duplicates", "constant", "leakage", "overlap")


def checks(given: Given) -> Iterable[BuiltIn]:
    """Return the checks of the tables that the model learns from; none in the session on the model."""
    if given.context.subject != "data":
        return
    for name in _tables(given):
        table = _Table(given, name)
        training = name == given.learning.inputs[0]
        for kind in _BEFORE:
            if kind != "label" or given.learning.targets:
                yield BuiltIn(f"{kind}[{name}]", partial(_against, table, kind))
        yield BuiltIn(f"duplicates[{name}]", partial(_duplicates, table))
        if training:
            yield BuiltIn(f"constant[{name}]", partial(_constant, table))
            if given.learning.targets:
                yield BuiltIn(f"leakage[{name}]", partial(_leakage, table))
            for holdout in given.holdouts:
                yield BuiltIn(f"overlap[{holdout}]", partial(_overlap, table, holdout))


def _tables(given: Given) -> list[str]:
    """Return the names of the tables to look at: the training data first, then the other inputs and the sources."""
    learning = given.learning
    names = dict.fromkeys((*learning.inputs, *learning.sources))
    return [name for name in names if name in given.outputs and given.outputs[name].kind in ("table", "arrays")]


class _Table:
    """One table of this run and the one of the same name that the live release was made with."""

    def __init__(self, given: Given, name: str) -> None:
        self.given = given
        self.name = name

    @cached_property
    def now(self) -> TableView:
        from ..data.views import TableView

        return TableView(self.given.table(self.name))

    @cached_property
    def before(self) -> TableView | None:
        """The table of the live release; None when none is live, it had no such table, or its bytes are gone."""
        from ..base.errors import BrokenArtifact, NotFound
        from ..data.views import TableView

        known = self.given.before.get(self.name)
        if known is None or known.kind not in ("table", "arrays"):
            return None
        try:
            return TableView(self.given.table_before(self.name))
        except (BrokenArtifact, NotFound):
            return None

    @property
    def is_same(self) -> bool:
        """Whether it is the very table that the live release was made with."""
        known = self.given.before.get(self.name)
        return known is not None and known.digest == self.given.outputs[self.name].digest

    @cached_property
    def pair(self) -> Pair:
        """Both, to be compared.

        Raises:
            NotApplicable: there is nothing to compare with; the message says why.
        """
        from ..expectations.findings import Pair

        given = self.given
        if self.before is None:
            if not given.before:
                raise NotApplicable("no release is live yet: there is nothing to compare with")
            if self.name not in given.before:
                raise NotApplicable(f"the live release was made without {self.name}: there is nothing to compare with")
            raise NotApplicable(f"the data of the live release was freed by gc: nothing is left of {self.name}")
        return Pair(self.now, self.before, self._learning, given.settings)

    @cached_property
    def _learning(self) -> Learning:
        """What the model learns; in a source every column counts, for what is made of it is not known."""
        from ..base.records import Learning

        learning = self.given.learning
        if self.name in learning.inputs[:1]:
            return learning
        return Learning(targets=tuple(name for name in learning.targets if name in self.now.columns))


def _against(table: _Table, kind: str) -> None:
    from ..expectations.comparing import COMPARISONS

    pair = table.pair
    if table.is_same:
        record({"check": kind, "rows": table.now.rows, "message": "the data is that of the live release, byte by byte"})
        return
    if kind == "label" and not pair.learning.targets:
        raise NotApplicable(f"{table.name} has no column that the model answers")
    found = list(COMPARISONS[kind](pair))
    if kind in ("shift", "label"):
        _draw(pair, kind)
    _conclude(kind, found, rows=table.now.rows, before=pair.before.rows)


def _duplicates(table: _Table) -> None:
    from ..expectations.rows import duplicates

    before = None if table.is_same else table.before
    _conclude("duplicates", duplicates(table.now, before, table.given.settings), rows=table.now.rows)


def _constant(table: _Table) -> None:
    from ..expectations.schema import constant

    learning = table.given.learning
    names = [name for name in table.now.columns if name not in learning.targets]
    names = names if learning.features is None else [name for name in names if name in learning.features]
    _conclude("constant", constant(table.now, table.before, [*names, *learning.targets]), rows=table.now.rows)


def _leakage(table: _Table) -> None:
    from ..expectations.leaks import leakage, skills

    given = table.given
    before = None if table.is_same else table.before
    found = list(leakage(table.now, before, given.learning, given.settings))
    best = skills(table.now, given.learning, alpha=given.settings.data_alpha)[:_BARS]
    if best:
        auc = best[0].metric == "auc"
        best = [one for one in best if one.metric == best[0].metric]
        figure = bars(
            f"How well each feature alone tells {best[0].target}",
            [one.feature for one in best],
            [one.effect.value for one in best],
            low=[one.effect.low for one in best],
            high=[one.effect.high for one in best],
            limit=given.settings.leakage if auc else 2 * given.settings.leakage - 1,
            unit="AUC" if auc else "R2",
        )
        record({"check": "leakage", "best": best[0].feature, "value": best[0].effect.value, "figure": figure})
    _conclude("leakage", found, rows=table.now.rows)


def _overlap(table: _Table, holdout: str) -> None:
    from ..expectations.rows import overlap

    given = table.given
    other = _Table(given, holdout)
    before = (table.before, other.before) if table.before is not None and other.before is not None else None
    found = overlap(table.now, other.now, given.learning, given.settings, before=before)
    _conclude("overlap", found, rows=other.now.rows)


def _conclude(check: str, found: Iterable[Finding], **measured: Any) -> None:
    """Record each finding, and raise what the failures among them say.

    Raises:
        CheckFailed: one of them closes the gate.
    """
    failures: list[str] = []
    record({"check": check, **measured})
    for one in found:
        said = f"{one.column}: {one.message}" if one.column else one.message
        if one.level == "warn":
            warn(said, check=check, column=one.column, **one.measured)
        else:
            record({"check": check, "outcome": "failed", "column": one.column, "message": said, **one.measured})
            failures.append(said)
    if failures:
        more = f" (and {len(failures) - _SHOWN:,} more)" if len(failures) > _SHOWN else ""
        raise CheckFailed("; ".join(failures[:_SHOWN]) + more)


def _draw(pair: Pair, kind: str) -> None:
    """Record how far each column moved, and the distributions of those that moved most."""
    from ..expectations.shifts import shifts, target_shifts

    found = shifts(pair) if kind == "shift" else target_shifts(pair)
    if not found:
        return
    shown = found[:_BARS]
    figure = bars(
        "Share of the rows that are others than in the live release's data",
        [one.column for one in shown],
        [one.effect.value for one in shown],
        low=[one.effect.low for one in shown],
        high=[one.effect.high for one in shown],
        limit=pair.bounds.shift if kind == "shift" else pair.bounds.label_shift,
        unit="total variation",
    )
    record({"check": kind, "farthest": found[0].column, "distance": found[0].effect.value, "figure": figure})
    for one in [one for one in found[:_HISTOGRAMS] if one.effect.low > 0]:
        series = {"live release": one.before.tolist(), "now": one.now.tolist()}
        drawn = histograms(f"{one.column}: now and in the live release's data", one.bins, series, x=one.column)
        record({"check": kind, "column": one.column, "distance": one.effect.value, "figure": drawn})
