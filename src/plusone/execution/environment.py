"""The environment lock: the exact version of every distribution that is installed, and of Python."""

from __future__ import annotations

import platform
import re
import sys
from importlib.metadata import distributions

__all__ = ["lock_text"]


def lock_text() -> str:
    """Return sorted `name==version` lines for this interpreter's environment, the Python version and platform first.

    It names no index, no path and no host. Names are normalised as PEP 503 says.
    """
    found: dict[str, str] = {}
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if name:
            # The first on the path is the one that is imported.
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), distribution.version)
    head = [
        f"# python {platform.python_version()} {sys.implementation.name}",
        f"# platform {sys.platform} {platform.machine()}",
    ]
    return "\n".join([*head, *(f"{name}=={version}" for name, version in sorted(found.items()))]) + "\n"
