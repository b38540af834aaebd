"""MLflow's tracking API: experiments, runs, metrics, inputs and artifacts, under MLflow's names.

It defines no operation: those are in `app` and `tracking`.
"""
