"""Looks at a project again and again: what was counted between two of them, and what stays when something is gone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plusone.app.app import App
from plusone.base.config import load_project
from plusone.base.errors import NotFound
from plusone.control.publishing import Publisher
from plusone.watching.watcher import Watcher
from tests.release.written import Written, write_project


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    """A project whose release 2 is live and 1 is previous; 3 passed."""
    made = Written(tmp_path / "p")
    for number in range(3):
        made.release(live=number < 2)
    yield made
    made.close()


def count(root: Path, slot: int, *counts: dict[str, Any]) -> None:
    """Write what the worker of a slot counted."""
    folder = root / ".plusone" / "serving" / "evidence"
    folder.mkdir(parents=True, exist_ok=True)
    entries = [{"kind": "served", "model": "m", **one} for one in counts]
    (folder / f"{slot}.json").write_text(json.dumps({"counts": entries}), "utf-8")


def test_looks_count_what_all_workers_did_within_the_window(written: Written):
    now = Clock()
    count(written.root, 0, {"release": 2, "requests": 1000, "latency": {"-80": 1000}})
    with Watcher(load_project(written.root), window_s=10.0, now=now) as watcher:
        first = watcher.look()
        assert [(one.release, one.stage, one.share) for one in first.models[0].releases] == [
            (2, "live", 1.0),
            (1, "previous", 0.0),
        ]
        assert first.models[0].releases[0].requests_s == 0.0, "what was counted before it looked is not now"
        assert first.problems == ("No server is up. To start one: plusone up",)
        found = first.models[0].releases
        for look in range(1, 31):
            now.seconds += 1.0
            each = 1000 + 60 * look if look <= 15 else 1900
            count(written.root, 0, {"release": 2, "requests": each})
            count(written.root, 1, {"release": 2, "requests": 40 * look}, {"release": 1, "requests": look})
            found = watcher.look().models[0].releases
            if look == 15:
                assert (found[0].requests_s, found[1].requests_s) == (100.0, 1.0)
        assert found[0].requests_s == 40.0, "what is older than the window is forgotten"


def test_a_damaged_file_of_counts_costs_its_own_counts_only(written: Written):
    now = Clock()
    with Watcher(load_project(written.root), now=now) as watcher:
        count(written.root, 0, {"release": 2, "requests": 10})
        watcher.look()
        (written.root / ".plusone" / "serving" / "evidence" / "1.json").write_bytes(b"\xff not JSON")
        count(written.root, 0, {"release": 2, "requests": 30})
        now.seconds += 1.0
        assert watcher.look().models[0].releases[0].requests_s == 20.0


def test_a_rollout_is_in_the_glance_while_it_goes_on_and_when_it_has_just_ended(written: Written):
    with Watcher(load_project(written.root)) as watcher, App(written.root) as app:
        assert watcher.look().models[0].rollout is None
        app.begin_rollout(target="m@3", plan=["5% 5m"], wait_s=0.0)
        found = watcher.look().models[0]
        assert found.rollout is not None
        assert (found.rollout.release, found.rollout.status) == (3, "running")
        assert [(one.release, one.share) for one in found.releases] == [(2, 0.95), (3, 0.05), (1, 0.0)]
        app.abort_rollout(model="m", wait_s=0.0)
        found = watcher.look().models[0]
        assert found.rollout is not None
        assert found.rollout.status == "aborted"


def test_the_store_goes_and_comes_back_and_what_was_known_is_shown(written: Written):
    file, away = written.root / ".plusone" / "plusone.db", written.root / "away.db"
    now = Clock()
    with Watcher(load_project(written.root), now=now) as watcher:
        before = watcher.look()
        file.rename(away)
        count(written.root, 0, {"release": 2, "requests": 50})
        now.seconds += 1.0
        gone = watcher.look()
        assert gone.problems[0].startswith("There is no store in ")
        assert gone.problems[0].endswith("What was last known is shown.")
        assert gone.models[0].version == before.models[0].version
        assert gone.models[0].releases[0].requests_s == 50.0, "what is counted needs no store"
        away.rename(file)
        assert watcher.look().problems == before.problems


def test_another_store_in_its_place_is_opened(written: Written, tmp_path: Path):
    other = Written(tmp_path / "other")
    other.release("n", live=True)
    other.close()
    with Watcher(load_project(written.root)) as watcher:
        assert [one.model for one in watcher.look().models] == ["m"]
        written.close()
        for name in ("plusone.db-wal", "plusone.db-shm"):
            (written.root / ".plusone" / name).unlink(missing_ok=True)
        (tmp_path / "other" / ".plusone" / "plusone.db").replace(written.root / ".plusone" / "plusone.db")
        assert [one.model for one in watcher.look().models] == ["n"]


def test_without_a_store_from_the_start_the_route_file_says_what_is_served(written: Written):
    publisher = Publisher(written.store, written.root / ".plusone" / "serving")
    publisher.publish()
    (written.root / ".plusone" / "plusone.db").rename(written.root / "away.db")
    with Watcher(load_project(written.root)) as watcher:
        found = watcher.look()
    assert "There is no store" in found.problems[0]
    assert [(one.model, one.version) for one in found.models] == [("m", 2)]
    assert [(one.release, one.share) for one in found.models[0].releases] == [(2, 1.0), (1, 0.0)]
    (written.root / ".plusone" / "serving" / "route.json").write_text("{", "utf-8")
    with Watcher(load_project(written.root)) as watcher:
        assert "route.json" in watcher.look().problems[1]


@pytest.mark.slow
def test_a_store_that_does_not_answer_holds_up_no_look(tmp_path: Path):
    root = write_project(tmp_path / "p")
    with App(root):
        pass
    taken = sqlite3.connect(root / ".plusone" / "plusone.db", isolation_level=None, check_same_thread=False)
    taken.execute("PRAGMA locking_mode = EXCLUSIVE")
    taken.execute("BEGIN EXCLUSIVE")
    try:
        with Watcher(load_project(root)) as watcher:
            for _ in range(2):
                assert watcher.look().problems[0].startswith("The store has not answered for ")
            taken.execute("ROLLBACK")
            taken.close()
            assert any("not answered" not in "".join(watcher.look().problems) for _ in range(60)), "it answers again"
    finally:
        taken.close()


def test_a_model_that_is_none_is_said_at_once(written: Written):
    with Watcher(load_project(written.root), model="cars") as watcher, pytest.raises(NotFound, match="cars"):
        watcher.look()


def test_a_project_without_a_release_is_empty(tmp_path: Path):
    root = write_project(tmp_path / "p")
    with App(root):
        pass
    with Watcher(load_project(root)) as watcher:
        assert watcher.look().models == ()
