"""Tables of cases, from a file of the project or from any table: what is asked, what is expected, and why."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.config import find_project
from ..base.errors import ConfigError, PlusoneError, UsageError
from ..data.tables import to_arrow
from ..labels.several import singles

if TYPE_CHECKING:
    import pyarrow as pa

    from ..base.records import Signature

__all__ = ["case_names", "column_types", "find_file", "read_cases"]

NAME, BECAUSE = "case", "because"
"""The columns that name a case and say why it is one. Neither is needed."""
_OURS = Path(__file__).resolve().parents[1]
_MOST = 100_000


def read_cases(cases: Any, types: Mapping[str, str] | None = None) -> pa.Table:
    """Return the cases as an Arrow table: of a CSV file (UTF-8, names in its first line), or of any table.

    In a CSV file an empty cell is a null, and `""` an empty text. A relative path is looked for beside the file that
    calls plusone, in the folder of the project and in the working folder.

    Args:
        types: the type of a column, where it is not to be found out from the cells: `string`, `int64`, `float64`,
            `bool`.

    Raises:
        UsageError: when there is no such file, it lies outside of the project, or it is no table of 1 to 100,000 cases.
    """
    if isinstance(cases, (str, Path)):
        table, where = _read_csv(find_file(cases), types or {}), f"{cases} has"
    else:
        if isinstance(cases, (list, tuple)) and (
            odd := next((one for one in cases if not isinstance(one, Mapping)), None)
        ):
            raise UsageError(
                f"A case is {str(odd)[:80]!r}: expected a dict for each.", mend='[{"case": "a name", "text": "..."}]'
            )
        try:
            table, where = to_arrow(cases), "The table of cases has"
        except PlusoneError as error:
            raise UsageError(f"The cases can't be read as a table: {error.message}", mend=error.mend) from error
    if not 1 <= table.num_rows <= _MOST:
        raise UsageError(
            f"{where} {table.num_rows:,} rows: expected 1 to {_MOST:,} cases.",
            mend="give a table with a row for each case",
        )
    return table


def column_types(signature: Signature, expected: str) -> dict[str, str]:
    """Return the types of a model's fields, and of what is expected, for columns of a CSV file.

    Raises:
        UsageError: when a field holds tensors, which no cell of a CSV file does.
    """
    output = signature.output
    types = {field.name: field.dtype for field in signature.fields if field.shape is None}
    numbers = dict.fromkeys((*output.names, "tolerance", "probability"), "float64")
    if output.kind == "labels":
        for one in singles(output):
            numbers |= {one.name: _type_of(one.classes) or "string"}
    return {**numbers, **types, expected: _type_of(output.classes) or "float64", NAME: "string", BECAUSE: "string"}


def _type_of(classes: Sequence[Any]) -> str | None:
    """Return the type of a column of labels; None where they are of several, or numbers that are not whole."""
    kinds = {type(one).__name__ for one in classes}
    return {"bool": "bool", "int": "int64", "str": "string"}.get(next(iter(kinds), "")) if len(kinds) == 1 else None


def case_names(table: pa.Table) -> list[str]:
    """Return a name for each case: its column `case`, or its number from 1; repeated names with their number."""
    given = table.column(NAME).to_pylist() if NAME in table.column_names else [None] * table.num_rows
    names = [f"case {place}" if name is None else str(name)[:80] for place, name in enumerate(given, 1)]
    counts = Counter(names)
    return [f"{name} ({place})" if counts[name] > 1 else name for place, name in enumerate(names, 1)]


def find_file(path: str | Path) -> Path:
    """Return the file that a test means: beside itself, in the project's folder, or in the working folder.

    Raises:
        UsageError: when there is none, or it lies outside of the project.
    """
    beside = _calling_folder()
    try:
        root = find_project(beside)
    except ConfigError:
        root = None
    folders = list(dict.fromkeys(folder for folder in (beside, root, Path.cwd()) if folder is not None))
    try:
        found = next((file for folder in folders if (file := folder / path).is_file()), None)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{str(path)[:200]!r} is no path of a file: {error}.", mend="give the path of a CSV file: 'tests/cases.csv'"
        ) from error
    if found is None:
        looked = ", ".join(str(folder) for folder in folders)
        raise UsageError(
            f"There is no file {str(path)[:200]!r}. Looked in {looked}.",
            mend="put it beside the tests; cases of your own are a list",
        )
    if root is not None and root.resolve() not in found.resolve().parents:
        raise UsageError(
            f"{path} lies outside of the project {root}: it would not be kept with the release that it tested.",
            mend="put it into the tests folder of the project",
        )
    return found


def _calling_folder() -> Path:
    """Return the folder of the file that called plusone; the working folder where that is none."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        file = Path(frame.f_code.co_filename)
        if _OURS not in file.parents:
            return file.parent if file.is_file() else Path.cwd()
        frame = frame.f_back
    return Path.cwd()


def _read_csv(file: Path, types: Mapping[str, str]) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    kinds = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_()}
    try:
        table = csv.read_csv(
            file,
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types={name: kinds[kind] for name, kind in types.items() if kind in kinds},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        return to_arrow(table)
    except (pa.ArrowException, OSError, ValueError, UnicodeError) as error:
        raise UsageError(
            f"{file.name} can't be read as CSV: {str(error).rstrip('.')}.",
            mend="write it as UTF-8 with the names of the columns in its first line",
        ) from error
