"""The peer: MLServer with a runtime as its documentation has it: the codec makes a dataframe of the request's tensors.

Imported by `mlserver start`, in a virtual environment without plusone. No worker processes behind the server
(`parallel_workers` 0): with one worker a second process costs more than it gains. Once as it comes, and once with
its own batching switched on, which waits for up to 2 ms.
"""

from __future__ import annotations

import joblib
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, PandasCodec
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri


class FlightDelays(MLModel):
    async def load(self) -> bool:
        self._model = joblib.load(await get_model_uri(self._settings))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        frame = self.decode_request(payload, default_codec=PandasCodec)
        found = self._model.predict_proba(frame)
        return InferenceResponse(
            model_name=self.name,
            model_version=self.version,
            outputs=[NumpyCodec.encode_output(name="predict_proba", payload=found)],
        )
