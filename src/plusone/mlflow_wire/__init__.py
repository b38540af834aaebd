"""MLflow's wire format: what an endpoint is, how its requests are read, how records and errors are written."""

PATHS = (
    "/api/2.0/mlflow/",
    "/api/3.0/mlflow/",
    "/ajax-api/2.0/mlflow/",
    "/ajax-api/3.0/mlflow/",
    "/api/2.0/mlflow-artifacts/",
    "/ajax-api/2.0/mlflow-artifacts/",
    "/version",
)
"""How the paths begin that MLflow's clients ask."""
