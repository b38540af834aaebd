"""Processes that write labels, say which were acknowledged, and are killed at a random moment."""

from __future__ import annotations

import random
import signal
from pathlib import Path

from tests.nursery import Nursery

__all__ = ["WRITES", "kill_a_writer"]

WRITES = "plusone.predictions.labels"
"""What a nursery of writers must have imported."""

# Some are sent twice, at once or much later: a client that got no answer does so.
_WRITER = """
import sys
from pathlib import Path
from plusone.predictions.labels import LabelLog
log, who = LabelLog(Path(sys.argv[1])), sys.argv[2]
for number in range(10**9):
    labels = [(f"{who}-{number}-{part}", str(part % 2), None) for part in range(3)]
    log.append("m", labels)
    if number % 5 == 0:
        log.append("m", labels)
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def kill_a_writer(nursery: Nursery, folder: Path, who: str, dice: random.Random, *, most: int = 400) -> set[str]:
    """Start a writer, kill it after a random number of requests; return the ids of the labels it had acknowledged."""
    process = nursery.start(_WRITER, str(folder), who)
    count = dice.randint(1, most)
    lines = [process.stdout.readline() for _ in range(count)]
    process.kill()
    # What it printed before it died was acknowledged, too; of the last line perhaps a part.
    lines += process.stdout.read().splitlines(keepends=True)
    assert process.wait() == -signal.SIGKILL
    done = [int(line) for line in lines if line.endswith(b"\n")]
    assert done == list(range(len(done)))
    assert len(done) >= count
    return {f"{who}-{number}-{part}" for number in done for part in range(3)}
