"""Names for runs that got none, easier to tell apart than ids: `brave-otter-412`."""

from __future__ import annotations

import secrets

__all__ = ["invent_name"]

_HOW = (
    "able bold brave bright calm clear clever crisp eager early fair fleet fond gentle glad grand happy kind lively "
    "lucky mild neat noble plain proud quick quiet ready sharp smooth steady sunny swift tidy vivid warm wise"
).split()
_WHO = (
    "badger beaver bison crane deer dove eagle falcon finch fox goose hare hawk heron horse ibex jay kite lark lynx "
    "marten mole moose mouse newt otter owl panda raven robin seal shrew skunk stork swan tern toad trout wren"
).split()


def invent_name() -> str:
    """Return a name of two words and a number; one in about 1.4 million, so two may be equal."""
    return f"{secrets.choice(_HOW)}-{secrets.choice(_WHO)}-{secrets.randbelow(1000)}"
