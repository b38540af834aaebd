"""MLflow's tracking REST API on the control port: the same operations and the same records, under MLflow's names.

It knows MLflow's wire format. It defines no operation: those are in `app`, `release` and `tracking`.
"""
