"""The client on its own: addresses, what it does when nothing answers, and what it offers. The answers: tests/doors."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from plusone.app.operations import OPERATIONS
from plusone.app.views import RunDetail
from plusone.base.errors import NotFound, PlusoneError, Unavailable, UsageError
from plusone.client.client import Client
from tests.doors.story import write_story
from tests.http.server import free_port, served


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    root = tmp_path_factory.mktemp("client") / "p"
    write_story(root)
    with served(root) as address:
        yield Client(address + "/")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost:7400",
        "https://localhost",
        "http://",
        "http://localhost:99999",
        "http://localhost:x",
        "http://h/api",
        "http://[",
    ],
)
def test_what_is_no_address_is_the_callers_mistake(address: str):
    with pytest.raises(UsageError, match="no address of a control API"):
        Client(address)


def test_when_nothing_answers_the_error_says_what_to_start():
    with pytest.raises(Unavailable, match="No control API answers") as error:
        Client(f"http://127.0.0.1:{free_port()}").status()
    assert error.value.mend == "plusone up"


@pytest.mark.parametrize(
    "answer",
    [b"", b"SSH-2.0\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<html></h", b"HTTP/1.1 502 Bad\r\n\r\nno"],
)
def test_what_is_no_control_api_gives_an_error_of_ours(answer: bytes):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(PlusoneError):
            Client(f"http://127.0.0.1:{server.getsockname()[1]}").status()
        thread.join(60)


def test_it_has_the_operations_of_the_table_and_no_others(client: Client):
    assert {operation.name for operation in OPERATIONS} <= set(dir(client))
    with pytest.raises(AttributeError, match="no operation 'promot'"):
        client.promot  # noqa: B018  asking for it is the test


def test_errors_come_back_as_what_they_are_with_their_mend(client: Client):
    with pytest.raises(NotFound) as error:
        client.get_release(target="flights@77")
    assert "Releases: 1 (retired)" in error.value.message
    assert error.value.mend == "plusone status flights"
    with pytest.raises(UsageError, match="Unknown parameter 'modle'"):
        client.status(modle="flights")
    with pytest.raises(UsageError, match="'target' is missing"):
        client.get_release()
    with pytest.raises(UsageError, match="'b' is missing"):
        client.compare_releases(a="flights@1")


def test_a_metric_that_was_not_a_number_comes_back_as_none(client: Client):
    newest = client.list_releases(model="flights")[-1]
    assert newest.metrics == {"auc": 0.9, "loss": None}
    assert isinstance(client.get_run(run_id=newest.run_id), RunDetail)


def test_a_project_that_has_gone_is_a_server_error_and_not_a_wrong_answer(tmp_path: Path):
    write_story(tmp_path / "p")
    with served(tmp_path / "p") as address:
        for blob in (tmp_path / "p" / ".plusone" / "blobs").glob("*/*"):
            blob.unlink()
        with pytest.raises(PlusoneError) as error:
            Client(address).get_release(target="flights@1")
        assert error.value.code == "broken_artifact"
