"""The story: release 1, traffic, release 2 under it, a release 3 that is stopped, and the way back to release 1."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any

from .commands import PLUSONE, Commands, Failure, Ran, free_ports
from .measure import Log, count_releases
from .project import break_feature, make_project, mend_feature
from .screen import Screen, Step
from .summary import Facts

__all__ = ["FIRST", "MODEL", "SECOND", "live_story"]

MODEL = "flight-delays"
FIRST, SECOND, TRAFFIC_UNTIL = "2013-03", "2013-05", "2013-07"
RATE, CONNECTIONS, ROWS = 60.0, 4, 6000
STEADY_S, AFTER_S = 5.0, 3.0
_HERE = Path(__file__).resolve().parent
_PHASES = ("data", "tests on the data", "train and package", "tests on the model")


class Story:
    """One demo from its beginning to its end.

    Args:
        folder: where the project is made.
        workers: how many serving processes.
    """

    def __init__(self, folder: Path, *, workers: int) -> None:
        self.folder = folder
        self.workers = workers
        self.screen = Screen(self._traffic_words)
        self.scratch = folder / ".plusone" / "demo"
        self.log = Log(self.scratch / "answers.jsonl")
        self.commands = Commands(folder, self._tick)
        self.server: Popen[Any] | None = None
        self.traffic: Popen[Any] | None = None
        self.facts = Facts(rate=RATE, model=MODEL, log=self.log)

    def live(self) -> Facts:
        """Live it, and return what was measured. Raises Failure when it can't go on."""
        self.facts.began = time.monotonic()
        make_project(self.folder)
        self.scratch.mkdir(parents=True)
        self.screen.title(f"flight-delays: will this flight arrive more than 15 minutes late?  ({self.folder})")
        with self.commands:
            self._first_release()
            self._begin_traffic()
            self._second_release()
            self._third_release()
            self._roll_back()
            self._end_traffic()
            self._ask_the_store()
        self.facts.ended = time.monotonic()
        return self.facts

    # ---------------------------------------------------------------------------------- chapters

    def _first_release(self) -> None:
        self.screen.title(f"1  release 1, from the flights of January to {_month(FIRST)}")
        script = [sys.executable, _HERE / "rows.py", self.folder, self.scratch / "rows.jsonl"]
        months = ["--after", SECOND, "--until", TRAFFIC_UNTIL, "--count", str(ROWS)]
        chooser = self.commands.start([*script, *months], stdin=DEVNULL)
        ran = self._release("release 1", "--set", f"until={FIRST}")
        self.facts.first = ran
        if ran.code != 0:
            raise Failure(f"release 1 was not made: {_why(ran)}")
        port, control = free_ports(2)
        with self.screen.step("plusone up", total=1), (self.scratch / "up.log").open("wb") as log:
            words = ["up", "--port", str(port), "--control-port", str(control), "--workers", str(self.workers)]
            self.server = self.commands.start([PLUSONE, *words], stdin=DEVNULL, stdout=log, stderr=log)
            self.commands.until_ready(self.server, f"http://127.0.0.1:{port}/health/ready")
        self.facts.address = f"http://127.0.0.1:{port}"
        if chooser.wait(60) != 0:
            raise Failure("the flights for the traffic could not be chosen: see above")

    def _begin_traffic(self) -> None:
        months = f"{_month(SECOND, 1)} and {_month(TRAFFIC_UNTIL)}"
        self.screen.title(
            f"2  traffic: {RATE:.0f} requests a second, real flights of {months}, which no release has seen"
        )
        script = [sys.executable, _HERE / "traffic.py", f"{self.facts.address}/models/{MODEL}/predict"]
        options = ["--rate", str(RATE), "--connections", str(CONNECTIONS)]
        files = [self.scratch / "rows.jsonl", self.scratch / "answers.jsonl"]
        self.traffic = self.commands.start([*script, *files, *options], stdin=PIPE)
        self._watch("traffic, before anything changes", STEADY_S)

    def _second_release(self) -> None:
        self.screen.title(f"3  release 2, from the flights until {_month(SECOND)}, while the traffic goes on")
        self.facts.second = self._release("release 2", "--set", f"until={SECOND}")
        self._watch("traffic, after the swap", AFTER_S)

    def _third_release(self) -> None:
        self.screen.title("4  release 3, with a feature that someone broke in pipeline.py")
        for line in break_feature(self.folder):
            self.screen.say(f"  {line}", style="green" if line.startswith("+") else "dim")
        try:
            self.facts.third = self._release("release 3", "--set", f"until={SECOND}")
        finally:
            mend_feature(self.folder)
        self._watch("traffic, after release 3 was stopped", AFTER_S)

    def _roll_back(self) -> None:
        self.screen.title("5  back to release 1")
        with self.screen.step(f"plusone rollback {MODEL}", total=1):
            self.facts.rollback = self.commands.plusone("rollback", MODEL, "--reason", "the demo goes back", "--json")
        self._watch("traffic, after the rollback", AFTER_S)

    def _end_traffic(self) -> None:
        assert self.traffic is not None
        assert self.server is not None
        code = self.commands.end(self.traffic)
        self.log.read()
        if code != 0:
            raise Failure(f"the traffic process ended with exit code {code}")
        self.commands.end(self.server)
        self.traffic = self.server = None

    def _ask_the_store(self) -> None:
        self.facts.status = self.commands.plusone("status", "--json").answer
        self.facts.decisions = self.commands.plusone("decisions", "--json").answer
        self.facts.third_checks = self.commands.plusone("checks", f"{MODEL}@3")

    # ---------------------------------------------------------------------------------- inside

    def _release(self, text: str, *words: str) -> Ran:
        """Run `plusone release`; its phases move the bar."""
        with self.screen.step(text, total=len(_PHASES) + 1) as step:
            step.show("begins", done=0.3)
            return self.commands.plusone("release", *words, "--json", on_line=_phases(step))

    def _watch(self, text: str, seconds: float) -> None:
        with self.screen.step(text, total=seconds) as step:
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                step.show(done=seconds - left)
                self.commands.pause(min(left, 0.2))

    def _tick(self) -> None:
        self.log.read()
        self.screen.tick()
        for name, process in (("server", self.server), ("traffic process", self.traffic)):
            if process is not None and process.poll() is not None:
                raise Failure(f"the {name} ended by itself, with exit code {process.returncode}")

    def _traffic_words(self) -> str:
        answers = self.log.answers
        if not answers:
            return ""
        counts = ", ".join(f"{count:,} by release {number}" for number, count in count_releases(answers).items())
        return f"traffic: {len(answers):,} requests, {len(self.log.failed)} failed; {counts}"


def live_story(folder: Path, *, workers: int) -> tuple[Facts, Screen]:
    """Live the story in a fresh project at `folder`; return what was measured, and the screen it was told on."""
    story = Story(folder, workers=workers)
    return story.live(), story.screen


def _phases(step: Step) -> Callable[[str], None]:
    """Return what moves the bar by the lines that `plusone release` prints."""

    def on_line(line: str) -> None:
        if line in _PHASES:
            step.show(line, done=_PHASES.index(line) + 0.5)

    return on_line


def _why(ran: Ran) -> str:
    try:
        return "; ".join(ran.answer["problems"])
    except (Failure, KeyError, TypeError):
        return (ran.errors or ran.output).strip()[-2000:]


def _month(text: str, later: int = 0) -> str:
    month = dt.date.fromisoformat(f"{text}-01")
    return month.replace(month=month.month + later).strftime("%B")
