"""Writes the trained model as one of MLflow, for `mlflow models serve`: python peer_mlflow_model.py JOBLIB FOLDER.

With a signature, as MLflow asks for it, and probabilities as its answer. In a virtual environment without plusone.
"""

from __future__ import annotations

import sys

import joblib
import mlflow.sklearn
import pandas as pd
from mlflow.models import infer_signature

model = joblib.load(sys.argv[1])
row = pd.DataFrame(
    [
        {
            "carrier": "UA",
            "origin": "EWR",
            "dest": "ORD",
            "month": 3,
            "day": 4,
            "hour": 12,
            "minute": 5,
            "distance": 719,
        }
    ]
)
mlflow.sklearn.save_model(
    model,
    sys.argv[2],
    signature=infer_signature(row, model.predict_proba(row)),
    pyfunc_predict_fn="predict_proba",
    serialization_format="cloudpickle",
)
