"""What a text may name."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import NotFound, UsageError
from plusone.base.ids import digest_bytes
from plusone.base.records import RunInput
from plusone.lineage.finding import find_thing
from plusone.tracking.artifacts import log_bytes
from plusone.tracking.inputs import add_inputs
from tests.lineage.history import History


def test_everything_is_found_by_every_name_it_has(history: History):
    store = history.store
    old = history.run("old")
    history.step(old, "split", ["rows"], ["train_set"])
    run = history.run("new", code={"pipeline.py": "x = 1"})
    package = history.release("flights", run, number=3)
    history.step(run, "split", ["rows"], ["train_set"])
    history.step(run, "train", ["train_set"], [], package=package)
    plot = log_bytes(store, run, "plots/a", b"plot").blob
    rows = history.dataset("rows")
    outside = digest_bytes(b"outside")
    add_inputs(store, [RunInput(run_id=run, name="x", digest=outside, source_type="file")])
    expected = {
        run: ("run", run),
        run[:20].upper(): ("run", run),
        f"{run}:plots/a": ("file", plot),
        plot: ("file", plot),
        plot[:10]: ("file", plot),
        outside[:12]: ("file", outside),
        digest_bytes(b"x = 1"): ("file", digest_bytes(b"x = 1")),
        rows.digest: ("dataset", rows.digest),
        rows.blob[:16]: ("file", rows.blob),
        "train_set": ("dataset", history.dataset("train_set").digest),
        "split": ("step", f"{run}/split"),
        "package": ("package", package),
        package[:9]: ("package", package),
        "flights@3": ("release", "flights@3"),
        "@3": ("release", "flights@3"),
        "3": ("release", "flights@3"),
    }
    for text, (kind, name) in expected.items():
        found = find_thing(store, text)
        assert (found.kind, found.id) == (kind, name), text


def test_what_names_nothing_says_what_could_be_named(history: History):
    history.release("flights", history.run(), number=1)
    for text in (
        "nothing",
        "flights",
        "flights@2",
        "abcd",
        "0123456789",
        "zzz:x",
        "a:",
        ":a",
        "",
        "%",
        "\0",
        "x" * 10_000,
    ):
        with pytest.raises(NotFound):
            find_thing(history.store, text)
    with pytest.raises(UsageError):
        find_thing(history.store, "flights@soon")


def test_a_beginning_of_two_things_is_refused_with_both(history: History):
    one, two = history.run(), history.run()
    with pytest.raises(UsageError, match=f"(?s){two}.*{one}"):
        find_thing(history.store, one[:6])


@given(text=st.text(max_size=30) | st.text("0123456789abcdef@:/.-", max_size=20))
def test_any_text_is_found_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str):
    from plusone.store import open_store

    store = open_store(tmp_path_factory.getbasetemp() / "any")
    with contextlib.suppress(UsageError):  # and no other error
        find_thing(store, text)
    store.close()
