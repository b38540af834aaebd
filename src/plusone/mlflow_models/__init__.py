"""MLflow's model registry and logged models, under MLflow's names.

They define no operation: those are in `release` and `tracking`.
"""
