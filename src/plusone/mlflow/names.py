"""Names for runs that got none, easier to tell apart than ids: `brave-otter-412`."""

from __future__ import annotations

import secrets

__all__ = ["invent_name"]

_HOW = ("bold", "brave", "bright", "calm", "clever", "crisp", "eager", "fair", "fond", "glad", "grand", "keen", "kind")
_WHO = ("badger", "bison", "crane", "dove", "eagle", "falcon", "finch", "fox", "goose", "hare", "hawk", "heron", "ibex")


def invent_name() -> str:
    """Return a name of two words and a number; there are 169,000, so two may be equal: the id tells them apart."""
    return f"{secrets.choice(_HOW)}-{secrets.choice(_WHO)}-{secrets.randbelow(1000)}"
