"""A steady load whose every answer is compared with what the release that it names answers, and labels beside it."""

from __future__ import annotations

import abc
import http.client
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plusone.app.app import App
from plusone.base.ids import new_id
from plusone.packaging import keeping
from plusone.predictor import load
from tests.serving.serving_folder import until

__all__ = ["Labels", "Steady", "answers_of"]

ROWS = [{"x": place / 10.0 - 0.95, "z": 0.5 - place / 20.0} for place in range(20)]
BODIES = [json.dumps({"rows": [row]}).encode() for row in ROWS]
_PAUSE_S = 0.01
_CLOSE = 1e-9

Answers = dict[int, list[Any]]


def answers_of(project: Path, folder: Path) -> Answers:
    """Return what each release of `m` answers to each of the rows, from its package in the store."""
    found: Answers = {}
    with App(project) as app:
        for release in app.list_releases(model="m"):
            predictor = load(keeping.give(release.package, app.store.blobs, folder), release.package)
            found[release.number] = [predictor.predictions(predictor.run(predictor.decode(body)))[0] for body in BODIES]
    assert all(one != other for one in found.values() for other in found.values() if one is not other)
    return found


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    return abs(one - other) < _CLOSE if isinstance(one, float) else bool(one == other)


class _Sender(abc.ABC):
    """Threads that send without an end, each on its own kept connection."""

    def __init__(self, port: int, threads: int) -> None:
        self.failures: list[tuple[float, str]] = []
        """When, and what: an answer that is none, or a connection that broke."""
        self._port = port
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(threads)]

    def __enter__(self) -> Any:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(40)
            assert not thread.is_alive()

    def _send(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        count = 0
        while not self._end.wait(_PAUSE_S):
            count += 1
            try:
                self._once(connection, count * len(self._threads) + number)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append((time.monotonic(), repr(error)))
                connection.close()
            if count % (20 + number) == 0:  # new connections find their way, too
                connection.close()
        connection.close()

    @abc.abstractmethod
    def _once(self, connection: http.client.HTTPConnection, count: int) -> None:
        """Send one request and note what came of it; `count`: which one it is, over all threads."""


class Steady(_Sender):
    """Requests for predictions."""

    def __init__(self, port: int, answers: Answers, *, threads: int = 4) -> None:
        super().__init__(port, threads)
        self.answers: list[tuple[float, float, int]] = []
        """When a request was begun, when it was answered, and by which release."""
        self.wrong: list[str] = []
        self._expected = answers

    def _once(self, connection: http.client.HTTPConnection, count: int) -> None:
        place = count % len(BODIES)
        began = time.monotonic()
        connection.request("POST", "/models/m/predict", BODIES[place])
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            self.failures.append((time.monotonic(), f"{response.status} {body!r}"))
            return
        answer = json.loads(body)
        if not _same(answer["predictions"][0], self._expected[answer["release"]][place]):
            self.wrong.append(f"{BODIES[place]!r} was answered {body!r}")
        self.answers.append((began, time.monotonic(), answer["release"]))

    def more(self, count: int = 60, *, seconds: float = 60.0) -> set[int]:
        """Wait for `count` requests that are begun from now on; return which releases answered them."""
        since = time.monotonic()

        def new() -> list[int]:
            return [release for began, _, release in self.answers[-5 * count :] if began > since]

        until(lambda: len(new()) >= count, f"{count} further answers ({self.failures[-3:]})", seconds=seconds)
        return set(new())

    def check(self, *, failures: int = 0) -> None:
        """Assert that every answer was right, and that no more than so many requests failed."""
        assert self.wrong == []
        assert len(self.failures) <= failures, self.failures[:10]
        # What fails is a connection that broke with its worker, never an answer.
        assert all("Reset" in text or "Disconnected" in text or "BrokenPipe" in text for _, text in self.failures)


class Labels(_Sender):
    """Labels, each under an id of its own."""

    def __init__(self, port: int) -> None:
        super().__init__(port, 1)
        self.kept: list[str] = []
        """The ids of those that were answered 202."""
        self.refused: list[str] = []
        """The ids of those that were answered 503: they may be sent again."""

    def _once(self, connection: http.client.HTTPConnection, count: int) -> None:
        one = new_id()
        connection.request("POST", "/models/m/labels", json.dumps({"labels": [{"id": one, "label": True}]}))
        response = connection.getresponse()
        body = response.read()
        if response.status == 202:
            self.kept.append(one)
        elif response.status == 503:
            self.refused.append(one)
        else:
            self.failures.append((time.monotonic(), f"{response.status} {body!r}"))

    def more(self, count: int = 20, *, of: Callable[[Labels], list[str]] = lambda labels: labels.kept) -> None:
        """Wait for `count` further labels that are kept; or `of` another kind."""
        goal = len(of(self)) + count
        until(lambda: len(of(self)) >= goal, f"{count} labels more ({self.failures[-3:]})", seconds=60)

    def check(self, project: Path) -> None:
        """Assert that the store has each label that was answered 202, once. To be asked when the workers have ended."""
        with App(project) as app:
            rows = app.store.db.all("label_of", model="m", first="", last="~")
        found = [row["prediction_id"] for row in rows]
        assert len(found) == len(set(found))
        assert set(self.kept) - set(found) == set()
        assert len(self.kept) > 20
