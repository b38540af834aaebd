"""The signature of a model: what it takes, found out from its training data, and what it answers, asked of the model.

This module knows Arrow tables and the trained object. It knows no graph and no request.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..base.errors import Incompatible, UsageError
from ..base.records import Field, Output
from ..data.tensors import full, shape_of
from ..estimators.several import classes_of, has_probabilities
from ..formats import Opened
from .shapes import finite_rows, make_field
from .tables import compute

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "MAX_CATEGORIES",
    "UNSEEN",
    "base_row",
    "make_fields",
    "make_output",
    "order_features",
    "settle_fields",
    "targets_of",
    "with_value",
]

MAX_CATEGORIES = 1000
_CATEGORY_LETTERS = 200
_EXAMPLE_LETTERS = 4096
UNSEEN = "\ue000never seen"
"""A string that is in no training data: what the model is asked with to learn how it takes unseen values."""


def order_features(
    model: Any, features: Sequence[str], target: str | Sequence[str] | None, width: int | None = None
) -> list[str]:
    """Return the features in the order in which the model was fitted on them.

    Args:
        width: how many columns they are when each tensor is laid out flat; default: one for each.

    Raises:
        UsageError: when the model was fitted on other columns than `features`.
    """
    fitted = getattr(model, "feature_names_in_", None)
    if fitted is None:
        count = getattr(model, "n_features_in_", None)
        if count is not None and int(count) != (len(features) if width is None else width):
            flat = "" if width in (None, len(features)) else f" ({width} values in each row)"
            raise UsageError(
                f"The model was fitted on {count} columns, not on the {len(features)} features "
                f"{', '.join(features)}{flat}.",
                mend="fit it on train_set[features], in that order",
            )
        return list(features)
    spelled = {getattr(model, "spelling", str)(name): name for name in features}
    names = [spelled.get(str(name), str(name)) for name in fitted]
    extra = [name for name in names if name not in features]
    missing = [name for name in features if name not in names]
    if extra or missing:
        parts: list[str] = []
        targets = targets_of(target)
        parts += [f"it was fitted on the target {name!r} too" for name in targets if name in extra]
        if others := [name for name in extra if name not in targets]:
            parts.append(f"it was fitted on {', '.join(map(repr, others))}, not among the features")
        if missing:
            parts.append(f"it was not fitted on {', '.join(map(repr, missing))}, which the features name")
        raise UsageError(
            f"The model and its features disagree: {'; '.join(parts)}.",
            mend="fit it on train_set[features], or correct features= of @plusone.model",
            fitted=names,
            features=list(features),
        )
    return names


def make_fields(features: Sequence[str], train: pa.Table) -> tuple[Field, ...]:
    """Return one field per feature, as the training data has it; `unseen` is not known yet.

    Raises:
        UsageError: when a feature is not in the table, or has a type that a request can't carry.
    """
    if train.num_rows == 0:
        raise UsageError("The training data has no rows: expected at least one.")
    if absent := [name for name in features if name not in train.column_names]:
        raise UsageError(
            f"The training data has no column {', '.join(map(repr, absent))}. It has: {', '.join(train.column_names)}.",
            mend="correct features= of @plusone.model",
        )
    columns = {name: _flat(train.column(name)) for name in features}
    examples = _example(columns)
    return tuple(
        make_field(name, column) if shape_of(column.type) is not None else _field(name, column, examples[name])
        for name, column in columns.items()
    )


def targets_of(target: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the columns that a model answers: one, several, or none."""
    return () if target is None else (target,) if isinstance(target, str) else tuple(target)


def make_output(opened: Opened, target: str | Sequence[str] | None, width: Callable[[], int] | None = None) -> Output:
    """Return what the model answers, under the name of its target; of several under their names, joined by commas.

    Args:
        target: None for what the training data has no truth for: it is called `answer`.
        width: says how many numbers the model answers to a row, asked where the object does not say it.

    Raises:
        Incompatible: for as many labels or numbers as there are no targets, for labels that JSON has no word for, and
            for objects that do not predict.
    """
    targets = targets_of(target)
    name = ",".join(targets) or "answer"
    if opened.output is not None:
        output = msgspec.structs.replace(opened.output, name=name)
        if output.kind == "vector" and not output.names:
            return _vector(name, targets, output.width)
        if len(targets) > 1 and output.kind != "vector":
            raise _other_width(targets, 1)
        return output
    model = opened.trained
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    if not hasattr(model, "predict"):
        raise Incompatible(
            f"A {kind} does not predict: it has no method predict.",
            mend="return a fitted classifier or regressor from the train function",
        )
    classes = getattr(model, "classes_", None)
    if classes is None:
        count = int(getattr(model, "n_outputs_", 0)) or (1 if width is None else width())
        if count == 1 and len(targets) <= 1:
            return Output(name=name, kind="number")
        return _vector(name, targets, count)
    several = classes_of(model)
    if several is not None:
        return _labels(kind, name, targets, several, has_probabilities(model, several))
    if len(targets) > 1:
        raise _other_width(targets, 1)
    return Output(
        name=name,
        kind="classes",
        classes=tuple(_plain(label) for label in classes),
        probabilities=hasattr(model, "predict_proba"),
    )


def _labels(kind: str, name: str, targets: Sequence[str], several: Sequence[Any], probabilities: bool) -> Output:
    """Return a label for each of several targets."""
    if len(several) < 2 or len(several) != len(targets):
        said = ", ".join(targets) or "none"
        raise Incompatible(
            f"This {kind} answers {len(several)} labels to each row, and the declared targets are: {said}.",
            mend="name as many columns in target=[...] of @plusone.model, in the order in which it was fitted on them"
            if len(several) > 1
            else "fit the classifier on the one column, not on a table of it",
        )
    return Output(
        name=name,
        kind="labels",
        classes=tuple(_plain(label) for labels in several for label in labels),
        probabilities=probabilities,
        names=tuple(targets),
        width=len(several),
        sizes=tuple(len(labels) for labels in several),
    )


def _vector(name: str, targets: Sequence[str], width: int) -> Output:
    if len(targets) > 1 and len(targets) != width:
        raise _other_width(targets, width)
    return Output(name=name, kind="vector", names=tuple(targets) if len(targets) > 1 else (), width=width)


def _other_width(targets: Sequence[str], width: int) -> Incompatible:
    return Incompatible(
        f"The model answers {width} {'value' if width == 1 else 'numbers'} to each row, and {len(targets)} targets are "
        f"declared: {', '.join(targets)}.",
        mend="fit it on train_set[[...]] with those columns, in that order, or correct target= of @plusone.model",
    )


def settle_fields(fields: Sequence[Field], train: pa.Table, ask: Callable[[pa.Table], Any]) -> tuple[Field, ...]:
    """Return the fields with what only the trained model can tell: whether it answers to nulls and to unseen strings.

    A field that held nulls in training stays nullable only if the model answers to one: the train function may have
    dropped those rows. A string field accepts unseen values if the model answers to one.

    Args:
        ask: returns the trained model's answers for a table, as an array of numbers or labels.

    Raises:
        Incompatible: when the model does not even answer to a row of its own training data.
    """
    row = base_row([field.name for field in fields], train)
    try:
        _asked(ask, row)
    except Incompatible:  # it answers, and says itself what is wrong with that
        raise
    except Exception as error:  # whatever the model raises, it does not answer
        raise Incompatible(
            f"The trained model does not answer to a row of its own training data: {type(error).__name__}: {error}",
            mend="fit it on train_set[features], with nothing done to them outside of the model",
            row=row.to_pylist()[0],
        ) from error
    return tuple(_settle(field, row, ask) for field in fields)


def base_row(features: Sequence[str], train: pa.Table) -> pa.Table:
    """Return one row of the training data, without nulls if there is one, with the features only."""
    columns = {name: _flat(train.column(name)) for name in features}
    return train.select(list(features)).slice(max(_whole_row(columns), 0), 1)


def with_value(row: pa.Table, name: str, value: Any) -> pa.Table:
    """Return the table with every value of one column replaced by `value`, its type kept; each one in its tensors."""
    import pyarrow as pa

    place = row.column_names.index(name)
    kind = row.schema.field(place).type
    if shape_of(kind) is not None:
        return row.set_column(place, name, pa.chunked_array([full(kind, value, row.num_rows)]))
    return row.set_column(place, pa.field(name, kind), pa.chunked_array([pa.array([value] * row.num_rows, type=kind)]))


def _settle(field: Field, row: pa.Table, ask: Callable[[pa.Table], Any]) -> Field:
    changes: dict[str, Any] = {}
    if field.nullable:
        changes["nullable"] = _answers(ask, with_value(row, field.name, None))
    if field.dtype == "string":
        changes["unseen"] = "accept" if _answers(ask, with_value(row, field.name, UNSEEN)) else "refuse"
        if changes["unseen"] == "accept" and field.example is not None:
            changes["example"] = field.example[:_EXAMPLE_LETTERS]
    return msgspec.structs.replace(field, **changes)


def _answers(ask: Callable[[pa.Table], Any], row: pa.Table) -> bool:
    try:
        answer = _asked(ask, row)
    except Exception:  # whatever the model raises, it does not answer
        return False
    return answer.dtype.kind != "f" or not bool((answer != answer).any())  # only NaN differs from itself


def _asked(ask: Callable[[pa.Table], Any], row: pa.Table) -> Any:
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(ask(row))


def _plain(label: Any) -> Any:
    value = label.item() if hasattr(label, "item") else label
    if isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise Incompatible(f"The label {value!r} is a {type(value).__name__}: expected bool, int, str or a finite float.")


def _flat(column: Any) -> Any:
    """Return the column as one array, dictionaries decoded, NaN as null."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        column = compute().if_else(compute().is_nan(column), pa.scalar(None, column.type), column)
    return column


def _dtype(name: str, kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind):
        return "int64"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "float64"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    hint = "give a step that turns it into a number or a string"
    if pa.types.is_temporal(kind):
        hint = "give a step that turns it into numbers, for example year, month, hour, or seconds since an event"
    elif pa.types.is_null(kind):
        hint = "every value is null: leave the column out of features"
    raise UsageError(
        f"The feature {name!r} has type {kind}: expected integers, floats, decimals, booleans or strings.",
        mend=hint,
        field=name,
        type=str(kind),
    )


def _field(name: str, column: Any, example: Any) -> Field:
    import pyarrow as pa

    dtype = _dtype(name, column.type)
    categories: tuple[str, ...] | None = None
    minimum = maximum = None
    values = column.drop_null()
    if dtype == "string":
        distinct = compute().unique(values.cast(pa.string()))
        lengths = compute().utf8_length(distinct)
        # Longer ones are texts, not categories: a signature with a thousand of them would be larger than the model.
        if len(distinct) <= MAX_CATEGORIES and (compute().max(lengths).as_py() or 0) <= _CATEGORY_LETTERS:
            categories = tuple(sorted(distinct.to_pylist()))
    elif dtype != "bool" and len(values):
        numbers = values.cast(pa.float64(), safe=False)
        ends = compute().min_max(numbers).as_py()
        minimum, maximum = (value if math.isfinite(value) else None for value in (ends["min"], ends["max"]))
    return Field(
        name=name,
        dtype=dtype,
        nullable=column.null_count > 0,
        categories=categories,
        minimum=minimum,
        maximum=maximum,
        example=_json_value(example, dtype),
    )


def _example(columns: dict[str, Any]) -> dict[str, Any]:
    """Return the first row without nulls; when every row has some, the first value of each column."""
    columns = {name: column for name, column in columns.items() if shape_of(column.type) is None}
    place = _whole_row(columns)
    if place >= 0:
        return {name: column[place].as_py() for name, column in columns.items()}
    return {name: next(iter(column.drop_null().slice(0, 1).to_pylist()), None) for name, column in columns.items()}


def _whole_row(columns: dict[str, Any]) -> int:
    """Return the place of the first row without nulls, whose tensors are finite; or -1."""
    whole: Any = None
    for column in columns.values():
        valid = compute().is_valid(column) if shape_of(column.type) is None else finite_rows(column)
        whole = valid if whole is None else compute().and_(whole, valid)
    return -1 if whole is None else int(compute().index(whole, True).as_py())


def _json_value(value: Any, dtype: str) -> Any:
    if value is None:
        return None
    if dtype == "float64":
        number = float(value)
        return number if math.isfinite(number) else None
    return value
