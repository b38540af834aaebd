"""The peer: a BentoML service, as its documentation has it, in a virtual environment without plusone.

One worker, no access log. `MODEL` names the joblib file.
"""

from __future__ import annotations

import os

import bentoml
import joblib
import pandas as pd
from pydantic import BaseModel


class Flight(BaseModel):
    carrier: str
    origin: str
    dest: str
    month: int
    day: int
    hour: int
    minute: int
    distance: int


class Prediction(BaseModel):
    label: bool
    probabilities: dict[str, float]


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class FlightDelays:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL"])
        self.labels = [str(label).lower() for label in self.model.classes_]

    @bentoml.api
    async def predict(self, rows: list[Flight]) -> list[Prediction]:
        # `async def`, not `def`: a thread per request costs more than it gains where one core does all the work.
        frame = pd.DataFrame([row.model_dump() for row in rows])
        return [
            Prediction(
                label=bool(self.model.classes_[row.argmax()]),
                probabilities=dict(zip(self.labels, row.tolist(), strict=True)),
            )
            for row in self.model.predict_proba(frame)
        ]
