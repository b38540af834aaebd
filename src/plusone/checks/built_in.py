"""Plusone's own checks beside the project's tests: each is one item of the same pytest, with an outcome of its own.

They are found by entry point (group `plusone.checks`): a function `(Given) -> Iterable[BuiltIn]`, which is given what
the session knows and returns the checks that it has for it; `NAMES` of its module says their names (see `skips`). These
begin with `plusone::`, and no option of pytest takes one out; a project does, with `[tool.plusone.checks] skip`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from ..base.config import Checks
from ..base.errors import PlusoneError
from ..base.plugins import find
from ..base.records import Dataset, Learning
from ..measuring.outcomes import CheckFailed, Inconclusive
from .context import Context
from .skips import GROUP, check_skips
from .values import Values, load_release
from .verdict import BUILT_IN

if TYPE_CHECKING:
    import pyarrow as pa

    from ..predictor import Predictor

__all__ = ["BuiltIn", "BuiltInItem", "Given", "built_in_items"]


class BuiltIn(NamedTuple):
    """One check: its name, as `columns[train_set]`, and what runs it and raises what it means."""

    name: str
    run: Callable[[], object]


class Given:
    """What a session of checks knows. Everything is read when it is first asked for."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._values = Values(context)
        self._tables: dict[tuple[str, str], Any] = {}

    @property
    def learning(self) -> Learning:
        """What the model learns from and answers."""
        return self.context.learning

    @property
    def settings(self) -> Checks:
        """`[tool.plusone.checks]` of the project."""
        return self.context.settings

    @property
    def outputs(self) -> dict[str, Dataset]:
        """The step outputs of this run, by name."""
        return self.context.outputs

    @property
    def before(self) -> dict[str, Dataset]:
        """The step outputs that the live release was made with; empty when none is live."""
        return self.context.before

    @property
    def holdouts(self) -> tuple[str, ...]:
        """The tables of this run that the model did not learn from and can be asked about: its fields and targets."""
        known = self.outputs
        training = known.get(self.learning.inputs[0]) if self.learning.inputs else None
        if training is None or not self.learning.targets:
            return ()
        features = self.learning.features or tuple(column.name for column in training.columns)
        needed = {*features, *self.learning.targets}
        return tuple(
            name
            for name, dataset in sorted(known.items())
            if dataset.kind == "table"
            and name not in self.learning.upstream
            and needed <= {column.name for column in dataset.columns}
        )

    def value(self, name: str) -> Any:
        """Return a step output of this run as the project's tests get it, in an object of its own."""
        return self._values.fresh(name)

    def table(self, name: str) -> pa.Table:
        """Return a step output of this run, which is a table, as an Arrow table (do not change it)."""
        return self._table("now", self.outputs[name])

    def table_before(self, name: str) -> pa.Table:
        """Return the step output of the same name that the live release was made with.

        Raises:
            BrokenArtifact, NotFound: its bytes are gone.
        """
        return self._table("before", self.before[name])

    @cached_property
    def model(self) -> Predictor:
        """The candidate, as it will be served."""
        assert self.context.candidate is not None
        return load_release(self.context.candidate, self.context)

    @cached_property
    def live(self) -> Predictor | None:
        """The live release; None when there is none."""
        return load_release(self.context.live, self.context) if self.context.live is not None else None

    def _table(self, when: str, dataset: Dataset) -> pa.Table:
        key = (when, dataset.digest)
        if key not in self._tables:
            from ..data.datasets import load_table
            from ..store.opening import open_blobs

            blobs = open_blobs(Path(self.context.blobs), self.context.bucket)
            self._tables[key] = load_table(dataset, blobs)
        return self._tables[key]


class BuiltInFile(pytest.File):
    """What plusone's own checks lie in, for whoever draws the tests as a tree: the file in which one is left out.

    An editor's runner takes the path of an item's parent for a file of the project. With the session itself as parent
    that is the project's folder, and the tree of folders above the file of that name never ends.
    """

    def __init__(self, *, made: Iterable[BuiltIn], **rest: Any) -> None:
        super().__init__(**rest)
        self._made = made

    def collect(self) -> list[BuiltInItem]:
        """Return the checks as items."""
        return [
            BuiltInItem.from_parent(self, name=check.name, nodeid=f"{BUILT_IN}{check.name}", check=check)
            for check in self._made
        ]


class BuiltInItem(pytest.Item):
    """One of plusone's own checks as pytest runs it."""

    def __init__(self, *, check: BuiltIn, **rest: Any) -> None:
        super().__init__(**rest)
        self.check = check

    def runtest(self) -> None:
        """Run the check."""
        self.check.run()

    def reportinfo(self) -> tuple[Path, None, str]:
        """Say what it is called."""
        return self.path, None, self.nodeid

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what a check says, and a traceback only where it broke."""
        if isinstance(excinfo.value, (CheckFailed, Inconclusive, PlusoneError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


def built_in_items(session: pytest.Session, context: Context) -> list[BuiltInItem]:
    """Return plusone's own checks for this session; none where the project switched them off.

    Raises:
        pytest.UsageError: the project leaves out a check that there is not.
    """
    if not context.settings.built_in:
        return []
    place = Path(context.root) / "pyproject.toml"
    try:
        check_skips(context.settings.skip, (*context.outputs, *context.not_made), str(place))
    except PlusoneError as error:
        raise pytest.UsageError(str(error)) from error
    checks = (
        check
        for check in _checks(Given(context))
        if not {check.name, check.name.partition("[")[0]} & set(context.settings.skip)
    )
    own = BUILT_IN.rstrip(":")
    return BuiltInFile.from_parent(session, path=place, name=own, nodeid=own, made=checks).collect()


def _checks(given: Given) -> Iterable[BuiltIn]:
    """Yield what each entry point has; one that can't say what it has is a check by its name, which says why not.

    A candidate that nobody trusts, or a live release whose bytes are gone, must not end the session: the tests of the
    project have something to say of it, too.
    """
    for point in find(GROUP):
        try:
            yield from point.load()(given)
        except Exception as error:
            yield BuiltIn(point.name, partial(_raise, error))


def _raise(error: Exception) -> None:
    raise error
