"""The peer: FastAPI by hand, as a competent engineer writes it, in a virtual environment without plusone.

Started by uvicorn with uvloop and httptools, one worker, no access log. `MODEL` names the joblib file.
"""

from __future__ import annotations

import os

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

model = joblib.load(os.environ["MODEL"])
labels = [str(label).lower() for label in model.classes_]
app = FastAPI()


class Flight(BaseModel):
    carrier: str
    origin: str
    dest: str
    month: int
    day: int
    hour: int
    minute: int
    distance: int


class Request(BaseModel):
    rows: list[Flight]


class Prediction(BaseModel):
    label: bool
    probabilities: dict[str, float]


class Answer(BaseModel):
    model: str
    predictions: list[Prediction]


@app.post("/models/flight-delays/predict")
async def predict(request: Request) -> Answer:
    # `async def`, not `def`: a thread per request costs more than it gains where one core does all the work.
    frame = pd.DataFrame([row.model_dump() for row in request.rows])
    found = model.predict_proba(frame)
    return Answer(
        model="flight-delays",
        predictions=[
            Prediction(
                label=bool(model.classes_[row.argmax()]),
                probabilities=dict(zip(labels, row.tolist(), strict=True)),
            )
            for row in found
        ],
    )


@app.get("/health/ready")
async def ready() -> dict[str, bool]:
    return {"ready": True}
