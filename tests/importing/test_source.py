"""Another tracking server is read page by page; what is none, or breaks, is said and never taken for an answer."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plusone.base.errors import NotFound, PlusoneError, Unavailable, UsageError
from plusone.importing.source import Source
from tests.importing.server import Reply, answering


@contextlib.contextmanager
def asking(reply: Reply) -> Iterator[tuple[Source, list[str]]]:
    """Give a source whose server answers as `reply` says, and the requests that it has had."""
    with answering(reply) as (address, seen), contextlib.closing(Source(address)) as source:
        yield source, seen


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1:5000", "ftp://h", "http://", "http://h:x", "http://h/?q=1", "file:///x"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="no address of a tracking server"):
        Source(address)


@given(st.text())
def test_any_text_is_an_address_or_is_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        Source(text).close()


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        Source("ftp://me:secret@host")
    assert "secret" not in str(caught.value)


def test_pages_are_read_to_the_last_one() -> None:
    def answer(verb: str, path: str, body: bytes) -> tuple[int, bytes]:
        token = json.loads(body).get("page_token", "0")
        more = {"next_page_token": str(int(token) + 1)} if token != "2" else {}
        return 200, json.dumps({"runs": [{"n": token}], **more}).encode()

    with asking(answer) as (source, _):
        assert [run["n"] for run in source.runs("1")] == ["0", "1", "2"]


def test_a_server_that_names_the_same_page_for_ever_is_left() -> None:
    with asking(lambda *_: (200, b'{"runs": [{}], "next_page_token": "x"}')) as (source, seen):
        assert len(list(source.runs("1"))) == 2
        assert len(seen) == 2


def test_nan_is_read_as_servers_write_it() -> None:
    body = b'{"metrics": [{"value": NaN}, {"value": "NaN"}, {"value": "-Infinity"}]}'
    with asking(lambda *_: (200, body)) as (source, _):
        found = [float(point["value"]) for point in source.history("r", "k")]
    assert math.isnan(found[0])
    assert math.isnan(found[1])
    assert found[2] == -math.inf


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff\xfe", b"null"])
def test_what_answers_and_is_no_tracking_server_is_said(body: bytes) -> None:
    with asking(lambda *_: (200, body)) as (source, _), pytest.raises(Unavailable, match="no tracking server"):
        list(source.experiments())


def test_a_busy_server_is_asked_again() -> None:
    said = iter([(503, b""), None, (200, b'{"experiments": []}')])
    with asking(lambda *_: next(said)) as (source, seen):
        assert list(source.experiments()) == []
        assert len(seen) == 3


def test_an_error_is_said_with_its_words_and_not_tried_again() -> None:
    with asking(lambda *_: (400, b'{"message": "bad filter"}')) as (source, seen):
        with pytest.raises(Unavailable, match="400 bad filter"):
            list(source.experiments())
        assert len(seen) == 1


@pytest.mark.slow
def test_nothing_at_the_address_says_what_to_look_at() -> None:
    with answering(lambda *_: (404, b"")) as (address, _):
        pass
    with contextlib.closing(Source(address)) as source, pytest.raises(Unavailable) as caught:
        source.version()
    assert "see that it runs" in str(caught.value)


def test_an_older_server_without_logged_models_has_none() -> None:
    with asking(lambda *_: (404, b"{}")) as (source, _):
        assert list(source.logged_models("1")) == []
        with pytest.raises(NotFound):
            list(source.experiments())


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "pw"}, "Basic bWU6cHc="),
        ({"MLFLOW_TRACKING_TOKEN": "t0"}, "Bearer t0"),
        ({}, ""),
    ],
)
def test_who_asks_is_said_as_mlflows_client_says_it(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str
) -> None:
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with asking(lambda *_: (200, b"3.0")) as (source, seen):
        assert source.version() == "3.0"
    assert seen == [f"GET /version {expected}".strip()]


def test_a_file_is_downloaded_whole(tmp_path: Path) -> None:
    content = bytes(range(256)) * 20_000
    with asking(lambda *_: (200, content)) as (source, seen):
        assert source.download("r", "a b/ü.bin", tmp_path / "to") == len(content)
    assert (tmp_path / "to").read_bytes() == content
    assert "path=a+b%2F%C3%BC.bin" in seen[0]


def test_folders_are_walked_whether_paths_are_listed_whole_or_bare(tmp_path: Path) -> None:
    def answer(verb: str, path: str, body: bytes) -> tuple[int, bytes]:
        if "path=inner" in path:
            return 200, b'{"files": [{"path": "inner/a", "file_size": 3}, {"path": "b", "file_size": "4"}]}'
        return 200, b'{"files": [{"path": "inner", "is_dir": true}, {"path": "top", "file_size": 1}]}'

    with asking(answer) as (source, _):
        assert list(source.files("r")) == [("inner/a", 3), ("inner/b", 4), ("top", 1)]


@pytest.mark.slow
@given(st.binary(max_size=300))
def test_whatever_a_server_answers_is_an_error_of_ours_or_an_answer(data: bytes) -> None:
    with asking(lambda *_: (200, data)) as (source, _), contextlib.suppress(PlusoneError):
        list(source.experiments())
