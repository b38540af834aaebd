from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from plusone.base.records import ModelRoute, RouteTarget
from plusone.loading import loads as loading
from plusone.loading.loads import Load, Loads
from plusone.workers import marks, routes
from tests.serving.serving_folder import ServingFolder, until

Events = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def events() -> Events:
    return []


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Holds every load up until it is set."""
    found = threading.Event()
    whole = loading.load

    def load(*arguments: Any, **named: Any) -> Any:
        found.wait(60.0)
        return whole(*arguments)

    monkeypatch.setattr(loading, "load", load)
    yield found
    found.set()


def _loads(serving: ServingFolder, events: Events, *, slot: int = 0, timeout_s: float = 60.0) -> Loads:
    (serving.path / "workers").mkdir(exist_ok=True)
    return Loads(
        serving.path, slot, lambda event, **fields: events.append((event, fields)), lambda: None, timeout_s=timeout_s
    )


def _collected(loads: Loads) -> list[Load]:
    found: list[Load] = []
    until(lambda: bool(found.extend(loads.collect()) or found), "a load to end", seconds=30)
    return found


def test_a_load_is_marked_while_it_goes_on(serving: ServingFolder, events: Events, gate: threading.Event):
    loads = _loads(serving, events)
    target = serving.target(1, 1.0)
    loads.begin("m", 7, target)
    loads.begin("m", 7, target)
    until(lambda: bool(marks.read(serving.path, 0)), "the mark")
    assert marks.read(serving.path, 0) == {target.package: marks.Mark(model="m", version=7)}
    gate.set()
    (one,) = _collected(loads)
    assert one.predictor is not None
    assert 0 < one.row_s < 1
    assert marks.read(serving.path, 0) == {}
    assert [event for event, _ in events] == ["release_loaded"]


def test_a_load_that_hangs_is_given_up_and_not_begun_again_until_it_ended(
    serving: ServingFolder, events: Events, gate: threading.Event
):
    loads = _loads(serving, events, timeout_s=0.05)
    target = serving.target(1, 1.0)
    loads.begin("m", 7, target)
    (one,) = _collected(loads)
    assert "load_timeout_s" in one.error
    assert "hangs still" in loads.refusal(target.package)
    assert target.package in marks.read(serving.path, 0), "it may kill the worker yet"
    gate.set()
    until(lambda: not loads.collect() and not loads.refusal(target.package), "its end")
    assert one.predictor is None
    assert marks.read(serving.path, 0) == {}


def test_a_broken_package_says_what_is_wrong(serving: ServingFolder, events: Events):
    loads = _loads(serving, events)
    loads.begin("m", 1, RouteTarget(release=1, digest="d", package="p", folder="packages/none", share=1.0))
    (one,) = _collected(loads)
    assert one.predictor is None
    assert "manifest.json" in one.error


def test_what_killed_the_worker_before_is_refused_until_no_route_needs_it(serving: ServingFolder, events: Events):
    target = serving.target(1, 1.0)
    loads = _loads(serving, events)
    marks.write(serving.path, 0, {target.package: marks.Mark(model="m", version=7)})
    loads.remember("-11")
    assert "SIGSEGV" in loads.refusal(target.package)
    assert marks.read(serving.path, 0)[target.package].refused
    loads.close()
    assert marks.read(serving.path, 0)[target.package].refused, "the next worker must know it, too"
    loads.forget({target.package})
    assert loads.refusal(target.package)
    loads.forget(set())
    assert (loads.refusal(target.package), marks.read(serving.path, 0)) == ("", {})


def test_a_suspect_is_loaded_alone(serving: ServingFolder, events: Events, gate: threading.Event):
    suspect, other = serving.target(1, 1.0), serving.target(2, 1.0)
    loads = _loads(serving, events)
    marks.write(serving.path, 0, {suspect.package: marks.Mark(model="m", version=7)})
    loads.remember("-9")
    assert loads.suspect(suspect.package)
    loads.begin("other", 1, other)
    loads.begin("m", 7, suspect)
    assert loads.under_way.keys() == {other.package}
    gate.set()
    _collected(loads)
    loads.begin("m", 7, suspect)
    (one,) = _collected(loads)
    assert one.predictor is not None
    assert not loads.suspect(suspect.package)


def test_workers_take_turns_at_a_package_that_is_new_to_the_machine(
    serving: ServingFolder, events: Events, gate: threading.Event
):
    target = serving.target(1, 1.0)
    first, second = _loads(serving, events), _loads(serving, events, slot=1)
    first.begin("m", 1, target)
    until(lambda: bool(marks.read(serving.path, 0)), "the first began")
    second.begin("m", 1, target)
    assert second.under_way[target.package].waits
    assert marks.read(serving.path, 1) == {}
    gate.set()
    assert _collected(first)[0].predictor is not None
    assert _collected(second)[0].predictor is not None


def test_a_package_that_was_served_before_is_loaded_by_all_at_once(
    serving: ServingFolder, events: Events, gate: threading.Event
):
    target = serving.target(1, 1.0)
    routes.write_good(serving.path, {"m": ModelRoute(version=1, targets=(target,))})
    first, second = _loads(serving, events), _loads(serving, events, slot=1)
    for one in (first, second):
        one.begin("m", 1, target)
    until(lambda: all(marks.read(serving.path, slot) for slot in (0, 1)), "both began")


def test_what_another_worker_died_of_is_waited_for_and_then_refused(serving: ServingFolder, events: Events):
    target = serving.target(1, 1.0)
    loads = _loads(serving, events)
    marks.write(serving.path, 1, {target.package: marks.Mark(model="m", version=1)})
    loads.begin("m", 1, target)
    assert loads.collect() == []
    marks.write(serving.path, 1, {target.package: marks.Mark(model="m", version=1, deaths=1, refused="it died of it")})
    (one,) = _collected(loads)
    assert "it died of it" in one.error
    assert marks.read(serving.path, 0) == {}


def test_what_no_route_needs_any_more_waits_no_longer(serving: ServingFolder, events: Events):
    target = serving.target(1, 1.0)
    loads = _loads(serving, events)
    marks.write(serving.path, 1, {target.package: marks.Mark(model="m", version=1)})
    loads.begin("m", 1, target)
    waiting = loads.under_way[target.package]
    loads.forget(set())
    assert not loads.under_way
    until(lambda: waiting.over, "its thread to end")
    assert waiting.predictor is None


def test_a_disk_without_room_for_marks_keeps_nothing_back(serving: ServingFolder, events: Events):
    loads = _loads(serving, events)
    (serving.path / "workers").rmdir()
    (serving.path / "workers").write_bytes(b"")
    loads.begin("m", 1, serving.target(1, 1.0))
    assert _collected(loads)[0].predictor is not None
    assert "mark_not_written" in [event for event, _ in events]


# What a load does: a big piece that is freed, then many, of which others keep the last in use.
_ALLOCATE = """
import ctypes, sys
from plusone.loading.loads import keep_big_pieces_apart
library = ctypes.CDLL(None)
library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
library.free.argtypes = [ctypes.c_void_p]
if sys.argv[1] == "apart":
    keep_big_pieces_apart()
def held():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
def piece(size):
    place = library.malloc(size)
    ctypes.memset(place, 1, size)
    return place
library.free(piece(30 << 20))
before = held()
pieces = [piece(4 << 20) for _ in range(32)]
last = piece(1 << 20)
for one in pieces:
    library.free(one)
print(held() - before)
"""


@pytest.mark.parametrize(("way", "least", "most"), [("apart", -1 << 62, 8 << 20), ("as it comes", 64 << 20, 1 << 62)])
def test_big_pieces_go_back_to_the_system_when_they_are_freed(way: str, least: int, most: int):
    out = subprocess.run([sys.executable, "-c", _ALLOCATE, way], capture_output=True, text=True, check=True, timeout=60)
    assert least < int(out.stdout) < most
