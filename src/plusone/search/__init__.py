"""Searches: MLflow's filter grammar, read once, answered in SQL for runs and in Python for what there are few of."""
