"""Plain Python models: functions of the project, and objects of its classes, that predict; and scikit-learn models that
can't be compiled. What of them goes into a package.
"""

from __future__ import annotations

import numbers
import reprlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..base.errors import Incompatible
from ..base.records import Field, Output
from ..formats import Compiled, Opened
from ..graphs.layout import Block
from .child import ranked
from .sources import Sources, is_ours
from .state import State, dump_skops

__all__ = ["SKOPS", "Packed", "Plain", "open_plain", "pack_object"]

SKOPS = "model.skops"
PROJECT = "project/"


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """A trained object as files, and how its process finds it in them."""

    format: str
    """`python` or `skops`."""
    entry: dict[str, Any]
    files: dict[str, bytes]
    """By path in the package."""
    types: tuple[str, ...]
    """What a person must trust: types that skops does not know to be safe, and that are not the project's."""
    paths: tuple[str, ...]
    """Where the project's modules are found, below its folder."""


class Plain:
    """A function or an object of the project, asked like an estimator.

    Args:
        output: what it answers, if that is a ranking: its `rank` is asked then.

    Attributes:
        takes_frames: it is asked with a dataframe, whatever it says of its features.
        classes_: only of one that answers labels: those it says itself, a list for each of several targets, or else
            the texts or booleans of the target.
    """

    takes_frames = True

    def __init__(self, model: Any, labels: Sequence[Any], output: Output | None = None) -> None:
        if output is not None:
            codes = {item: code for code, item in enumerate(output.classes)}
            self.rank: Callable[[Any], tuple[Any, Any]] = lambda frame: ranked(
                model.rank(frame), codes, _rows_of(frame), output.width
            )
            return
        self.predict: Callable[[Any], Any] = getattr(model, "predict", model)
        said: Any = getattr(model, "classes_", None)
        if said is None and labels and all(isinstance(label, (str, bool)) for label in labels):
            # Whole numbers may be labels or numbers: only the model could say which.
            said = list(labels)
        if said is not None:
            import numpy as np

            several = len(said) and all(isinstance(one, (list, tuple, np.ndarray)) for one in said)
            self.classes_: Any = [np.asarray(one) for one in said] if several else np.asarray(said)
            if callable(getattr(model, "predict_proba", None)):
                self.predict_proba: Callable[[Any], Any] = model.predict_proba


def open_plain(model: Any, labels: Sequence[Any], root: Path) -> Opened | None:
    """Return a function of the project, or an object of one of its classes that has `predict`, or `rank`; None for all
    others.
    """
    is_function = hasattr(model, "__qualname__") and callable(model) and not isinstance(model, type)
    kind = model if is_function else type(model)
    module = sys.modules.get(str(getattr(kind, "__module__", "")))
    if not is_ours(getattr(module, "__file__", None), root.resolve()):
        return None
    output = None if is_function else _ranking_of(model)
    if output is None and not is_function and not callable(getattr(model, "predict", None)):
        raise Incompatible(
            f"A {kind.__module__}.{kind.__qualname__} does not predict: it has no method predict.",
            mend="give the class a method predict(self, frame) that returns a value for each row",
        )
    return Opened(trained=Plain(model, labels, output), compile=_attempts, output=output)


def _ranking_of(model: Any) -> Output | None:
    """Return what an object answers that ranks items; None for one that does not.

    Raises:
        Incompatible: when it does not say which items, or how many.
    """
    if not callable(getattr(model, "rank", None)):
        return None
    items: Any = getattr(model, "items", None)
    if callable(getattr(model, "predict", None)) and (items is None or callable(items)):
        return None  # it predicts, and `rank` is its own affair
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    found: list[Any] = [] if items is None or callable(items) or isinstance(items, str) else list(items)
    found = [getattr(item, "item", lambda item=item: item)() for item in found]
    if not found or len(set(found)) < len(found) or any(not _is_id(item) for item in found):
        raise Incompatible(
            f"A {kind} ranks, and does not say which items: its attribute `items` is {reprlib.repr(items)}.",
            mend="set self.items to the list of all items that it may rank: different texts, or whole numbers",
        )
    k: Any = getattr(model, "k", None)
    if isinstance(k, bool) or not isinstance(k, numbers.Integral) or not 0 < int(k) <= len(found):
        raise Incompatible(
            f"A {kind} ranks, and does not say how many items at most: its attribute `k` is {k!r}.",
            mend=f"set self.k to a whole number from 1 to {len(found)}, the number of its items",
        )
    return Output(name="", kind="ranking", classes=tuple(found), width=int(k))


def _is_id(item: Any) -> bool:
    return isinstance(item, (str, int)) and not isinstance(item, bool)


def _rows_of(frame: Any) -> int:
    """Return how many rows a dataframe has, an array, or a dict of arrays."""
    return len(next(iter(frame.values()))) if isinstance(frame, dict) else len(frame)


def _attempts(fields: Sequence[Field], blocks: Sequence[Block]) -> Iterator[Compiled]:
    raise Incompatible("it is plain Python.")
    yield


def pack_object(model: Any, root: Path) -> Packed:
    """Return a trained object as files: plain Python with its sources and its state, an estimator as skops writes it.

    Raises:
        Incompatible: naming what can't be packaged, and what to do.
        UnsafeValue: when its own `save` wrote a pickle.
    """
    sources = Sources(root.resolve())
    base = sys.modules.get("sklearn.base")
    if base is not None and isinstance(model, base.BaseEstimator):
        data, types = dump_skops(model, sources, "the model")
        found = {SKOPS: data}
        entry: dict[str, Any] = {"kind": "skops", "file": SKOPS}
    else:
        state = State(sources)
        entry = state.keep(model)
        found, types = state.files, state.types
    return Packed(
        format="skops" if entry["kind"] == "skops" else "python",
        entry=entry,
        files={**found, **{f"{PROJECT}{path}": data for path, data in sources.files.items()}},
        types=tuple(sorted(types)),
        paths=tuple(_paths(sources)),
    )


def _paths(sources: Sources) -> Iterator[str]:
    """Give the folders of the project that its modules are imported from: its own, and those of it on `sys.path`."""
    yield "."
    for place in sys.path:
        if is_ours(place, sources.root):
            yield Path(place).resolve().relative_to(sources.root).as_posix()
