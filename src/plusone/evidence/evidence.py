"""What each release did, as the workers of a machine write it down, and the sum over all of them.

Every worker has a file, `evidence/<slot>.json` in the serving folder: counts that only grow, whatever becomes of the
worker. The control process reads them each second, so nothing here loads numpy; how they are counted is `ledger.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec

from ..base.rollouts import Evidence

__all__ = ["ADDRESSED", "FOLDER", "SERVED", "SHADOW", "Counts", "Kind", "Seen", "read_counts", "read_evidence"]

FOLDER = "evidence"

Kind = Literal["served", "addressed", "shadow"]
SERVED: Kind = "served"
"""Requests that the route gave to the release by its share."""
ADDRESSED: Kind = "addressed"
"""Requests whose caller chose the release. They are no evidence: whoever tries a candidate out may send it anything."""
SHADOW: Kind = "shadow"
"""Copies of requests that another release answered."""

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
_MOST_BYTES = 64 * 1024 * 1024


class Counts(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What one worker, and those before it in its slot, counted of one release. The names are those of `Evidence`."""

    kind: Kind
    model: str
    release: Annotated[int, msgspec.Meta(ge=1)]
    requests: _Count = 0
    errors: _Count = 0
    rows: _Count = 0
    invalid: _Count = 0
    latency: dict[str, _Count] = {}
    outputs: dict[str, _Count] = {}
    compared: _Count = 0
    differing: _Count = 0
    refused: _Count = 0
    """Of a shadow: copies that do not fit its signature."""
    dropped: _Count = 0
    """Of a shadow: requests that were not copied because too many copies waited."""
    uncopied: _Count = 0
    """Of a shadow: requests that are never copied: big bodies, Arrow, and tensors that it takes in another layout."""
    used_at: float = 0.0
    """Unix time of the newest change."""

    def add(self, other: Counts) -> None:
        """Add the counts of `other`."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, theirs in ((self.latency, other.latency), (self.outputs, other.outputs)):
            for key, count in theirs.items():
                mine[key] = mine.get(key, 0) + count
        self.used_at = max(self.used_at, other.used_at)

    def evidence(self) -> Evidence:
        """Return them as the record that a rollout is judged by."""
        return Evidence(**{name: getattr(self, name) for name in Evidence.__struct_fields__})


_NUMBERS = ("requests", "errors", "rows", "invalid", "compared", "differing", "refused", "dropped", "uncopied")


class File(msgspec.Struct, kw_only=True):
    """What one slot wrote. Each entry is looked at for itself, so that one that is wrong costs no other."""

    counts: list[msgspec.Raw] = []


class Seen(NamedTuple):
    """The evidence of one machine, by model and release."""

    served: dict[tuple[str, int], Evidence]
    """Of requests that the shares of the route gave to the release."""
    shadow: dict[tuple[str, int], Evidence]
    """Of copies."""


def read_evidence(folder: Path) -> Seen:
    """Return what the workers of a serving folder counted: the sum over all slots, those of dead workers too.

    Workers write twice a second. Each number only grows, unless a release was out of the route so long that it was
    forgotten (see `ledger.KEPT`), or a file was damaged: then it begins anew. What can't be read counts for nothing.
    """
    sums: dict[tuple[str, str, int], Counts] = {}
    for path in sorted((folder / FOLDER).glob("*.json")):
        if path.stem.isdigit():
            for one in read_counts(path):
                key = (one.kind, one.model, one.release)
                if key in sums:
                    sums[key].add(one)
                else:
                    sums[key] = one
    found: dict[str, dict[tuple[str, int], Evidence]] = {SERVED: {}, ADDRESSED: {}, SHADOW: {}}
    for (kind, model, release), counts in sums.items():
        found[kind][model, release] = counts.evidence()
    return Seen(found[SERVED], found[SHADOW])


def read_counts(path: Path) -> list[Counts]:
    """Return the counts in the file of a slot; none when it is missing or damaged, and not those of another form."""
    try:
        with path.open("rb") as stream:
            file = msgspec.json.decode(stream.read(_MOST_BYTES), type=File)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    found: list[Counts] = []
    seen: set[tuple[str, str, int]] = set()
    for raw in file.counts:
        try:
            one = msgspec.json.decode(raw, type=Counts)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        key = (one.kind, one.model, one.release)
        if key not in seen:
            seen.add(key)
            found.append(one)
    return found
