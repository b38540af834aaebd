"""`python examples/demo`: the demo. Exit code 0 only if every claim that it prints was measured to be true."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from demo.commands import PLUSONE, Commands, Failure, Ran
from demo.project import NotOurs
from demo.screen import Screen
from demo.story import live_story
from demo.summary import Facts, claims


def main() -> int:
    """Live the story, print what was measured, and return the exit code."""
    parser = argparse.ArgumentParser(description="The story of a model, from release 1 to a rollback, under traffic.")
    parser.add_argument("--into", type=Path, default=Path("demo/flights"), help="the project's folder, made afresh")
    parser.add_argument("--workers", type=int, default=1, help="serving processes")
    given = parser.parse_args()
    folder = given.into.absolute()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what it started, as Ctrl-C does
    try:
        _refuse_a_served_one(folder)
        facts, screen = live_story(folder, workers=given.workers)
    except KeyboardInterrupt:
        print("\nstopped; what the demo had started was ended", file=sys.stderr)
        return 130
    except NotOurs as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Failure as error:
        print(f"\nthe demo could not go on: {error}\nits server's log: {folder}/.plusone/demo/up.log", file=sys.stderr)
        return 1
    return _tell(facts, screen, folder, given.into)


def _refuse_a_served_one(folder: Path) -> None:
    """Do not pull a project away under a server that somebody started on it."""
    if not (folder / ".plusone").is_dir():
        return
    ran: Ran = Commands(folder, lambda: None).plusone("status", "--json")
    if ran.code == 0 and ran.answer["servers"]:
        raise NotOurs(f"{folder} is being served by process {ran.answer['servers'][0]['pid']}: stop it first (Ctrl-C).")


def _tell(facts: Facts, screen: Screen, folder: Path, shown: Path) -> int:
    found = claims(facts)
    screen.title("what was measured")
    screen.table(found)
    commands = Commands(folder, lambda: None)
    for title, word in (("releases", "status"), ("decisions", "decisions")):
        screen.title(title)
        screen.say(commands.plusone(word).output.rstrip())
    wrong = [claim for claim in found if not claim.true]
    screen.title(f"{len(found) - len(wrong)} of {len(found)} claims are true, in {facts.ended - facts.began:.0f} s")
    command = min(str(PLUSONE), os.path.relpath(PLUSONE, folder), key=len)
    screen.say(f"to serve this project:  cd {shown} && {command} up")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
