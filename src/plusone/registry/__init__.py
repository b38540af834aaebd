"""Versions that were registered through MLflow: names, numbers, aliases, files, and how one is taken as a release.

This room knows the store, tracking and what can be packaged. It does not know gates and stages: a version becomes a
release in `release`, which reads it here.
"""
