"""Big requests from the worker's side: whatever becomes of the process, each is answered, and the loop goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from plusone.aside import Aside, Failed, Reply
from plusone.base.errors import BrokenArtifact, InvalidInput, Overloaded, PlusoneError, TooSlow, Unavailable
from tests.aside.conftest import Packed, body_of, check_answer, pieces

WILD = [sys.executable, str(Path(__file__).with_name("wild.py"))]

Story = Callable[["Worker"], Awaitable[None]]


class Worker:
    """A client on a loop, and what it logged."""

    def __init__(self, packed: Packed, **options: Any) -> None:
        self.packed = packed
        self.events: list[tuple[str, dict[str, Any]]] = []
        options.setdefault("command", WILD)
        self.aside = Aside(log=lambda event, **fields: self.events.append((event, fields)), **options)

    async def ask(self, kind: str, body: bytes = b"abc", *, timeout_s: float = 30.0, **options: Any) -> Reply:
        return await self.aside.predict(
            self.packed.digest, self.packed.folder, kind, pieces(body), options=options, timeout_s=timeout_s
        )

    async def echo(self) -> int:
        """Have a body come back, and return the process that did it."""
        body = os.urandom(300_000)
        reply = await self.ask("echo", body, size=70_000)
        assert b"".join(reply.parts) == body
        assert reply.rows == len(body)
        return reply.info["pid"]

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.events if name == event]


@pytest.fixture(params=["uvloop", pytest.param("asyncio", marks=pytest.mark.slow)])
def tell(request: pytest.FixtureRequest, packed: Packed) -> Callable[..., None]:
    """Return a function that runs a story on a loop, and sees to it that nothing is left behind."""

    def run(story: Story, **options: Any) -> None:
        async def main() -> None:
            await asyncio.get_running_loop().run_in_executor(None, int)  # the loop has its thread
            before = open_files()
            worker = Worker(packed, **options)
            try:
                await asyncio.wait_for(story(worker), 100)
            finally:
                await worker.aside.close()
            assert worker.aside.pids == []
            assert len(worker.logged("aside_started")) == len(worker.logged("aside_ended"))
            for fields in worker.logged("aside_started"):
                with pytest.raises(ProcessLookupError):
                    os.kill(fields["aside_pid"], 0)
            assert open_files() == before
            assert asyncio.all_tasks() == {asyncio.current_task()}

        {"asyncio": asyncio.run, "uvloop": uvloop.run}[request.param](main())

    return run


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; the story's own time limit ends it."""
    while not condition():
        await asyncio.sleep(0.005)


def test_a_body_comes_back(tell: Callable[..., None], packed: Packed) -> None:
    async def story(worker: Worker) -> None:
        assert worker.aside.pids == []
        reply = await worker.ask("json", body_of(30_000))
        assert reply.rows == 30_000
        check_answer(reply.parts, 30_000)
        pids = worker.aside.pids
        for _ in range(3):
            assert [await worker.echo()] == pids
        reply = await worker.ask("echo", b"", size=1)
        assert (reply.parts, reply.rows) == ([], 0)

    tell(story)


@pytest.mark.slow
def test_the_parts_are_emptied_when_they_are_sent_and_kept_when_refused(tell: Callable[..., None]) -> None:
    async def story(worker: Worker) -> None:
        parts = pieces(body_of(5000))
        await worker.aside.predict(*worker.packed, "json", parts, timeout_s=30)
        assert parts == []
        hanging = asyncio.ensure_future(worker.ask("hang", timeout_s=2))
        await asyncio.sleep(0)
        parts = [b"abc"]
        with pytest.raises(Overloaded, match="expected at most 0"):
            await worker.aside.predict(*worker.packed, "json", parts, timeout_s=30)
        assert parts == [b"abc"]
        with pytest.raises(TooSlow):
            await hanging

    tell(story, queue=0)


def test_errors_come_through_whole(tell: Callable[..., None], packed: Packed) -> None:
    async def story(worker: Worker) -> None:
        with pytest.raises(InvalidInput) as caught:
            await worker.ask("refuse", more={"a": [1]})
        assert caught.value.as_dict()["error"] == {
            "code": "invalid_input",
            "message": "Row 1 is wrong.",
            "mend": "send another",
            "details": {"row": 1, "value": [1.5, None, "\u2713"], "expected": {"more": {"a": [1]}}},
        }
        with pytest.raises(InvalidInput, match="is wrong"):
            await worker.ask("unspeakable")
        with pytest.raises(Failed, match=r"(?s)Traceback.*wild.*ZeroDivisionError: a fault of ours"):
            await worker.ask("fault")
        with pytest.raises(Failed, match="KeyError: 'no such'"):
            await worker.ask("no such")
        with pytest.raises(Unavailable, match="more memory than there is"):
            await worker.ask("no_memory")
        with pytest.raises(ValueError, match="a meta of"):
            await worker.ask("echo", size="1" * (1 << 20))
        with pytest.raises(InvalidInput, match="Row 700, field 'x'"):
            await worker.ask("json", body_of(900).replace(b'{"x":0.777777778', b'{"x":"0.7777778"'))
        # None of them cost the process its life.
        await worker.echo()
        assert len(worker.logged("aside_started")) == 1

    tell(story)


def test_a_package_that_can_not_be_loaded_is_named(tell: Callable[..., None], packed: Packed, tmp_path: Path) -> None:
    async def story(worker: Worker) -> None:
        for folder, digest in ((tmp_path, packed.digest), (packed.folder, "0" * 64)):
            with pytest.raises(BrokenArtifact):
                await worker.aside.predict(digest, folder, "json", [b"{}"], timeout_s=30)
            with pytest.raises(BrokenArtifact):
                await worker.aside.warm(digest, folder)
        await worker.aside.warm(*packed)
        worker.aside.unload(packed.digest)
        await worker.echo()

    tell(story)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "how"), [("die", "SIGKILL"), ("crash", "SIGSEGV"), ("garbage", "SIGKILL")])
def test_its_death_answers_503_and_the_next_one_is_answered(
    tell: Callable[..., None], packed: Packed, kind: str, how: str
) -> None:
    async def story(worker: Worker) -> None:
        first = await worker.echo()
        for _ in range(3):
            with pytest.raises(Unavailable, match=rf"died \(signal {how}\)"):
                await worker.ask(kind, b"HTTP/1.1 200 OK\r\n\r\n" * 9)
            assert await worker.echo() != first
        assert len(worker.logged("aside_garbage")) == (3 if kind == "garbage" else 0)

    tell(story)


@pytest.mark.slow
def test_a_kill_in_the_middle_of_a_body_or_an_answer_loses_that_request_alone(
    tell: Callable[..., None], packed: Packed
) -> None:
    async def story(worker: Worker) -> None:
        body = bytes(20_000_000)
        lost = 0
        for steps in (0, 1, 3, 10, 30, 100, 200):
            await worker.echo()
            pid = worker.aside.pids[0]
            asked = [asyncio.ensure_future(worker.ask("echo", body, size=100_000)) for _ in range(2)]
            for _ in range(steps):
                await asyncio.sleep(0)
            os.kill(pid, signal.SIGKILL)
            first, second = await asyncio.gather(*asked, return_exceptions=True)
            assert isinstance(second, Reply)
            assert second.rows == len(body)
            if isinstance(first, Reply):  # it was not sent yet, or answered already
                assert first.rows == len(body)
            else:
                assert isinstance(first, Unavailable)
                assert "died (signal SIGKILL)" in first.message
                lost += 1
        assert lost >= 3
        await worker.aside.warm(*packed)
        os.kill(worker.aside.pids[0], signal.SIGKILL)
        await until(lambda: not worker.aside.pids)
        await worker.echo()

    tell(story)


@pytest.mark.slow
def test_one_that_hangs_is_killed_when_its_time_is_over(tell: Callable[..., None], packed: Packed) -> None:
    async def story(worker: Worker) -> None:
        await worker.echo()
        for kind in ("hang", "endless"):
            with pytest.raises(TooSlow, match=r"within 0\.3 s"):
                await worker.ask(kind, timeout_s=0.3)
            await worker.echo()
        slow = asyncio.ensure_future(worker.ask("hang", timeout_s=1.0))
        waiting = asyncio.ensure_future(worker.ask("echo", size=1, timeout_s=0.2))
        later = asyncio.ensure_future(worker.echo())
        with pytest.raises(Unavailable, match=r"waited 0\.2 s"):
            await waiting
        with pytest.raises(TooSlow):
            await slow
        await later

    tell(story)


@pytest.mark.slow
def test_the_queue_is_bounded(tell: Callable[..., None], packed: Packed) -> None:
    async def story(worker: Worker) -> None:
        await worker.echo()
        hanging = asyncio.ensure_future(worker.ask("hang", timeout_s=1.0))
        await asyncio.sleep(0)
        two = [asyncio.ensure_future(worker.ask("echo", bytes(600_000), size=1 << 20)) for _ in range(2)]
        await asyncio.sleep(0)
        assert worker.aside.waiting == 2
        with pytest.raises(Overloaded, match="2 big requests of 1200000 bytes wait"):
            await worker.ask("echo", bytes(1), size=1)
        with pytest.raises(TooSlow):
            await hanging
        assert [reply.rows for reply in await asyncio.gather(*two)] == [600_000] * 2
        hanging = asyncio.ensure_future(worker.ask("hang", timeout_s=1.0))
        await asyncio.sleep(0)
        # One body alone may have more bytes than all together: it was read already.
        large = asyncio.ensure_future(worker.ask("echo", bytes(3_000_000), size=1 << 20))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await worker.ask("echo", bytes(1), size=1)
        with pytest.raises(TooSlow):
            await hanging
        assert (await large).rows == 3_000_000

    tell(story, queue=2, queue_bytes=2_000_000)


@pytest.mark.slow
def test_who_leaves_is_not_computed_for(tell: Callable[..., None], packed: Packed) -> None:
    async def story(worker: Worker) -> None:
        first = await worker.echo()
        for steps in (0, 1, 5, 50):
            leaving = [asyncio.ensure_future(worker.ask("endless", bytes(5_000_000))) for _ in range(3)]
            for _ in range(steps):
                await asyncio.sleep(0)
            for task in leaving:
                task.cancel()
            assert await worker.echo() == first
            assert all(task.cancelled() for task in leaving)
        assert worker.aside.waiting == 0
        # One that ends at no piece of its answer is ended by its time.
        leaving = [asyncio.ensure_future(worker.ask("hang", timeout_s=0.5))]
        await asyncio.sleep(0.05)
        leaving[0].cancel()
        assert await worker.echo() != first

    tell(story)


@pytest.mark.slow
def test_one_with_nothing_to_do_ends(tell: Callable[..., None], packed: Packed) -> None:
    async def story(worker: Worker) -> None:
        for count in (1, 2, 3):
            await worker.echo()
            await worker.echo()
            assert len(worker.logged("aside_started")) == count
            await until(lambda: not worker.aside.pids)
        await until(lambda: len(worker.logged("aside_ended")) == 3)
        assert [fields["code"] for fields in worker.logged("aside_ended")] == [0, 0, 0]

    tell(story, idle_s=1.0)


def test_several_processes_answer_at_once_and_one_is_enough_for_one(tell: Callable[..., None], packed: Packed) -> None:
    async def story(worker: Worker) -> None:
        for _ in range(3):
            await worker.echo()
        assert len(worker.aside.pids) == 1
        busy = asyncio.ensure_future(worker.ask("endless", timeout_s=90))
        await asyncio.sleep(0)
        await worker.echo()
        assert len(worker.aside.pids) == 2
        assert not busy.done()
        busy.cancel()
        replies = await asyncio.gather(*(worker.ask("echo", bytes([i]) * 200_000, size=50_000) for i in range(12)))
        assert [reply.parts[0][:1] for reply in replies] == [bytes([i]) for i in range(12)]

    tell(story, processes=2)


@pytest.mark.parametrize("command", [["/no/such/program"], [sys.executable, "-c", "import sys; sys.exit(7)"]])
def test_one_that_does_not_start_answers_503_and_is_not_tried_without_end(
    tell: Callable[..., None], packed: Packed, command: list[str]
) -> None:
    async def story(worker: Worker) -> None:
        messages: list[str] = []
        for _ in range(300):
            with pytest.raises(Unavailable) as caught:
                await worker.ask("echo")
            messages.append(caught.value.message)
        assert len(worker.logged("aside_started")) <= 5
        if command[0] == sys.executable:
            assert "exit code 7" in messages[0]
            assert "next attempt" in messages[-1]
        else:
            assert "No such file" in messages[0]

    tell(story, command=command)


def test_close_answers_what_waits_and_what_is_being_answered(tell: Callable[..., None], packed: Packed) -> None:
    async def story(worker: Worker) -> None:
        await worker.echo()
        asked = [asyncio.ensure_future(worker.ask("hang")) for _ in range(3)]
        await asyncio.sleep(0.01)
        await worker.aside.close()
        for task in asked:
            with pytest.raises(Unavailable, match="is ending"):
                await task
        with pytest.raises(Unavailable, match="is ending"):
            await worker.ask("echo")

    tell(story)


def test_close_while_it_starts(tell: Callable[..., None], packed: Packed) -> None:
    async def story(worker: Worker) -> None:
        asked = asyncio.ensure_future(worker.echo())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await worker.aside.close()
        with pytest.raises(PlusoneError):
            await asked

    tell(story)
