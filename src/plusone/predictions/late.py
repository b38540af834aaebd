"""Labels that come by a file or through the control API: read, checked, and written to the store."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from ..base import clock
from ..base.errors import InvalidInput, UsageError
from ..base.logged import LabelsTaken
from ..base.records import Output
from ..labels.labels import label_reader
from ..labels.several import singles
from ..store import Store
from .collecting import add_labels
from .layout import LabelRow
from .wire import read_label

__all__ = ["read_file", "take_labels"]

_AT_ONCE = 10_000
_COLUMNS = ("id", "label", "at")


def take_labels(store: Store, model: str, labels: Iterable[Any], output: Output) -> LabelsTaken:
    """Write labels, each an object with `id`, `label` and perhaps `at`, and return how many there are.

    None is written unless all fit. Whoever sends them again adds nothing.

    Raises:
        InvalidInput: when one does not fit what the model answers.
    """
    read_value = label_reader(output)
    rows: list[LabelRow] = []
    known: dict[str, str] = {}
    for place, one in enumerate(labels):
        row = read_label(one, place, read_value, output)
        if known.setdefault(row[0], row[1]) != row[1]:
            raise InvalidInput(
                f"Label {place}: the prediction {row[0]!r} has another label before it.", row=place, field="label"
            )
        rows.append(row)
    received_at = clock.now()
    with store.db.write() as tx:
        for begin in range(0, len(rows), _AT_ONCE):
            add_labels(tx, model, received_at, rows[begin : begin + _AT_ONCE])
    return LabelsTaken(model=model, accepted=len(rows))


def read_file(path: Path, output: Output) -> list[dict[str, Any]]:
    """Return the labels of a CSV file (columns id, label and perhaps at) or of a JSON Lines file.

    Of several targets the columns may be theirs, in place of `label`.

    Raises:
        UsageError: when the file can't be read, or a line of it is no label of this model; the message names the line.
    """
    readers = {".csv": _csv_rows, ".jsonl": _json_rows}
    read = readers.get(path.suffix.lower())
    if read is None:
        raise UsageError(f"{path}: expected a file that ends in .csv or .jsonl.")
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}.") from error
    read_value = label_reader(output)
    rows: list[dict[str, Any]] = []
    known: dict[str, tuple[str, int]] = {}
    for number, row in read(path, text, output):
        try:
            one, value, _ = read_label(row, number, read_value, output, what=f"{path}, line")
        except InvalidInput as error:
            raise UsageError(error.message, line=number, **error.details) from None
        before = known.setdefault(one, (value, number))
        if before[0] != value:
            raise UsageError(f"{path}, line {number}: {one!r} has another label in line {before[1]}.", line=number)
        rows.append(row)
    if not rows:
        raise UsageError(f"{path} has no labels: expected a line for each.")
    return rows


def _json_rows(path: Path, text: str, output: Output) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, msgspec.json.decode(line)
            except (msgspec.DecodeError, RecursionError) as error:
                raise UsageError(f"{path}, line {number}: no JSON: {error}.", line=number) from None


def _csv_rows(path: Path, text: str, output: Output) -> Iterator[tuple[int, Any]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] | None = None
    try:
        for cells in reader:
            if not cells:
                continue
            if names is None:
                names = _checked_names(path, cells, output)
            elif len(cells) != len(names):
                raise UsageError(
                    f"{path}, line {reader.line_num}: {len(cells)} cells, expected {len(names)}: {', '.join(names)}.",
                    line=reader.line_num,
                )
            else:
                row: dict[str, Any] = dict(zip(names, cells, strict=True))
                if "label" not in row:
                    row["label"] = {name: _value(row.pop(name), one) for name, one in _targets(output).items()}
                else:
                    row["label"] = _value(row["label"], output)
                if not row.get("at"):
                    row.pop("at", None)
                yield reader.line_num, row
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num}: {error}.", line=reader.line_num) from None


def _checked_names(path: Path, cells: list[str], output: Output) -> list[str]:
    names = [cell.strip() for cell in cells]
    ways = [{"id", "label"}, {"id", *_targets(output)}][: 2 if _targets(output) else 1]
    if len(set(names)) != len(names) or not any(way <= set(names) <= way | {"at"} for way in ways):
        or_targets = f" (or {', '.join(output.names)})" if len(ways) == 2 else ""
        raise UsageError(
            f"{path}, line 1: the columns are {', '.join(names)}: expected id, label{or_targets} and perhaps at."
        )
    return names


def _targets(output: Output) -> dict[str, Output]:
    """Return, by target, what cells of a column of that name say; nothing where there are no such columns."""
    if set(output.names) & set(_COLUMNS):
        return {}
    return (
        {one.name: one for one in singles(output)} if output.kind == "labels" else dict.fromkeys(output.names, output)
    )


def _value(text: str, output: Output) -> Any:
    """Return what a cell means: a class whose name it is, else what JSON says that it is, else itself."""
    if output.kind == "ranking" and text in output.classes:
        return text
    for label in output.classes if output.kind == "classes" else ():
        if text == label or (isinstance(label, bool) and text.strip().lower() == str(label).lower()):
            return label
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
