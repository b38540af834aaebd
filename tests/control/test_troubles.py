from __future__ import annotations

from typing import Any

from plusone.control.troubles import Troubles


def test_each_trouble_is_told_once_and_that_all_is_well_once():
    events: list[dict[str, Any]] = []
    troubles = Troubles(events.append)
    troubles.tell()
    for _ in range(3):
        troubles.begin("read", "the store is gone")
        troubles.begin("write", "the disk is full")
        troubles.tell()
    assert [event.get("message") for event in events] == ["the store is gone", "the disk is full"]
    # One works and the other does not, in turns: nobody is told again and again.
    for _ in range(3):
        troubles.end("read")
        troubles.tell()
        troubles.begin("read", "the store is gone")
        troubles.tell()
    assert len(events) == 2
    troubles.end("read")
    troubles.end("write")
    troubles.tell()
    troubles.tell()
    assert events[2:] == [{"event": "recovered"}]
    troubles.begin("read", "the store is gone")
    troubles.tell()
    assert len(events) == 4


def test_texts_that_differ_each_time_do_not_fill_a_screen():
    events: list[dict[str, Any]] = []
    troubles = Troubles(events.append)
    for number in range(500):
        troubles.begin("read", f"attempt {number} failed")
        troubles.tell()
    assert len(events) == 100
