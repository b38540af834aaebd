"""The rows that models are compared on: the truth of each, and what each model answers, as a metric takes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.errors import UnsafeValue, UsageError
from ..data.datasets import to_arrow
from ..labels.several import singles
from ..signatures.words import what_is_answered
from ..statistics import learners, metrics
from . import pictures, several
from .outcomes import CheckFailed, is_outcome
from .shifts import prediction_shift
from .stability import not_finite

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from ..base.records import Field, Output
    from ..predictor import Answer, Predictor
    from ..statistics.metrics import Metric

__all__ = ["Rows", "choose"]

__tracebackhide__ = is_outcome

_OTHER = "give a model that answers something else a name of its own: @plusone.model('another', ...)"

_NEEDED = {
    "number": ("numbers",),
    "vector": ("numbers",),
    "ranking": ("ranking",),
    "classes": ("probabilities", "labels"),
}
_USUAL = {"number": "mae", "vector": "mae", "ranking": "ndcg@10"}
_ANSWERED = {"number": "numbers", "vector": "numbers", "ranking": "rankings", "classes": "classes"}


def choose(output: Output, name: str) -> Metric:
    """Return the metric for what a model answers: of several targets the mean over them, or, as `rmse:TARGET`, of one;
    accuracy of several labels is the share of rows in which all are right.

    Raises:
        UsageError: when there is no such metric or target, or the model's answers are not made for it.
    """
    given: Any = name
    if not isinstance(given, str):
        raise UsageError(
            f"metric = {name!r}: expected the name of one.", mend=f"metric={_USUAL.get(output.kind, 'accuracy')!r}"
        )
    base, sign, target = name.partition(":")
    metric = metrics.find(base)
    _check_fit(output, replace(metric, name=name) if output.kind == "labels" else metric)
    if sign and target not in output.names:
        named = ", ".join(f"{base}:{one}" for one in output.names) or "none: it answers one"
        raise UsageError(
            f"{name} asks for the target {target!r}. Metrics of single targets: {named}.", mend=f"metric={base!r}"
        )
    if sign:
        return _of_target(metric, output, name, output.names.index(target))
    if output.kind == "labels":
        return several.of_all(metric, output)
    if output.kind == "vector":
        return metrics.averaged(metric, metrics.columns(output.width))
    if output.kind == "ranking" and metric.at is None:
        return replace(metrics.find(f"{base}@{output.width}"), name=name)
    return metric


def _of_target(metric: Metric, output: Output, name: str, place: int) -> Metric:
    if output.kind == "labels":
        return replace(several.of_target(metric, output, place), name=name)
    return replace(metrics.viewed(metric, metrics.columns(output.width)[place]), name=name)


class Rows:
    """Rows with their truth.

    Attributes:
        count: how many.
        truth: class codes or numbers, shape (rows,); of several targets (rows, targets); of rankings how many items are
            right.

    Args:
        data: a dataframe, pyarrow table or list of dicts: the fields of the models and the columns of their targets.
            For rankings that column holds the item that was right, or a list of them.
        output: what the candidate answers.
        metric: as `choose` gives it.

    Raises:
        UsageError: when the truth is not there, or no model could be judged by it.
    """

    def __init__(self, data: Any, output: Output, metric: Metric) -> None:
        try:
            self._table = to_arrow(data)
        except UnsafeValue as error:
            raise UsageError(f"The data can't be read as a table: {error.message}", mend=error.mend) from error
        self._output = output
        self._metric = metric
        self._answers: dict[int, Answer] = {}
        self.count: int = self._table.num_rows
        if self.count < 2 and all(name in self._table.column_names for name in output.names or (output.name,)):
            raise UsageError(
                f"The data has {self.count} row{'s' if self.count != 1 else ''}: expected at least 2.",
                mend="look at the step that makes it; a test of it says so before training: plusone.check.rows(table)",
            )
        self._right: list[set[Any]] = []
        self.truth: NDArray[Any]
        if output.kind == "ranking":
            self._right = self._items(self._column(output.name))
            self.truth = np.array([len(one) for one in self._right])
        elif output.kind == "vector":
            self.truth = self._vectors()
        elif output.kind == "labels":
            self.truth = np.stack([self._codes(self._column(one.name), one) for one in singles(output)], axis=1)
            for one, codes in zip(singles(output), self.truth.T, strict=True):
                if metric.losses is None:  # those that are means over rows have a value for a label that is always so
                    self._check_varied(codes, one.name)
        else:
            column = self._column(output.name)
            self.truth = self._codes(column, output) if output.kind == "classes" else self._numbers(column, output.name)
            self._check_varied(self.truth, output.name)

    def shift(self, model: Predictor, live: Predictor) -> dict[str, float]:
        """Return how far the answers of two models that were asked lie apart."""
        a, b = (self._answers[id(one)] for one in (model, live))
        return {"prediction_shift": prediction_shift(a, model.signature.output, b, live.signature.output)}

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns that hold the truth."""
        return self._output.names or (self._output.name,)

    @property
    def table(self) -> pa.Table:
        """The rows as they were given, with all of their columns."""
        return self._table

    def same(self, model: Predictor, live: Predictor) -> bool:
        """Return whether two models that were asked answered the same to the last bit, in every row."""
        a, b = (self._answers[id(one)] for one in (model, live))
        parts = ("codes", "numbers", "probabilities", "scores")
        pairs = [(getattr(a, part), getattr(b, part)) for part in parts]
        return model.signature.output == live.signature.output and all(
            (one is None) == (other is None) and (one is None or np.array_equal(one, other)) for one, other in pairs
        )

    def figure(self, **answers: NDArray[Any]) -> dict[str, Any]:
        """Return, under `figure`, what to draw of what models answered, as `answer` gave it."""
        draw = several.draw if self._output.kind == "labels" else pictures.draw
        return {"figure": draw(self._metric, self._output, self.truth, answers)}

    def baselines(self, train: Any, fields: Sequence[Field]) -> dict[str, NDArray[Any]]:
        """Return what the simplest models answer, as the metric takes it, by name: `constant` and, where it can be
        learned, `linear`.

        Args:
            train: what they learn from: a table with the fields and targets.
            fields: those of the model that they are compared with.
        """
        learned = Rows(train, self._output, self._metric)
        if self._output.kind == "ranking":
            items = learners.popular(learned._right, self._output.width)
            return {"constant": np.array([[item in right for item in items] for right in self._right])}
        if self._output.kind == "labels":
            return several.baselines((learned.table, learned.truth), self._table, fields, self._output, self._metric)
        models = {
            "constant": learners.constant(learned.truth, self._output),
            "linear": learners.linear(learned.table, learned.truth, fields, self._output),
        }
        answers = {name: answer(self._table) for name, answer in models.items() if answer is not None}
        if self._metric.needs == "labels":
            return {name: answer.argmax(axis=1) for name, answer in answers.items()}
        return answers

    def lost_by_a_constant(self) -> float:
        """Return what the metric is of a constant answer to these rows; where higher is better, what it lacks to 1."""
        found = metrics.value(self._metric, self.truth, self.baselines(self._table, ())["constant"])
        return 1.0 - found if self._metric.higher_is_better else found

    def by_target(self, name: str, **answers: NDArray[Any]) -> dict[str, Any]:
        """Return what the metric `name` is for each of several targets, by answer; nothing where there is one."""
        if ":" in name or not self._output.names:
            return {}
        base = metrics.find(name)
        single = {one: _of_target(base, self._output, one, place) for place, one in enumerate(self._output.names)}
        return {
            f"{who}_by_target": {one: metrics.value(metric, self.truth, answer) for one, metric in single.items()}
            for who, answer in answers.items()
        }

    def answer(self, model: Predictor, who: str) -> NDArray[Any]:
        """Return what the metric needs of the model's answers, classes in the order of the candidate's."""
        output = model.signature.output
        if output.kind != self._output.kind:
            raise UsageError(
                f"The candidate answers {what_is_answered(self._output)}, and {who} {what_is_answered(output)}: they "
                "can't be compared.",
                mend=_OTHER,
            )
        _check_fit(output, self._metric)
        if id(model) not in self._answers:
            self._answers[id(model)] = model.run(model.columns(self._table))
        found = self._answers[id(model)]
        _check_finite(found, who)
        if output.kind == "number":
            return np.asarray(found.numbers, dtype=np.float64).reshape(-1)
        if output.kind == "vector":
            return self._ordered(output, found, who)
        if output.kind == "ranking":
            return self._hits(output, found, who)
        if output.kind == "labels":
            return self._labelled(output, found, who)
        return self._classified(output, self._output, found, who)

    def _labelled(self, output: Output, found: Answer, who: str) -> NDArray[Any]:
        """Return the answers for several targets in the order of the candidate's."""
        if set(output.names) != set(self._output.names):
            raise UsageError(
                f"{_capital(who)} answers {', '.join(output.names)} and the candidate {', '.join(self._output.names)}: "
                f"they can't be compared by {self._metric.name}.",
                mend=_OTHER,
            )
        each = {one.name: (one, part) for one, part in zip(singles(output), found.each(output.sizes), strict=True)}
        parts = [self._classified(each[ours.name][0], ours, each[ours.name][1], who) for ours in singles(self._output)]
        return np.hstack(parts) if self._metric.needs == "probabilities" else np.stack(parts, axis=1)

    def _classified(self, output: Output, ours: Output, found: Answer, who: str) -> NDArray[Any]:
        """Return probabilities or codes in the order of the candidate's classes."""
        if set(output.classes) != set(ours.classes):
            raise UsageError(
                f"{_capital(who)} has the classes {', '.join(map(repr, output.classes))} and the candidate "
                f"{', '.join(map(repr, ours.classes))}: they can't be compared by {self._metric.name}.",
                mend=_OTHER,
            )
        places = [output.classes.index(one) for one in ours.classes]
        if self._metric.needs == "probabilities":
            return np.asarray(found.probabilities)[:, places]
        order = np.empty(len(places), dtype=np.int64)
        order[places] = np.arange(len(places))
        return order[found.codes]

    def _ordered(self, output: Output, found: Answer, who: str) -> NDArray[Any]:
        """Return vectors with the numbers in the order of the candidate's."""
        ours = self._output
        if set(output.names) != set(ours.names) or output.width != ours.width:
            raise UsageError(
                f"{_capital(who)} answers {', '.join(output.names) or f'{output.width} numbers'} and the candidate "
                f"{', '.join(ours.names) or f'{ours.width} numbers'}: they can't be compared by {self._metric.name}.",
                mend=_OTHER,
            )
        places = [output.names.index(name) for name in ours.names] or list(range(output.width))
        return np.asarray(found.numbers, dtype=np.float64)[:, places]

    def _hits(self, output: Output, found: Answer, who: str) -> NDArray[Any]:
        """Return whether the item at each place of each ranking is right, shape (rows, width)."""
        at = self._metric.at or output.width
        if at > output.width:
            raise UsageError(
                f"{_capital(who)} ranks {output.width} items, and {self._metric.name} counts {at}.",
                mend="ask for fewer with @k, or release a model that ranks more",
            )
        items = found.labels.tolist()
        return np.array([[item in right for item in row] for row, right in zip(items, self._right, strict=True)])

    # -------------------------------------------------------------------------------------------- the truth

    def _column(self, target: str) -> Any:
        if target not in self._table.column_names:
            raise UsageError(
                f"The data has no column {target!r}, which holds the truth. Its columns: "
                f"{', '.join(self._table.column_names) or 'none'}.",
                mend=f"give data that still has {target!r}: the model itself takes only its own fields",
            )
        column = self._table.column(target)
        if column.null_count:
            first = next(row for row, one in enumerate(column) if not one.is_valid)
            raise UsageError(
                f"The target {target!r} has {column.null_count} nulls, the first in row {first}: expected the truth.",
                mend=f"leave those rows out, for example data[data[{target!r}].notna()]",
            )
        return column

    def _check_varied(self, truth: NDArray[Any], target: str) -> None:
        if (truth == truth[0]).all():
            shown = self._table.column(target)[0].as_py() if target in self._table.column_names else truth[0]
            raise UsageError(
                f"The target {target!r} is {shown!r} in all {self.count} rows: expected rows that differ.",
                mend="give rows of all its values, of a longer time say",
            )
        if truth.dtype.kind == "f" and not np.isfinite(truth).all():
            row = int(np.flatnonzero(~np.isfinite(truth))[0])
            raise UsageError(
                f"The target {target!r} is {truth[row]} in row {row}: expected finite numbers.",
                mend="leave such rows out of the table, in the step that makes it",
            )

    def _vectors(self) -> NDArray[Any]:
        """Return the truth of several targets: a column for each, or, without names, one of lists."""
        output = self._output
        if output.names:
            parts = [self._numbers(self._column(name), name) for name in output.names]
        else:
            rows = self._column(output.name).to_pylist()
            if not all(isinstance(row, list) and len(row) == output.width for row in rows):
                raise UsageError(
                    f"The target {output.name!r} does not hold lists of {output.width} numbers.",
                    mend="make it a column of lists, all of that length, in the step that makes the table",
                )
            parts = list(np.array(rows, dtype=np.float64).T)
        for part, name in zip(parts, output.names or [output.name] * output.width, strict=True):
            self._check_varied(part, name)
        return np.stack(parts, axis=1)

    def _items(self, column: Any) -> list[set[Any]]:
        """Return the right items of each row."""
        whole = all(type(item) is int for item in self._output.classes)
        found: list[set[Any]] = []
        for row, value in enumerate(column.to_pylist()):
            items = value if isinstance(value, list) else [value]
            if not items or any(item is None for item in items):
                raise UsageError(
                    f"The target {self._output.name!r} has no item, or a null, in row {row}: expected the items that "
                    "were right.",
                    mend="leave out rows in which nothing was right: no ranking could be",
                )
            if whole:
                items = [int(item) if isinstance(item, float) and item.is_integer() else item for item in items]
            found.append(set(items))
        return found

    def _codes(self, column: Any, output: Output) -> NDArray[Any]:
        """Return the truth as places in the classes of a target."""
        places = {value: place for place, value in enumerate(output.classes)}
        encoded = column.unify_dictionaries() if "dictionary" in str(column.type) else column.dictionary_encode()
        encoded = encoded.combine_chunks()
        values = encoded.dictionary.to_pylist()
        unknown = [value for value in values if value not in places]
        if unknown:
            raise UsageError(
                f"The target {output.name!r} holds {unknown[0]!r}, which the model can't answer. "
                f"Its classes: {', '.join(map(repr, output.classes))}.",
                mend=f"leave those rows out: data[data[{output.name!r}].isin({list(output.classes)!r})]"
                if len(output.classes) <= 5
                else "leave those rows out, or train with rows of that label",
            )
        return np.array([places[value] for value in values])[encoded.indices.to_numpy(zero_copy_only=False)]

    def _numbers(self, column: Any, target: str) -> NDArray[Any]:
        try:
            return np.asarray(column.to_numpy(), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"The target {target!r} is of type {column.type}: expected numbers.",
                mend=f"make {target!r} numbers in the step that makes the table, or name another target of the model",
            ) from error


def _check_finite(answer: Answer, who: str) -> None:
    """Fail where a model answers no number: no metric of that says anything."""
    if problem := not_finite(answer):
        raise CheckFailed(_capital(problem.replace("the model", who, 1)))


def _capital(who: str) -> str:
    return f"{who[0].upper()}{who[1:]}"


def _check_fit(output: Output, metric: Metric) -> None:
    """Refuse a metric that the model's answers are not made for: of several labels those of each target."""
    if output.kind == "labels":
        target = metric.name.partition(":")[2]
        for one in singles(output):
            if target in ("", one.name):
                _check_fit(one, metric)
        return
    needed, answered = _NEEDED[output.kind], _ANSWERED[output.kind]
    if metric.needs not in needed:
        fit = ", ".join(name for name, one in metrics.METRICS.items() if one.needs in needed)
        raise UsageError(
            f"The model answers {answered}, and {metric.name} is not made for that. Metrics that are: {fit}.",
            mend=f"metric={_USUAL.get(output.kind, 'accuracy')!r}",
        )
    if metric.needs == "probabilities" and not output.probabilities:
        raise UsageError(
            f"{metric.name} needs probabilities, and the model answers labels only.",
            mend="use accuracy, balanced_accuracy or f1, or a model with predict_proba",
        )
    if metric.binary_only and len(output.classes) != 2:
        raise UsageError(
            f"{metric.name} is for two classes, and the model has {len(output.classes)}.",
            mend="use log_loss, brier, accuracy, balanced_accuracy or f1",
        )
