"""MLflow's tracking REST API on the control port: the same operations and the same records, under MLflow's names.

It knows MLflow's wire format. It defines no operation: those are in `app`, `release` and `tracking`.
"""

PATHS = (
    "/api/2.0/mlflow/",
    "/api/3.0/mlflow/",
    "/ajax-api/2.0/mlflow/",
    "/ajax-api/3.0/mlflow/",
    "/api/2.0/mlflow-artifacts/",
    "/ajax-api/2.0/mlflow-artifacts/",
    "/version",
)
"""How the paths begin that this room answers for."""
