"""What the control process can't do just now: told once when it begins, and once when all is well again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Troubles"]

_MOST = 100


class Troubles:
    """Troubles by the name of what can't be done. Any thread may say so; one tells a person.

    Args:
        on_event: called by `tell` with `{"event": "trouble", "message": ...}` and `{"event": "recovered"}`.
    """

    def __init__(self, on_event: Callable[[dict[str, Any]], None]) -> None:
        self._on_event = on_event
        self._lock = threading.Lock()
        self._now: dict[str, str] = {}
        self._told: set[str] = set()

    def begin(self, name: str, text: str) -> None:
        """Say that something can't be done, and why."""
        with self._lock:
            self._now[name] = text

    def end(self, name: str) -> None:
        """Say that it can."""
        with self._lock:
            self._now.pop(name, None)

    def tell(self) -> None:
        """Tell what is new: each trouble once, however often it is said, and that there is none any more."""
        with self._lock:
            texts = list(dict.fromkeys(self._now.values()))
        new = [text for text in texts if text not in self._told]
        for text in new[: _MOST - len(self._told)]:  # texts that differ each time do not fill a screen
            self._told.add(text)
            self._on_event({"event": "trouble", "message": text})
        if self._told and not texts:
            self._told.clear()
            self._on_event({"event": "recovered"})
