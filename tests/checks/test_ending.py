from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

import pytest

from plusone.checks.ending import left_running
from tests.checks.parts import only

LEAVES = """
import atexit, sys, threading, multiprocessing
from concurrent.futures import ThreadPoolExecutor
from plusone.checks.ending import end_in_time

def wait():
    multiprocessing.Event().wait()

if __name__ == "__main__":
    print("begun", flush=True)
    atexit.register(lambda: print("at exit", flush=True))
    {leave}
    end_in_time(3)
    sys.exit(1)
"""


def test_threads_that_are_no_daemons_are_named():
    over = threading.Event()
    poller, quiet = (
        threading.Thread(target=over.wait, name=name, daemon=daemon)
        for name, daemon in (("poller", False), ("quiet", True))
    )
    before = left_running()
    poller.start()
    quiet.start()
    try:
        assert [name for name in left_running() if name not in before] == ["thread poller"]
    finally:
        over.set()
        poller.join()
        quiet.join()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("leave", "code", "last"),
    [
        ("threading.Thread(target=wait, daemon=True).start()", 1, "at exit"),
        ("pool = ThreadPoolExecutor(); pool.submit(int).result()", 1, "at exit"),
        (
            "threading.Thread(target=wait, name='poller').start()",
            3,
            "left running by the tests, and ended: thread poller",
        ),
        (
            "multiprocessing.get_context('fork').Process(target=wait, name='child').start()",
            3,
            "left running by the tests, and ended: process child",
        ),
    ],
)
def test_a_process_ends_whatever_was_left_running(tmp_path, leave, code, last):
    script = tmp_path / "leaves.py"
    script.write_text(LEAVES.replace("{leave}", leave))
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as one:
        assert one.stdout is not None
        lines = iter(one.stdout.readline, "")
        seen = [next(lines).strip(), next(lines).strip()]
        assert one.wait(60) == code
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one.pid, signal.SIGKILL)
    assert seen == ["begun", last]


@pytest.mark.slow
def test_a_thread_that_lives_on_holds_up_no_release(sandbox):
    sandbox.write(
        "tests/test_all.py",
        """
        import threading

        def test_leaves_a_thread(flights):
            threading.Thread(target=threading.Event().wait, name="poller").start()
        """,
    )
    lines: list[str] = []
    part = sandbox.run("data", timeout_s=120, on_line=lines.append)
    assert part.problems == ()
    assert only(part, "test_leaves_a_thread").outcome == "passed"
    assert lines[-1] == "left running by the tests, and ended: thread poller"
