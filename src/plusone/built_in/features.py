"""Whether a candidate still goes by the fields that the live release goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..measuring.outcomes import CheckFailed, NotApplicable, record, warn
from ..statistics.metrics import row_losses
from .trial import Trial, sampled

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from ..predictor import Predictor

__all__ = ["features"]

ALPHA = 0.001
MOST = 40
_ROWS = 2_000
_MATTERS = 0.1
"""From this share of the gain on, a field's importance is one that must not be lost unseen."""


def features(trial: Trial) -> None:
    """Fail when a field that the live release gains by is one that the candidate has lost.

    The importance of a field is how much more is lost when its values are dealt out anew among the rows: Breiman
    (2001), "Random forests", Machine Learning 45, section 10. A field counts whose importance to live is shown to be a
    tenth of live's gain over a constant answer; it is lost when the candidate's is shown to be less than the part that
    the settings leave. Fields that change no answer at all are warned of.
    """
    import numpy as np

    from ..measuring.figures import bars
    from ..statistics.estimates import from_mean

    model, table = trial.model, sampled(trial.table, _ROWS)
    smaller = _Part(trial, table)
    names = [field.name for field in model.signature.fields][:MOST]
    ours = {name: smaller.importance(model, name) for name in names}
    unused = [name for name, values in ours.items() if values is None]
    level = float(smaller.nothing.mean())
    shares = {
        name: 0.0 if values is None else float(values.mean()) / max(level, 1e-12) for name, values in ours.items()
    }
    order = sorted(shares, key=lambda name: -shares[name])
    figure = bars("loss by shuffling a field, as a share", order, [shares[name] for name in order])
    record({"check": "features", "rows": table.num_rows, "unused": unused, "figure": figure})
    live = trial.given.live
    if live is None:
        if unused:
            warn(f"no loss changes with {_listed(unused)}", unused=unused)
        raise NotApplicable("no release is live yet: there is nothing to compare with")
    kept = 1 - trial.given.settings.feature_loss
    live = trial.live
    gain = smaller.nothing - smaller.losses(live)
    lost: list[str] = []
    count = max(len(names), 1)
    for name in (field.name for field in live.signature.fields):
        if name not in ours:
            if len(names) < MOST:
                warn(f"the live release takes {name}, and the candidate does not")
            continue
        theirs = smaller.importance(live, name)
        if theirs is None:
            continue
        mine = ours[name]
        if mine is None:
            warn(f"no loss changes with {name}, and the live release's do")
        mine = np.zeros(len(theirs)) if mine is None else mine
        matters = from_mean(_MATTERS * gain - theirs).chance(0.0) <= ALPHA / count
        if matters and from_mean(mine - kept * theirs).chance(0.0) <= ALPHA / count:
            lost.append(name)
    if lost:
        raise CheckFailed(
            f"the candidate goes no longer by {_listed(lost)}: shuffled among the rows of {trial.name}, that costs the "
            "live release a tenth or more of what it gains over a constant answer, and the candidate less than "
            f"{kept:.0%} of that"
        )


class _Part:
    """Some rows of a trial, their truth with them, and the same with one field shuffled."""

    def __init__(self, trial: Trial, table: pa.Table) -> None:
        from ..measuring.rows import Rows, choose

        output = trial.model.signature.output
        self._metric = choose(output, trial.metric_name)
        self._rows = lambda data: Rows(data, output, self._metric)
        self._table = table
        self._kept: dict[int, NDArray[Any]] = {}
        rows = self._rows(table)
        self.nothing = self._lost(rows, rows.baselines(table, ())["constant"])

    def losses(self, model: Predictor) -> NDArray[Any]:
        """Return what the model loses, row by row."""
        if id(model) not in self._kept:
            rows = self._rows(self._table)
            self._kept[id(model)] = self._lost(rows, rows.answer(model, "the model"))
        return self._kept[id(model)]

    def importance(self, model: Predictor, name: str) -> NDArray[Any] | None:
        """Return how much more is lost in each row with a field shuffled; None when no loss changes."""
        import numpy as np

        place = self._table.column_names.index(name)
        order = np.random.default_rng(0).permutation(self._table.num_rows)
        shuffled = self._table.set_column(place, self._table.field(place), self._table.column(place).take(order))
        rows = self._rows(shuffled)
        more = self._lost(rows, rows.answer(model, "the model")) - self.losses(model)
        return more if np.any(more != 0) else None

    def _lost(self, rows: Any, answer: NDArray[Any]) -> NDArray[Any]:
        return row_losses(self._metric, rows.truth, answer)


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
