"""One holdout and what the candidate, the live release and the simplest models make of it, row by row."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..base.errors import BrokenArtifact, InvalidInput, NotFound, PlusoneError, UsageError
from ..check.by_slice import default_metric
from ..labels.several import singles
from ..measuring.outcomes import NotApplicable
from ..measuring.rows import Rows, choose
from ..statistics.metrics import row_losses

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from ..checks.built_in import Given
    from ..predictor import Predictor

__all__ = ["FEWEST", "Trial", "sampled", "which_are_taken"]

MOST = 10_000
"""How many rows of a table are looked at: chosen by chance, the same ones every time."""
_LEARNED = 4_000
"""From how many rows the simplest models learn: a line needs few."""
FEWEST = 50
"""With fewer rows nothing is said."""


def sampled(table: pa.Table, most: int = MOST) -> pa.Table:
    """Return the table, or so many of its rows by chance, in their order."""
    import numpy as np

    if table.num_rows <= most:
        return table
    return table.take(np.sort(np.random.default_rng(0).permutation(table.num_rows)[:most]))


class Trial:
    """The rows of one table with their truth, and the loss of each by each model: the lower, the better.

    The loss is that of brier, of accuracy (1 - it) where there are no probabilities, of mae, or 1 - ndcg.

    Args:
        before: the table of that name that the live release was made with.
        most: how many of its rows are looked at.
    """

    def __init__(self, given: Given, name: str, *, before: bool = False, most: int = MOST) -> None:
        self.given, self.name, self._before, self._most = given, name, before, most
        self.model = given.model
        self.metric_name = default_metric(self.model.signature.output)

    @cached_property
    def table(self) -> pa.Table:
        """The rows that have a truth and that are taken: by live where it was made with them, else by the candidate.

        NotApplicable where there are too few.
        """
        found = sampled(self._whole(), self._most)
        output = self.model.signature.output
        labels = {one.name: one.classes for one in (singles(output) if output.kind == "labels" else (output,))}
        for target in output.names or (output.name,):
            found = _with_truth(found, target, labels[target] if output.kind in ("classes", "labels") else None)
        asked = self.live if self._before else self.model
        taken = found.filter(which_are_taken(asked, found)) if found.num_rows else found
        if taken.num_rows < FEWEST:
            raise NotApplicable(
                f"{self.name} has {taken.num_rows} rows with a truth that the model takes: at least {FEWEST} are needed"
            )
        return taken

    @cached_property
    def rows(self) -> Rows:
        """The same for a metric."""
        output = self.model.signature.output
        try:
            return Rows(self.table, output, choose(output, self.metric_name))
        except UsageError as error:
            raise NotApplicable(error.message) from None

    @cached_property
    def live(self) -> Predictor:
        """The live release; NotApplicable when there is none, or it answers something else."""
        found = self.given.live
        if found is None:
            raise NotApplicable("no release is live yet: there is nothing to compare with")
        mine, other = self.model.signature.output, found.signature.output
        if (mine.kind, mine.probabilities, mine.names) != (other.kind, other.probabilities, other.names):
            raise NotApplicable(f"the live release answers {other.kind}, in another way: they can't be compared")
        return found

    @cached_property
    def ours(self) -> NDArray[Any]:
        """The loss of the candidate, by row."""
        return self.losses(self.rows.answer(self.model, "the candidate"))

    @cached_property
    def theirs(self) -> NDArray[Any]:
        """The loss of the live release, by row."""
        return self.losses(self.their_answers)

    @cached_property
    def their_answers(self) -> NDArray[Any]:
        """What the live release answers; NotApplicable where it takes no such rows."""
        try:
            return self.rows.answer(self.live, "the live release")
        except (InvalidInput, UsageError) as error:
            raise NotApplicable(f"the live release can't be asked about {self.name}: {error.message}") from None

    @cached_property
    def simple(self) -> dict[str, NDArray[Any]]:
        """The losses of the simplest models, trained on this run's training data: `constant`, `linear`."""
        training = Trial(self.given, self.given.learning.inputs[0])
        answers = self.rows.baselines(sampled(training.table, _LEARNED), self.model.signature.fields)
        return {who: self.losses(answer) for who, answer in answers.items()}

    @cached_property
    def constant(self) -> NDArray[Any]:
        """The loss of what always answers the mean of these rows: what is there to be gained."""
        answers = self.rows.baselines(self.table, ())
        return self.losses(answers["constant"])

    def losses(self, answer: NDArray[Any]) -> NDArray[Any]:
        """Return the loss of each row, of answers as the metric takes them."""
        return row_losses(choose(self.model.signature.output, self.metric_name), self.rows.truth, answer)

    def earlier(self, name: str | None = None) -> Trial:
        """Return the table of that name (default: this one's) as the live release was made with it.

        Raises:
            NotApplicable: there is none any more.
        """
        name = name or self.name
        if name not in self.given.before:
            raise NotApplicable(f"the live release was made without {name}")
        found = Trial(self.given, name, before=True, most=self._most)
        try:
            _ = found.theirs
        except (BrokenArtifact, NotFound) as error:
            raise NotApplicable(f"what the live release was made with is gone: {error.message}") from None
        except PlusoneError as error:
            raise NotApplicable(f"{name} of the live release can't be asked about any more: {error.message}") from None
        return found

    def _whole(self) -> pa.Table:
        return self.given.table_before(self.name) if self._before else self.given.table(self.name)


def _with_truth(table: pa.Table, target: str, classes: tuple[Any, ...] | None) -> pa.Table:
    """Return the rows whose truth is there and is one that the model could answer."""
    import numpy as np

    from ..data.tensors import compute

    if target not in table.column_names:
        raise NotApplicable(f"there is no column {target!r}, which holds the truth")
    table = table.filter(compute().is_valid(table.column(target)))
    if classes is None:
        return table
    known = set(classes)
    return table.filter(np.array([value in known for value in table.column(target).to_pylist()], dtype=np.bool_))


def which_are_taken(model: Predictor, table: pa.Table) -> NDArray[Any]:
    """Return which rows the model takes, one truth for each.

    Raises:
        InvalidInput: when it takes none, since a field is missing or of another type.
    """
    import numpy as np

    from ..signatures.tables import read_table

    try:
        model.columns(table)
    except InvalidInput:
        _, bad = read_table(table, model.signature.fields, model.blocks, model.known)
        return ~np.asarray(bad, dtype=np.bool_)
    return np.ones(table.num_rows, dtype=np.bool_)
