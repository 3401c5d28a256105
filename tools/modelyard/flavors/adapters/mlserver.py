"""The runtime that MLServer loads: Open Inference Protocol v2, one tensor an input."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlserver import MLModel
from mlserver.errors import InvalidInput
from mlserver.types import InferenceRequest, InferenceResponse, Parameters, RequestInput, ResponseOutput
from mlserver.utils import get_model_uri

from ..served import Refused, Served


class Runtime(MLModel):  # type: ignore[misc]
    """One version."""

    async def load(self) -> bool:
        """Loads the folder that the settings' uri names, and has it give the probe's scores."""
        found = Path(await get_model_uri(self._settings))
        self._served = await asyncio.to_thread(Served.open, found if found.is_dir() else found.parent)
        return True

    async def unload(self) -> bool:
        """Ends what the version holds."""
        self._served.scorer.close()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """One score for each row, FP64."""
        try:
            scores = await asyncio.to_thread(self._served.answer, {i.name: _values(i) for i in payload.inputs})
        except Refused as error:
            raise InvalidInput(str(error)) from error
        signature = self._served.signature
        output = ResponseOutput(
            name=signature.output, shape=list(scores.shape), datatype="FP64", data=scores.ravel().tolist(),
            parameters=Parameters(classes=list(signature.classes)) if signature.classes else None,
        )  # fmt: skip
        return InferenceResponse(id=payload.id, model_name=self.name, model_version=signature.version, outputs=[output])


def _values(tensor: RequestInput) -> Sequence[Any]:
    """A tensor's values, one for each row: (rows,), (rows, 1), or (rows, numbers) of a vector."""
    data = tensor.data
    found = [_text(value) for value in (data.root if hasattr(data, "root") else data)]
    width = tensor.shape[1] if len(tensor.shape) == 2 else 1
    if width > 1 and found and not isinstance(found[0], list):
        return [found[at : at + width] for at in range(0, len(found), width)]
    return [value[0] if width == 1 and isinstance(value, list) and len(value) == 1 else value for value in found]


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
