"""Whoever calls, and by whatever door, gets the same answer and the same error."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from plusone.app.app import App
from plusone.app.operations import OPERATIONS
from plusone.base.errors import PlusoneError
from plusone.base.records import Session
from plusone.checks.verdict import problems_of
from plusone.cli import main as cli
from plusone.client.client import Client
from plusone.trust.keys import make_key
from plusone.trust.signing import sign
from tests.doors.story import CALLS, Call, write_story
from tests.http.server import ask, served

Answers = list[Any]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("story") / "p"
    write_story(root)
    return root


@pytest.fixture(scope="module")
def by_app(story: Path, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What App answers to each call, as JSON."""
    root = _copy(story, tmp_path_factory)
    with App(root) as app:
        return [_answer(lambda call=call: getattr(app, call.operation)(**call.values)) for call in CALLS]


def _copy(story: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("door") / "p"
    shutil.copytree(story, root)
    return root


def _answer(call: Callable[[], Any]) -> Any:
    try:
        return _timeless(msgspec.to_builtins(json.loads(msgspec.json.encode(call()))))
    except PlusoneError as error:
        return _timeless(error.as_dict())


def _timeless(value: Any) -> Any:
    """Return `value` without what differs from one copy of the story to the next: new ids and moments."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "MOMENT", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "MOMENT", text)
    text = re.sub(r'"(waited_s|duration_s)": [\d.]+', r'"\1": 0', text)
    text = re.sub(r"\b[0-9a-hjkmnp-tv-z]{26}\b", "ID", text)
    return json.loads(text)


def _says_no(answer: Any) -> bool:
    """Whether the command's exit code is 1: it does not work there, or the gate that is shown is closed."""
    shown = answer[-1] if isinstance(answer, list) and answer else answer
    if isinstance(shown, dict) and {"checks", "problems"} <= shown.keys() and "id" in shown:
        return bool(problems_of(msgspec.convert(shown, Session)))
    return isinstance(answer, dict) and answer.get("ok") is False


def _same(call: Call, got: Any, expected: Any) -> None:
    assert got == expected, f"{call.operation} {call.values}"


def test_the_story_has_every_operation_both_done_and_refused(by_app: Answers):
    done = {call.operation for call, answer in zip(CALLS, by_app, strict=True) if "error" not in answer}
    refused = {answer["error"]["code"] for answer in by_app if "error" in answer}
    assert {operation.name for operation in OPERATIONS} - done == {
        "get_run",
        "get_log",
        "get_series",
        "compare_runs",
        "list_artifacts",
        "list_looks",
        "add_signature",
    }  # by id or digest: see below
    assert refused == {"usage", "not_found", "conflict", "gate_closed"}


def test_the_command_line_answers_as_app_does(
    story: Path,
    by_app: Answers,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(_copy(story, tmp_path_factory))
    for place, (call, expected) in enumerate(zip(CALLS, by_app, strict=True)):
        if call.words is None:
            # The calls after it must find the same state: what changes it and has no command comes last.
            if not call.operation.startswith(("get_", "list_", "search_", "compare_", "plan_", "lineage", "status")):
                assert all(one.words is None for one in CALLS[place:])
            continue
        with pytest.raises(SystemExit) as ended:
            cli.main([*call.words, "--json"])
        printed = capsys.readouterr()
        _same(call, _timeless(json.loads(printed.out)), expected)
        error = expected.get("error") if isinstance(expected, dict) else None
        codes = {"gate_closed": 1, "usage": 2, "not_found": 2, "conflict": 2}
        no = _says_no(expected)
        assert ended.value.code == (codes[error["code"]] if error else int(no)), printed.err
        if error:
            assert error["message"] in _timeless({"text": printed.err})["text"]


@pytest.fixture
def address(story: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(_copy(story, tmp_path_factory)) as address:
        yield address


@pytest.mark.slow
def test_the_client_answers_as_app_does(address: str, by_app: Answers):
    client = Client(address)
    for call, expected in zip(CALLS, by_app, strict=True):
        _same(call, _answer(lambda call=call: getattr(client, call.operation)(**call.values)), expected)


def test_plain_http_answers_as_app_does_with_the_status_of_the_error(address: str, by_app: Answers):
    from urllib.parse import quote, urlencode

    operations = {operation.name: operation for operation in OPERATIONS}
    for call, expected in zip(CALLS, by_app, strict=True):
        operation, values = operations[call.operation], dict(call.values)
        path = operation.path
        for name in list(values):
            if f"{{{name}}}" in path:
                path = path.replace(f"{{{name}}}", quote(str(values.pop(name)), safe=""))  # '@' too
        if operation.verb == "GET":
            status, answer = ask(address, "GET", path + ("?" + urlencode(values) if values else ""))
        else:
            status, answer = ask(address, "POST", path, json.dumps(values).encode())
        _same(call, _timeless(answer), expected)
        codes = {"usage": 400, "not_found": 404, "conflict": 409, "gate_closed": 409}
        assert status == (codes[answer["error"]["code"]] if "error" in answer else 200)


def test_a_run_and_its_log_by_id_are_the_same_by_every_door(
    story: Path, address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    client = Client(address)
    monkeypatch.chdir(story)
    with App(story) as app:
        for run in app.list_runs():
            assert app.get_run(run_id=run.id) == client.get_run(run_id=run.id)
            assert app.list_artifacts(run_id=run.id) == client.list_artifacts(run_id=run.id)
            assert _answer(lambda one=run.id: app.get_series(run_id=one, key="loss")) == _answer(
                lambda one=run.id: client.get_series(run_id=one, key="loss")
            )
            assert (
                app.get_log(run_id=run.id) == client.get_log(run_id=run.id) == f"the run of {run.model} printed this\n"
            )
        assert client.list_runs() == app.list_runs()
        page = app.search_runs(count=2)
        assert client.search_runs(count=2) == page
        assert client.search_runs(count=2, page=page.next_page) == app.search_runs(count=2, page=page.next_page)
        ids = [run.id for run in app.list_runs()[:3]]
        assert client.compare_runs(run_ids=ids) == app.compare_runs(run_ids=ids)
        assert client.list_releases() == app.list_releases()
        run = app.list_runs()[-1]
    for words, expected in ((["log", run.id], f"the run of {run.model} printed this\n"), (["show", run.id], run.id)):
        with pytest.raises(SystemExit):
            cli.main(["runs", *words])
        assert expected in capsys.readouterr().out


def test_a_release_that_is_signed_here_is_signed_by_every_door(
    story: Path, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    key, other = make_key(tmp_path / "key.pem"), make_key(tmp_path / "other.pem")
    client = Client(address)
    for target in ("flights@1", "trains@2"):
        release = client.get_release(target=target).release
        text = sign(key, release.model, release.number, release.digest)
        made = client.add_signature(target=target, key=key.public, signature=text, by="ann")
        assert client.list_signatures(target=target) == [made]
        assert client.get_release(target=target).signatures == (made,)
        wrong = sign(other, release.model, release.number, release.digest)
        with pytest.raises(PlusoneError, match="This is no signature of"):
            client.add_signature(target=target, key=key.public, signature=wrong)
    monkeypatch.chdir(story)
    with pytest.raises(SystemExit) as ended:
        cli.main(["sign", "flights@1", "--key", str(tmp_path / "key.pem"), "--by", "ann", "--json"])
    assert ended.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    with App(story) as app:
        [kept] = app.list_signatures(target="flights@1")
    assert printed == msgspec.to_builtins(kept)
    assert kept.signature == client.list_signatures(target="flights@1")[0].signature, "ed25519 needs no chance"
