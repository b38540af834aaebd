"""The process that holds one model: `python -I child.py SOCKET LIFELINE [FOLDER...]`, in the environment of its lock.

It needs the standard library, numpy and what the model imports; it has no plusone. It is told which package to load,
then answers one request after the other. It ends when the lifeline's other end is closed, however that comes about and
whatever the model does meanwhile: the kernel sends the signal.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import fcntl
import importlib
import importlib.util
import io
import json
import math
import os
import select
import signal
import socket
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path += sys.argv[3:]  # of a Python that was started without its own: `-S`

import numpy as np

_NICE = 5
_OOM_SCORE = 500
_TRACE = 4000
_MISSING = "\ue000missing"
"""What stands for a missing string: `graphs.layout.MISSING`."""


def main(arguments: list[str]) -> int:
    """Answer what comes over the socket until its other end is closed; return 0."""
    connection, lifeline = socket.socket(fileno=int(arguments[0])), int(arguments[1])
    end_with(lifeline)
    for descriptor in (connection.fileno(), lifeline):
        os.set_inheritable(descriptor, False)
    # What the model forks must not hold the socket open: who waits for this process would not learn of its end.
    os.register_at_fork(after_in_child=lambda: _let_go(connection.fileno(), lifeline))
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), "ascii")
    sys.dont_write_bytecode = True
    for printed in (sys.stdout, sys.stderr):
        if isinstance(printed, io.TextIOWrapper):
            printed.reconfigure(line_buffering=True)  # a line of the log is a line of the model's
    warnings.simplefilter("ignore")
    with contextlib.suppress(ConnectionError):  # who asked is gone
        serve(_wire().Stream(connection))
    return 0


def _wire() -> Any:
    """Return the module of the frames."""
    return _beside("wire")


def _beside(name: str) -> Any:
    """Return a module by its file: the package that it is of is not here."""
    spec = importlib.util.spec_from_file_location(f"plusone_native_{name}", Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise ImportError(f"{name}.py is not beside child.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def end_with(lifeline: int) -> None:
    """Have this process, and what it starts, ended by the kernel when the pipe's other end is closed.

    A thread can't do that alone: a model that computes with the interpreter's lock lets no thread run.
    """
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp() if os.getpgrp() == os.getpid() else os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    threading.Thread(target=_watch, args=(lifeline,), name="watch", daemon=True).start()


def _watch(lifeline: int) -> None:
    poll = select.poll()
    poll.register(lifeline, select.POLLIN)
    poll.poll()
    os._exit(0)


def _let_go(*descriptors: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)


def serve(stream: Any) -> None:
    """Load the model that the first frame names, and answer the frames after it."""
    answer: Callable[[Any], dict[str, Any]] | None = None
    while (frame := stream.receive()) is not None:
        number = frame.meta.get("request", 0)
        arrays: dict[str, Any] = {}
        try:
            meta: dict[str, Any] = {"kind": "done"}
            if frame.meta.get("kind") == "files":
                meta["files"] = _imported()
            elif answer is None:
                answer = load(frame.meta).answer
            else:
                arrays = answer(frame)
        except ModuleNotFoundError as error:
            meta = {**_failed(error), "missing": error.name or ""}
        except BaseException as error:  # whatever a model raises, SystemExit too: who asked gets an answer
            meta = _failed(error)
        stream.send({**meta, "request": number}, arrays)


def _imported() -> list[str]:
    """Return the file of each module that was imported so far, of which the lock of the environment is made."""
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return sorted(file for file in files if isinstance(file, str) and file != __file__)


def _failed(error: BaseException) -> dict[str, Any]:
    text = f"{type(error).__name__}: {error}"[:_TRACE]
    trace = "".join(traceback.format_exception(error))[-_TRACE:]
    return {"kind": "failed", "error": _clean(text), "trace": _clean(trace)}


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


# ------------------------------------------------------------------------------------------ loading


def load(meta: dict[str, Any]) -> Model:
    """Return the model of the package in `meta["folder"]`, as its options say."""
    folder = Path(meta["folder"])
    project = folder / "project"
    if project.is_dir():
        os.chdir(project)
        for place in reversed(meta["options"].get("paths", ["."])):
            sys.path.insert(0, str((project / place).resolve()))
    return Model(_Reader(folder).model(meta["options"]["entry"]), meta)


class _Reader:
    """Makes the trained object out of the files of its package: what `native/state.py` wrote."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def model(self, entry: dict[str, Any]) -> Any:
        """Return the function or the object that the entry describes."""
        if entry["kind"] == "skops":
            return self._skops(entry["file"])
        found = _named(entry["module"], entry["name"])
        if entry["kind"] == "function":
            return found
        if entry["kind"] == "saved":
            return found.load(self._folder / "state" / "saved")
        state = json.loads((self._folder / "state" / "state.json").read_text("utf-8"))
        return self._object(found, state)

    def _object(self, kind: Any, state: dict[str, Any]) -> Any:
        made = kind.__new__(kind)
        for name, value in state.items():
            # Frozen dataclasses refuse the usual way.
            object.__setattr__(made, name, self._value(value))
        return made

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._value(one) for one in value]
        if not isinstance(value, dict):
            return value
        if "$" not in value:
            return {key: self._value(one) for key, one in value.items()}
        return getattr(self, f"_make_{value['$']}")(value)

    def _make_tuple(self, value: dict[str, Any]) -> Any:
        return tuple(map(self._value, value["items"]))

    def _make_set(self, value: dict[str, Any]) -> Any:
        return set(map(self._value, value["items"]))

    def _make_frozenset(self, value: dict[str, Any]) -> Any:
        return frozenset(map(self._value, value["items"]))

    def _make_dict(self, value: dict[str, Any]) -> Any:
        return {self._value(key): self._value(one) for key, one in value["pairs"]}

    def _make_bytes(self, value: dict[str, Any]) -> Any:
        return base64.b64decode(value["base64"])

    def _make_date(self, value: dict[str, Any]) -> Any:
        return dt.date.fromisoformat(value["iso"])

    def _make_datetime(self, value: dict[str, Any]) -> Any:
        return dt.datetime.fromisoformat(value["iso"])

    def _make_time(self, value: dict[str, Any]) -> Any:
        return dt.time.fromisoformat(value["iso"])

    def _make_path(self, value: dict[str, Any]) -> Any:
        return self._folder / "project" / value["path"]

    def _make_named(self, value: dict[str, Any]) -> Any:
        return _named(value["module"], value["name"])

    def _make_object(self, value: dict[str, Any]) -> Any:
        return self._object(_named(value["module"], value["name"]), value["state"])

    def _make_array(self, value: dict[str, Any]) -> Any:
        with (self._folder / value["file"]).open("rb") as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)

    def _make_scalar(self, value: dict[str, Any]) -> Any:
        return self._make_array(value)[()]

    def _make_skops(self, value: dict[str, Any]) -> Any:
        return self._skops(value["file"])

    def _make_table(self, value: dict[str, Any]) -> Any:
        import pyarrow as pa

        with pa.OSFile(str(self._folder / value["file"])) as source:
            table: Any = pa.ipc.open_file(source).read_all()
        if value["flavour"] == "pandas":
            table = table.to_pandas()
        elif value["flavour"] == "polars":
            table = importlib.import_module("polars").from_arrow(table)
        if "series" not in value:
            return table
        series = table["values"]
        return series.rename(value["series"] or (None if value["flavour"] == "pandas" else ""))

    def _skops(self, file: str) -> Any:
        import skops.io as skops

        data = (self._folder / file).read_bytes()
        # Who started this process has found every type of the package safe, of the project, or trusted by a person.
        return skops.loads(data, trusted=skops.get_untrusted_types(data=data))


def _named(module: str, name: str) -> Any:
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


# ------------------------------------------------------------------------------------------ answering


class Model:
    """The trained object, asked with the dataframe that it was trained with."""

    def __init__(self, model: Any, meta: dict[str, Any]) -> None:
        options = meta["options"]
        self._predict: Callable[[Any], Any] = getattr(model, "predict", model)
        self._rank: Callable[[Any], Any] | None = getattr(model, "rank", None)
        self._probabilities: Callable[[Any], Any] | None = getattr(model, "predict_proba", None)
        self._output: str = options["output"]
        self._with_codes = bool(options.get("ask_labels"))
        self._width = int(meta.get("width", 1))
        self._classes: list[Any] = meta["classes"]
        self._codes = {label: code for code, label in enumerate(self._classes)}
        self._sizes: list[int] = meta.get("sizes", [])
        self._several = _beside("several") if self._sizes else None
        self._blocks: list[dict[str, Any]] = options["blocks"]
        self._columns: list[dict[str, Any]] = options["frame"]["columns"]
        self._frame: Callable[[dict[str, Any]], Any] = {
            "pandas": self._pandas,
            "polars": self._polars,
            "matrix": self._matrix,
            "numpy": self._arrays,
        }[options["frame"]["flavour"]]
        # Now, not while the first request waits.
        if self._frame == self._polars:
            importlib.import_module("polars")
        elif self._frame == self._pandas:
            to_dtype = importlib.import_module("pandas").api.types.pandas_dtype
            self._columns = [{**one, "type": to_dtype(one["as"])} for one in self._columns]

    def answer(self, frame: Any) -> dict[str, Any]:
        """Return the arrays of the answers to the arrays of a request."""
        rows = int(frame.meta["rows"])
        data = self._frame(self._values(frame.arrays))
        if self._output == "probabilities" and self._probabilities is not None:
            found = {"probabilities": self._shares(self._probabilities(data), rows)}
            if self._with_codes:
                found["codes"] = self._as_codes(self._predict(data), rows)
            return found
        if self._output == "ranking" and self._rank is not None:
            codes, scores = ranked(self._rank(data), self._codes, rows, self._width)
            return {"codes": codes, "scores": scores}
        answers = self._predict(data)
        if self._output == "codes":
            return {"codes": self._as_codes(answers, rows)}
        if self._output == "vector":
            return {"numbers": _numbers(answers, (rows, self._width))}
        return {"numbers": _numbers(answers, (rows,))}

    def _shares(self, answers: Any, rows: int) -> Any:
        if self._several is not None:
            return self._several.join_probabilities(answers, rows, self._sizes)
        return _numbers(answers, (rows, len(self._classes)))

    def _as_codes(self, answers: Any, rows: int) -> Any:
        if self._several is not None:
            classes = iter(self._classes)
            return self._several.labels_to_codes(
                answers, rows, [[next(classes) for _ in range(n)] for n in self._sizes]
            )
        labels: list[Any] = np.asarray(answers).ravel().tolist()
        if len(labels) != rows:
            raise ValueError(f"the model answered {len(labels)} labels to {rows} rows")
        try:
            return np.array([self._codes[label] for label in labels], dtype=np.int64)
        except (KeyError, TypeError):
            other = next(label for label in labels if label not in self._classes)
            raise ValueError(f"the model answered {other!r}, which is none of its classes") from None

    def _values(self, arrays: dict[str, Any]) -> dict[str, Any]:
        """Return the values by field, as they came: strings and None, or numbers, of which NaN are missing ones."""
        found: dict[str, Any] = {}
        for block in self._blocks:
            array, names = arrays[block["name"]], block["fields"]
            if block.get("shape") is not None or block["dtype"] not in ("float64", "int64", "string"):
                found[names[0]] = array
                continue
            for place, name in enumerate(names):
                found[name] = array[:, place]
        return found

    def _pandas(self, values: dict[str, Any]) -> Any:
        pandas = importlib.import_module("pandas")
        columns = {one["name"]: _pandas_column(pandas, values[one["name"]], one) for one in self._columns}
        return pandas.DataFrame(columns, copy=False)

    def _polars(self, values: dict[str, Any]) -> Any:
        polars = importlib.import_module("polars")
        columns = {one["name"]: _polars_column(polars, values[one["name"]], one) for one in self._columns}
        return polars.DataFrame(columns)

    def _matrix(self, values: dict[str, Any]) -> Any:
        columns = [_flat(_plain_column(values[one["name"]], one)) for one in self._columns]
        kinds = {column.dtype.kind for column in columns}
        if "O" in kinds or ("b" in kinds and len(kinds) > 1):
            columns = [column.astype(object) for column in columns]
        return np.column_stack(columns)

    def _arrays(self, values: dict[str, Any]) -> Any:
        found = {one["name"]: _plain_column(values[one["name"]], one) for one in self._columns}
        return next(iter(found.values())) if len(found) == 1 else found


def ranked(answers: Any, codes: dict[Any, int], rows: int, width: int) -> tuple[Any, Any]:
    """Return the codes of ranked items, -1 for none, and their scores, NaN for none; both of shape (rows, width).

    Args:
        answers: for each row the pairs of an item and its score, best first.
        codes: that of each item that may be ranked.
    """
    lists = list(answers)
    if len(lists) != rows:
        raise ValueError(f"the model ranked items for {len(lists)} rows of {rows}")
    places = np.full((rows, width), -1, dtype=np.int64)
    scores = np.full((rows, width), np.nan)
    for row, pairs in enumerate(lists):
        pairs = list(pairs)
        if len(pairs) > width:
            raise ValueError(f"the model ranked {len(pairs)} items in row {row}: expected at most {width}, its `k`")
        for place, pair in enumerate(pairs):
            if len(pair) != 2:
                raise ValueError(f"the model ranked {pair!r} in row {row}: expected an item and its score")
            item, score = pair
            if item not in codes:
                raise ValueError(f"the model ranked {item!r} in row {row}, which is none of its `items`")
            places[row, place], scores[row, place] = codes[item], score
        if np.isnan(scores[row, : len(pairs)]).any():
            raise ValueError(f"the model ranked an item in row {row} with the score NaN: expected a number")
        if len({item for item, _ in pairs}) < len(pairs):
            raise ValueError(f"the model ranked an item twice in row {row}")
    return places, scores


def _flat(column: Any) -> Any:
    return column if column.ndim == 1 else column.reshape(len(column), math.prod(column.shape[1:]))


def _plain_column(values: Any, column: dict[str, Any]) -> Any:
    """Return a column as an array of the type that it had in training, or of what stands for nulls beside that."""
    kind, wanted = column["dtype"], column["as"]
    if values.ndim > 1 or kind in ("float32", "uint8"):
        return values
    if kind == "string":
        return np.array([None if value == _MISSING else value for value in values.tolist()], dtype=object)
    if kind == "float64":
        return values.astype(wanted, copy=False) if wanted.startswith("float") else values
    nulls = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)
    if not nulls.any():
        return values.astype(
            np.bool_ if kind == "bool" else wanted if "int" in wanted and wanted.islower() else np.int64
        )
    if kind == "bool":
        return np.array([None if math.isnan(value) else bool(value) for value in values.tolist()], dtype=object)
    return values.astype(np.float64, copy=False)


def _pandas_column(pandas: Any, values: Any, column: dict[str, Any]) -> Any:
    plain: Any = _plain_column(values, column)
    if "categories" in column:
        return pandas.Categorical(plain, categories=column["categories"], ordered=column["ordered"])
    if isinstance(column["type"], np.dtype):
        return plain
    if plain.dtype.kind == "f" and column["dtype"] != "float64":
        plain = [None if math.isnan(value) else int(value) for value in plain.tolist()]
    return pandas.array(plain, dtype=column["type"])


def _polars_column(polars: Any, values: Any, column: dict[str, Any]) -> Any:
    plain, wanted = _plain_column(values, column), getattr(polars, column["as"], None)
    if column["dtype"] == "int64" and plain.dtype.kind == "f":
        plain = [None if math.isnan(value) else int(value) for value in plain.tolist()]
    elif column["dtype"] == "float64":
        series = polars.Series(column["name"], plain).fill_nan(None)
        return series.cast(wanted) if wanted is not None else series
    elif plain.dtype.kind == "O":
        plain = plain.tolist()
    if "categories" in column:
        return polars.Series(column["name"], plain, dtype=polars.Enum(column["categories"]))
    series = polars.Series(column["name"], plain)
    return series.cast(wanted) if wanted is not None else series


def _numbers(answers: Any, shape: tuple[int, ...]) -> Any:
    found = np.asarray(answers)
    if found.size != math.prod(shape) or found.ndim > max(2, len(shape)):
        raise ValueError(f"the model answered an array of shape {found.shape}: expected {shape}")
    return np.ascontiguousarray(found.reshape(shape), dtype=np.float64)


if __name__ == "__main__":
    # Threads of the model must not hold up the end.
    os._exit(main(sys.argv[1:]))
