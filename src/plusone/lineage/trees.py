"""Both trees of a thing: cut at a depth and where they are too wide, and never in circles."""

from __future__ import annotations

from collections.abc import Callable

from ..base.errors import UsageError
from ..store import Store
from .edges import made, made_by
from .finding import find_thing
from .nodes import Branch, Lineage, Links, Thing

__all__ = ["trace"]

_DEEPEST = 50
_WIDEST = 1000
_MOST_THINGS = 2000

_Next = Callable[[Store, Thing, int], Links]


def trace(store: Store, text: str, *, depth: int = 10, count: int = 10) -> Lineage:
    """Return what made the thing that `text` names and what was made of it.

    Args:
        depth: how many links from the thing the trees go, 1 to 50.
        count: how many branches of one sort a thing has at most, 1 to 1,000; the others are counted.

    Raises:
        NotFound: when it names nothing in this store.
        UsageError: when it may be several things, or a number is out of its range.
    """
    if not 1 <= depth <= _DEEPEST or not 1 <= count <= _WIDEST:
        raise UsageError(
            f"depth {depth}, count {count}: expected a depth of 1 to {_DEEPEST} and a count of 1 to {_WIDEST}."
        )
    thing = find_thing(store, text)
    before, more_before = _Tree(store, made_by, count, thing).branches(thing, depth)
    after, more_after = _Tree(store, made, count, thing).branches(thing, depth)
    return Lineage(thing=thing, made_by=before, made=after, more_made_by=more_before, more_made=more_after)


class _Tree:
    def __init__(self, store: Store, next_things: _Next, count: int, root: Thing) -> None:
        self.store = store
        self.next_things = next_things
        self.count = count
        self.seen = {(root.kind, root.id)}

    def branches(self, thing: Thing, depth: int) -> tuple[tuple[Branch, ...], int]:
        """Return the branches of a thing, and how many were left out."""
        if len(self.seen) > _MOST_THINGS:
            return (), -1
        found = self.next_things(self.store, thing, self.count)
        # A thing may be next to another in two ways: one is enough to know.
        links = list({(link.relation, link.thing.kind, link.thing.id): link for link in found.links}.values())
        new = [(link.thing.kind, link.thing.id) not in self.seen for link in links]
        self.seen |= {(link.thing.kind, link.thing.id) for link in links}
        made = [
            self._branch(link.relation, link.thing, depth, is_new=is_new)
            for link, is_new in zip(links, new, strict=True)
        ]
        return tuple(made), max(0, found.total - len(found.links))

    def _branch(self, relation: str, thing: Thing, depth: int, *, is_new: bool) -> Branch:
        if not is_new:
            return Branch(thing=thing, relation=relation, seen=True)
        if depth == 1:
            return Branch(thing=thing, relation=relation, more=-1)
        inner, more = self.branches(thing, depth - 1)
        return Branch(thing=thing, relation=relation, branches=inner, more=more)
