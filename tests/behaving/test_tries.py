from __future__ import annotations

import contextvars
import threading
import time
from typing import Any

import pytest

from plusone.base.errors import UsageError
from plusone.behaving.tries import Grade, Try, ask_all


def good(place: int, answer: str) -> Grade:
    return Grade(answer == "yes", "is not yes", 0.5)


WAYS = [{}, {"threads": 4}, {"timeout_s": 30}, {"threads": 3, "timeout_s": 30}]


@pytest.mark.parametrize("way", WAYS)
def test_every_case_is_asked_as_often_as_it_should_be(way: dict[str, Any]):
    asked: list[str] = []
    steps: list[tuple[int, int]] = []

    def ask(case: str) -> str:
        asked.append(case)
        return "yes" if case == "a" else "no"

    found = ask_all(
        ask, ["a", "b", "c"], good, repeats=5, progress=lambda done, total: steps.append((done, total)), **way
    )
    assert sorted(asked) == sorted(["a", "b", "c"] * 5)
    assert [[one.passed for one in tries] for tries in found] == [[True] * 5, [False] * 5, [False] * 5]
    assert found[1][0].why == "is not yes"
    assert found[0][0].score == 0.5
    assert steps == [(done, 15) for done in range(1, 16)]


@pytest.mark.parametrize("way", WAYS)
def test_what_raises_or_is_no_text_is_a_try_that_failed(way: dict[str, Any]):
    def ask(case: str) -> Any:
        if case == "raises":
            raise RuntimeError("the model is down")
        return {"text": 1} if case == "dict" else None

    def grade(place: int, answer: str) -> Grade:
        raise AssertionError("not reached")

    found = ask_all(ask, ["raises", "dict", "none"], grade, repeats=1, **way)
    whys = [one.why for (one,) in found]
    assert whys == [
        "RuntimeError: the model is down",
        "the answer is a dict, no text",
        "the answer is a NoneType, no text",
    ]
    (judged,) = ask_all(lambda _: "yes", ["a"], grade, repeats=1, **way)
    assert judged[0].why == "the answer could not be judged: AssertionError: not reached"
    assert not judged[0].passed


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, pytest.skip.Exception])
def test_who_wants_it_to_end_ends_it(way: dict[str, Any], error: type[BaseException]):
    def ask(case: str) -> str:
        raise error("enough")

    with pytest.raises(error):
        ask_all(ask, ["a", "b"], good, repeats=3, **way)


def test_threads_ask_at_the_same_time_and_in_the_context_of_the_caller():
    together = threading.Barrier(4, timeout=30)
    where: contextvars.ContextVar[str] = contextvars.ContextVar("where", default="nowhere")
    where.set("in the test")

    def ask(case: str) -> str:
        together.wait()
        return "yes" if where.get() == "in the test" else "no"

    found = ask_all(ask, ["a", "b", "c", "d"], good, repeats=2, threads=4)
    assert all(one.passed for tries in found for one in tries)


def test_on_one_thread_it_is_the_callers_own():
    seen: list[threading.Thread] = []

    def ask(case: str) -> str:
        seen.append(threading.current_thread())
        return "yes"

    ask_all(ask, ["a"], good, repeats=2)
    assert seen == [threading.current_thread()] * 2


def test_an_answer_that_does_not_come_is_given_up_and_the_others_go_on():
    never = threading.Event()

    def ask(case: str) -> str:
        if case == "hangs":
            never.wait()
        return "yes"

    start = time.monotonic()
    found = ask_all(ask, ["a", "hangs", "b"], good, repeats=3, threads=1, timeout_s=0.05)
    assert time.monotonic() - start < 20
    assert [one.why for one in found[1]] == ["no answer within 0.05 s"] * 3
    assert all(one.passed for one in (*found[0], *found[2]))
    never.set()


def test_where_nothing_ever_answers_it_soon_stops_asking():
    never = threading.Event()
    asked: list[str] = []

    def ask(case: str) -> str:
        asked.append(case)
        never.wait()
        return "yes"

    found = ask_all(ask, [f"case {place}" for place in range(50)], good, repeats=20, threads=2, timeout_s=0.02)
    assert all(len(tries) == 20 and not any(one.passed for one in tries) for tries in found)
    assert len(asked) <= 10
    assert found[49][-1].why == "not asked: 8 answers before did not come in time"
    never.set()


def test_a_case_that_is_written_into_is_whole_the_next_time():
    def ask(case: dict[str, Any]) -> str:
        return case.pop("text")

    assert [one.passed for one in ask_all(ask, [{"text": "yes"}], good, repeats=3)[0]] == [True] * 3


def test_a_try_says_how_long_it_took():
    (tries,) = ask_all(lambda _: "yes", ["a"], good, repeats=1)
    assert isinstance(tries[0], Try)
    assert 0 <= tries[0].seconds < 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": 0}, "threads = 0"),
        ({"threads": True}, "threads = True"),
        ({"timeout_s": 0}, "timeout_s = 0"),
        ({"timeout_s": "1"}, "timeout_s = '1'"),
        ({"timeout_s": float("nan")}, "timeout_s = nan"),
        ({"repeats": 1_000_001}, "That would be 1,000,001 tries"),
    ],
)
def test_what_can_not_be_done_is_refused(options: dict[str, Any], message: str):
    arguments: dict[str, Any] = {"repeats": 1, **options}
    with pytest.raises(UsageError, match=message):
        ask_all(lambda _: "yes", ["a"], good, **arguments)
