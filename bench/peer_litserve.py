"""The peer: LitServe, as its documentation has it, in a virtual environment without plusone.

Started with the port; one worker and one API server, without batching. `MODEL` names the joblib file.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import joblib
import litserve
import pandas as pd


class FlightDelays(litserve.LitAPI):
    def setup(self, device) -> None:
        self.model = joblib.load(os.environ["MODEL"])
        self.labels = [str(label).lower() for label in self.model.classes_]

    def decode_request(self, request) -> pd.DataFrame:
        return pd.DataFrame(request["rows"])

    def predict(self, frame) -> Any:
        return self.model.predict_proba(frame)

    def encode_response(self, found) -> dict[str, Any]:
        return {
            "predictions": [
                {
                    "label": bool(self.model.classes_[row.argmax()]),
                    "probabilities": dict(zip(self.labels, row.tolist(), strict=True)),
                }
                for row in found
            ]
        }


if __name__ == "__main__":
    server = litserve.LitServer(FlightDelays(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
