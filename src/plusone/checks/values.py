"""What tests ask for: step outputs in objects that nobody else has, and releases loaded as they will be served."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import UsageError
from .context import Context, ReleaseRef

if TYPE_CHECKING:
    from ..predictor import Predictor

__all__ = ["Values", "load_release"]


def load_release(release: ReleaseRef, context: Context) -> Predictor:
    """Return a packaged model, verified by its digest and loaded by the code that serves it."""
    from ..predictor import load

    return load(Path(release.folder), release.package, trusted=frozenset(context.trusted))


class Values:
    """The step outputs of a run: read from the blobs once, given as a fresh copy each time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._kept: dict[str, Any] = {}

    def fresh(self, name: str) -> Any:
        """Return the value of the step output `name`, in an object that nobody else has.

        Raises:
            UsageError: when the run has not made it.
            BrokenArtifact: when its bytes are missing or were changed.
        """
        __tracebackhide__ = True
        if name not in self._context.outputs:
            raise self._not_made(name)
        dataset = self._context.outputs[name]
        if any("<" in column.type or "[" in column.type for column in dataset.columns):
            # Lists and structs inside a dataframe are objects that a copy would share: read it again.
            return self._read(name)
        if name not in self._kept:
            self._kept[name] = self._read(name)
        return _copy(self._kept[name])

    def _not_made(self, name: str) -> UsageError:
        context = self._context
        if context.result and len(context.models) > 1:
            others = [one for one in context.models if one != context.model]
            return UsageError(
                f"The model {context.model} is made without the step output {name!r}, and a test without a mark is one "
                "of every model.",
                mend=f'say whose test it is: @pytest.mark.model("{others[0]}")',
            )
        return UsageError(
            f"The step output {name!r} was not made in this run, so no test can use it.",
            mend=f"plusone release --until STEP, where STEP is the step that makes {name}",
        )

    def _read(self, name: str) -> Any:
        from ..data.datasets import load
        from ..store.opening import open_blobs

        return load(self._context.outputs[name], open_blobs(Path(self._context.blobs), self._context.bucket))


def _copy(value: Any) -> Any:
    """Return a copy that shares nothing that can be changed."""
    top = type(value).__module__.partition(".")[0]
    if isinstance(value, Path) or top == "pyarrow":
        return value
    if top == "pandas":
        return value.copy(deep=True)
    if top == "polars":
        return value.clone()
    return copy.deepcopy(value)
