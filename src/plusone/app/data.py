"""The operations on data: what a step output of the last run holds, and what is expected of the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base.errors import NotFound, UsageError
from ..store import Store
from ..tracking.runs import latest_outputs
from .views import ExpectedTests

if TYPE_CHECKING:
    from ..profiles.describing import TableProfile

__all__ = ["Profiling"]


class Profiling:
    """What App answers about data."""

    store: Store

    def list_outputs(self) -> list[str]:
        """Return the names of the step outputs of the last run that are tables."""
        outputs = latest_outputs(self.store)
        return sorted(name for name, one in outputs.items() if one.kind in ("table", "arrays"))

    def get_profile(self, *, step: str) -> TableProfile:
        """Return what a step output of the last run holds, column by column.

        Raises:
            NotFound: there is no such step output.
            UsageError: it is no table.
            BrokenArtifact: its bytes are gone.
        """
        from ..profiles.describing import describe  # here, and below: it loads numpy and Arrow

        return describe(self._table(step))

    def infer_tests(self, *, step: str) -> ExpectedTests:
        """Return what is expected of a step output, inferred from that of the last run, as a test file.

        Raises:
            NotFound, UsageError, BrokenArtifact: as `get_profile`.
        """
        from ..profiles.inferring import infer
        from ..profiles.writing import write_tests

        table = self._table(step)
        return ExpectedTests(step=step, rows=table.rows, text=write_tests(step, infer(table)))

    def _table(self, step: str) -> Any:
        from ..data.datasets import load_table
        from ..data.views import TableView

        outputs = latest_outputs(self.store)
        dataset = outputs.get(step)
        if dataset is None:
            known = self.list_outputs()
            raise NotFound(
                f"The last run has no step output {step[:80]!r}. It has the tables: {', '.join(known) or 'none'}.",
                mend=f"plusone data profile {known[0]}" if known else "plusone release",
            )
        if dataset.kind not in ("table", "arrays"):
            known = self.list_outputs()
            raise UsageError(
                f"The step output {step!r} is of kind {dataset.kind!r}: expected a table, one of: "
                f"{', '.join(known) or 'there is none'}.",
                mend=f"plusone data profile {known[0]}" if known else "let a step return a table: plusone release",
            )
        return TableView(load_table(dataset, self.store.blobs))
