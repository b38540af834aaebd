"""A label for each of several targets: the answer taken apart, as if each target had a model of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..base.records import Output

__all__ = ["parts_of", "share_names", "singles"]


def parts_of(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Give, for each target, the place of its first class among those of all, and the one after its last."""
    start = 0
    for size in sizes:
        yield start, start + size
        start += size


def singles(output: Output) -> tuple[Output, ...]:
    """Return what is answered for each target of `labels`, as an output of the kind `classes`, in their order."""
    return tuple(
        Output(name=name, kind="classes", classes=output.classes[start:stop], probabilities=output.probabilities)
        for name, (start, stop) in zip(output.names, parts_of(output.sizes), strict=True)
    )


def share_names(output: Output) -> tuple[str, ...]:
    """Return what the probabilities of each target are called where each is a tensor: `late_probabilities`."""
    found: list[str] = []
    for name in output.names:
        own = f"{name}_probabilities"
        while own in output.names:
            own += "_"
        found.append(own)
    return tuple(found)
