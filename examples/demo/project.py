"""The project folder that the demo lives in: made fresh, and broken once, on purpose."""

from __future__ import annotations

import shutil
from pathlib import Path

__all__ = ["BROKEN", "NotOurs", "break_feature", "make_project", "mend_feature"]

EXAMPLE = Path(__file__).resolve().parents[1] / "flights"
MARK = ".made-by-demo"
ANCHOR = "    features = train_set[FEATURES]\n"
BROKEN = '    features["sched_dep_time"] = features["sched_dep_time"] // 100 * 60 + features["sched_dep_time"] % 100\n'
"""Someone finds that 1745 is no number to learn from and makes minutes of the day of it, 1065. A good thought in the
wrong place: requests go on bringing 1745, which the model now takes for a time after midnight."""


class NotOurs(Exception):
    """The folder is not one that the demo made, so it is left alone."""


def make_project(folder: Path) -> None:
    """Put a fresh copy of examples/flights at `folder`; a copy that an earlier demo made there is removed.

    Raises:
        NotOurs: when there is something else.
    """
    if folder.is_symlink() or (folder.exists() and not (folder / MARK).is_file()):
        raise NotOurs(f"{folder} was not made by this demo, so it is not removed. Move it away, or use --into FOLDER.")
    if folder.exists():
        shutil.rmtree(folder)
    ignore = shutil.ignore_patterns(".plusone", "__pycache__", ".pytest_cache")
    shutil.copytree(EXAMPLE, folder, ignore=ignore)
    (folder / MARK).write_text("This folder is made anew by every demo. Copy it elsewhere to keep it.\n", "utf-8")


def break_feature(folder: Path) -> list[str]:
    """Break the feature in the project's pipeline.py; return the change as lines of a diff."""
    file = folder / "pipeline.py"
    text = file.read_text("utf-8")
    if text.count(ANCHOR) != 1:
        raise NotOurs(f"{file} does not have the line {ANCHOR.strip()!r} once: it can't be broken the known way.")
    file.write_text(text.replace(ANCHOR, ANCHOR + BROKEN), "utf-8")
    return [f" {ANCHOR.rstrip()}", f"+{BROKEN.rstrip()}"]


def mend_feature(folder: Path) -> None:
    """Take the broken line out again."""
    file = folder / "pipeline.py"
    file.write_text(file.read_text("utf-8").replace(BROKEN, ""), "utf-8")
