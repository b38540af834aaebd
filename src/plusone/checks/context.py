"""What a session of tests is told: the project, the step outputs, the candidate and the live release.

It is written as a JSON file and named in the environment variable `PLUSONE_CHECKS` of the fresh pytest process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from ..base.config import Checks
from ..base.errors import UsageError
from ..base.files import write_atomic
from ..base.records import Dataset, Learning, Record

__all__ = ["ENVIRONMENT", "Context", "ReleaseRef", "read", "write"]

ENVIRONMENT = "PLUSONE_CHECKS"
"""The environment variable that holds the path of the context file."""


class ReleaseRef(Record, frozen=True, kw_only=True):
    """A packaged model that tests may use: a release, or the candidate that has no number yet."""

    number: int | None
    digest: str
    """The release's digest; empty while the candidate has none."""
    package: str
    """The digest of the package's manifest, which the loaded model is verified by."""
    folder: str
    """Absolute path of the package's folder."""


class Context(Record, frozen=True, kw_only=True):
    """Everything that one pytest process needs to know. Paths are absolute."""

    root: str
    tests: str
    blobs: str
    """The folder of the blobs, or of their cache."""
    subject: Literal["data", "model"]
    model: str
    models: tuple[str, ...]
    """The names of all models of the project, this one among them."""
    outputs: dict[str, Dataset]
    """The step outputs that were made, by name."""
    not_made: tuple[str, ...] = ()
    """Step outputs that the project declares and this run did not make."""
    learning: Learning = Learning()
    before: dict[str, Dataset] = msgspec.field(default_factory=dict)
    """The step outputs that the live release was made with, by name; empty when none is live."""
    settings: Checks = Checks()
    """What the project says of plusone's own checks."""
    candidate: ReleaseRef | None = None
    live: ReleaseRef | None = None
    requests: str = ""
    """The file with the newest logged requests (`monitoring.requests`); empty when there are none to be asked again."""
    trusted: tuple[str, ...] = ()
    """The digests of the packages that a person trusts."""
    bucket: str = ""
    """The address of the blobs, where they are not in the folder."""
    partial: bool = False
    """Whether a person chose which tests run: what was left out is no fault then, and nothing is recorded."""
    result: str = ""
    """The file that the plugin appends its result to; empty when a person typed `pytest`."""


def write(context: Context, path: Path) -> None:
    """Write the context to `path`, whole or not at all."""
    write_atomic(path, msgspec.json.encode(context))


def read(path: Path) -> Context:
    """Return the context that `write` wrote.

    Raises:
        UsageError: when the file is missing or is no context.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Context)
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(
            f"{path}, which {ENVIRONMENT} names, is no context of checks: {error}.", mend=f"unset {ENVIRONMENT}"
        ) from error
