"""What lineage answers with: things, and trees of them. Plain values, written as JSON with these keys."""

from __future__ import annotations

from typing import Literal, NamedTuple

from ..base.records import Record

__all__ = ["Branch", "Kind", "Lineage", "Link", "Links", "Thing"]

Kind = Literal["file", "dataset", "package", "step", "run", "release", "version", "logged model"]


class Thing(Record, frozen=True):
    """One thing that has a lineage.

    `id` is a digest for `file`, `dataset` and `package`, `RUN/STEP` for a step, `MODEL@n` for a release or a registered
    version, and an id for the others. `title` is what a person calls it, `detail` what else a line has room for.
    """

    kind: Kind
    id: str
    title: str = ""
    detail: str = ""


class Branch(Record, frozen=True):
    """A thing in a tree, with what lies behind it.

    `relation` says how it belongs to the thing above it. `seen`: it stands elsewhere in the tree, with its branches.
    `more` is how many branches were left out, -1 when the depth was reached and nobody looked.
    """

    thing: Thing
    relation: str
    branches: tuple[Branch, ...] = ()
    seen: bool = False
    more: int = 0


class Lineage(Record, frozen=True):
    """What made a thing and what was made of it."""

    thing: Thing
    made_by: tuple[Branch, ...]
    made: tuple[Branch, ...]
    more_made_by: int = 0
    """How many were left out."""
    more_made: int = 0


class Link(NamedTuple):
    """A step from one thing to the next."""

    relation: str
    thing: Thing


class Links(NamedTuple):
    """Some links, and how many there are in all."""

    links: list[Link]
    total: int
