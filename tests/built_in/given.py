"""What a session of checks would tell plusone's own checks, of tables and models at hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from plusone.base.config import Checks
from plusone.base.records import Column, Dataset, Learning
from plusone.data.tables import to_arrow

__all__ = ["given", "outcomes"]


def _dataset(name: str, table: Any) -> Dataset:
    columns = tuple(Column(name=one.name, type=str(one.type), nullable=one.nullable) for one in table.schema)
    return Dataset(
        digest=f"{name}-{id(table)}", blob="", kind="table", flavour="pandas", size_bytes=1, rows=table.num_rows,
        columns=columns,
    )  # fmt: skip


def given(
    model: Any,
    now: dict[str, Any],
    *,
    live: Any = None,
    before: dict[str, Any] | None = None,
    targets: tuple[str, ...] = ("late",),
    subject: str = "model",
    settings: Checks | None = None,
) -> Any:
    """Tables by name, `train_set` among them; all others are holdouts. `before`: those that live was made with."""
    tables = {name: to_arrow(frame) for name, frame in now.items()}
    earlier = {name: to_arrow(frame) for name, frame in (before or {}).items()}
    outputs = {name: _dataset(name, table) for name, table in tables.items()}
    # The same frame is the same dataset.
    same = {name: outputs[name] for name, frame in (before or {}).items() if now.get(name) is frame}
    return SimpleNamespace(
        context=SimpleNamespace(subject=subject, candidate=model, live=live),
        learning=Learning(inputs=("train_set",), targets=targets, upstream=("train_set",)),
        settings=settings or Checks(),
        outputs=outputs,
        before={name: _dataset(name, table) for name, table in earlier.items()} | same,
        holdouts=tuple(name for name in sorted(tables) if name != "train_set"),
        model=model,
        live=live,
        table=tables.__getitem__,
        table_before=earlier.__getitem__,
    )


def outcomes(checks: Any) -> dict[str, str]:
    """What came of each check: its outcome, and after it what was said."""
    from plusone.measuring.outcomes import CheckFailed, NotApplicable, recording

    found: dict[str, str] = {}
    for check in checks:
        with recording() as measured:
            try:
                check.run()
                warned = [one["warning"] for one in measured if "warning" in one]
                found[check.name] = f"warned: {'; '.join(warned)}" if warned else "passed"
            except CheckFailed as error:
                found[check.name] = f"failed: {error}"
            except NotApplicable as error:
                found[check.name] = f"not applicable: {error}"
    return found
