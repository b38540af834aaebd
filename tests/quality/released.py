"""Releases whose sessions hold the checks that a test wants, and the command line to look at them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from plusone.base import clock
from plusone.base.ids import new_id
from plusone.base.records import Check, Release, Session
from plusone.cli import main as cli
from plusone.release.testing import add_session
from tests.release.written import Written

__all__ = ["add_checks", "checked", "run"]


def add_checks(
    written: Written, release: Release, checks: Sequence[Check], *, problems: tuple[str, ...] = ()
) -> Session:
    """Add a session of these checks to a release and return it."""
    session = Session(
        id=new_id(), release=release.digest, run_id=release.run_id, checks=tuple(checks), problems=problems,
        started_at=clock.now(), finished_at=clock.now(),
    )  # fmt: skip
    with written.store.db.write() as tx:
        add_session(tx, session)
    return session


def checked(*extra: Check) -> tuple[Check, ...]:
    """Return a test of the project on the data, one on the model, one of plusone's own, and more."""
    measured = {"check": "at_least", "metric": "roc_auc", "candidate": 0.7012, "value": 0.65, "rows": 12345}
    measured |= {"outcome": "passed", "message": "roc_auc is 0.7012; expected is at least 0.65"}
    return (
        Check(test="tests/test_data.py::test_rows", subject="data", outcome="passed", output="three columns\n"),
        Check(test="tests/test_model.py::test_good", subject="model", outcome="passed", measured=(measured,)),
        Check(
            test="plusone::shift[train_set]",
            subject="data",
            outcome="passed",
            measured=({"warning": "temp moved", "distance": 0.31},),
        ),
        *extra,
    )


def run(*words: str) -> int:
    """Run a command in this process and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main(list(words))
    return int(ended.value.code or 0)
