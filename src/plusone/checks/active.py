"""Wakes the plugin: which fixtures this pytest gets, and whether it is a session whose outcomes are recorded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ..base.errors import PlusoneError, UsageError
from . import context as contexts
from .by_hand import by_hand
from .context import Context
from .fixtures import Fixtures
from .recorder import Recorder
from .result import Writer

__all__ = ["activate"]


def activate(config: pytest.Config, path: Path | None, root: Path) -> None:
    """Register the fixtures and, with a context file, the recorder; without one for the project in the folder `root`.

    Raises:
        pytest.UsageError: when the context file can't be read.
    """
    if path is None:
        _register(config, Fixtures(*_last_run(root)))
        return
    try:
        context = contexts.read(path)
    except PlusoneError as error:
        raise pytest.UsageError(str(error)) from error
    # Nothing is written into the project. What pytest and plusone need has been imported, and may have been cached.
    sys.dont_write_bytecode = True
    _register(config, Fixtures(context))
    config.pluginmanager.register(Recorder(context, Writer(Path(context.result)), config), "plusone-recorder")


def _register(config: pytest.Config, fixtures: Fixtures) -> None:
    config.pluginmanager.register(fixtures, "plusone-values")
    config.pluginmanager.register(fixtures.holder(), "plusone-fixtures")


def _last_run(root: Path) -> tuple[Context | None, PlusoneError]:
    """Return what a person who typed `pytest` gets; without a run, None and why."""
    try:
        return by_hand(root), UsageError("no run yet", mend="plusone release --until STEP")
    except PlusoneError as error:
        # Tests that need nothing of ours must still run.
        return None, error
