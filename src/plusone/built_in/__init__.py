"""Plusone's own checks of every release, found by entry point: what they are about is given to them by the session.

This room knows what `check` and `expectations` can say, and which of it is asked of each release. It knows no database.
"""
