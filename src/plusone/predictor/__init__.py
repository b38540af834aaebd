"""Loads a packaged model by its folder, validates what comes, runs it, answers: the only code that runs a model.

Serving, checks and replay all call this room, so what is tested is what is served. It knows packages and requests. It
knows no store, no route, no server and no trained object.
"""

from __future__ import annotations

from .predictor import Answer, Columns, Predictor, load

__all__ = ["Answer", "Columns", "Predictor", "load"]
