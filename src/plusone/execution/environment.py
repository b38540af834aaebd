"""The environment lock: the exact version of every distribution that is installed, and of Python."""

from __future__ import annotations

import platform
import re
import sys
from importlib.metadata import Distribution, distributions

__all__ = ["lock_text"]

_NAME = re.compile(r"^Name: *(\S+)\s*$", re.MULTILINE)
_VERSION = re.compile(r"^Version: *(\S+)\s*$", re.MULTILINE)


def lock_text() -> str:
    """Return sorted `name==version` lines for this interpreter's environment, the Python version and platform first.

    It names no index, no path and no host. Names are normalised as PEP 503 says.
    """
    found: dict[str, str] = {}
    for distribution in distributions():
        name, version = _named(distribution)
        if name:
            # The first on the path is the one that is imported.
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), version)
    head = [
        f"# python {platform.python_version()} {sys.implementation.name}",
        f"# platform {sys.platform} {platform.machine()}",
    ]
    return "\n".join([*head, *(f"{name}=={version}" for name, version in sorted(found.items()))]) + "\n"


def _named(distribution: Distribution) -> tuple[str, str]:
    # Two lines of its head: parsing the whole of each, as `distribution.metadata` does, takes ten times as long.
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    head = text.partition("\n\n")[0]
    name, version = _NAME.search(head), _VERSION.search(head)
    if name and version:
        return name[1], version[1]
    return distribution.metadata["Name"] or "", distribution.version
