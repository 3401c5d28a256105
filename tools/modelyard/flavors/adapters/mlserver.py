"""The runtime that MLServer loads: Open Inference Protocol v2, with one tensor for each input."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from mlserver import MLModel
from mlserver.errors import InferenceError
from mlserver.types import InferenceRequest, InferenceResponse, Parameters, RequestInput, ResponseOutput
from mlserver.utils import get_model_uri

from ..served import Refused, Served
from ..tensors import rows_of


class Runtime(MLModel):  # type: ignore[misc]
    """One version."""

    async def load(self) -> bool:
        """Loads the folder of the settings' uri, and checks the probe's scores."""
        found = Path(await get_model_uri(self._settings))
        self._served = await asyncio.to_thread(Served.open, found if found.is_dir() else found.parent)
        return True

    async def unload(self) -> bool:
        """Ends the version's process, if it has one."""
        self._served.scorer.close()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """One FP64 score for each row."""
        try:
            scores = await asyncio.to_thread(self._served.answer, {i.name: _values(i) for i in payload.inputs})
        except Refused as error:
            raise InferenceError(str(error)) from error
        signature = self._served.signature
        output = ResponseOutput(
            name=signature.output, shape=list(scores.shape), datatype="FP64", data=scores.ravel().tolist(),
            parameters=Parameters(classes=list(signature.classes)) if signature.classes else None,
        )  # fmt: skip
        return InferenceResponse(id=payload.id, model_name=self.name, model_version=signature.version, outputs=[output])


def _values(tensor: RequestInput) -> list[Any]:
    """A tensor's values, one for each row; NaN of a number tensor is null."""
    data = tensor.data
    found = [_plain(value) for value in (data.root if hasattr(data, "root") else data)]
    return rows_of(found, tensor.shape, tensor.shape[1] if len(tensor.shape) == 2 else 1)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return None if value != value else value
