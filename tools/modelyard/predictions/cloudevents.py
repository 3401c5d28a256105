"""The reader ``cloudevents``: payload logs of KServe and Seldon Core, files with one CloudEvent as JSON per line.

Request and response are two events with the same id. KServe's types are ``org.kubeflow.serving.inference.request`` and
``….response``, Seldon's ``io.seldon.serving.inference.request`` and ``….response``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError
from modelyard.manifests.configuration import Environment
from modelyard.manifests.model import Model
from modelyard.predictions.files import UNREADABLE, files_of, json_lines, opened
from modelyard.predictions.ids import once
from modelyard.predictions.interface import within
from modelyard.predictions.payload import PayloadRows

if TYPE_CHECKING:
    import pyarrow as pa

_SERVICES = ("inferenceservicename", "sdepname", "modelid")
_OPEN = 100_000
"""Requests that wait for their response; when there are more, the oldest becomes a failed request."""


@dataclass(frozen=True)
class _Request:
    time: datetime
    version: str
    data: object


class CloudEventsReader:
    """Reads payload logs. A request without a response is a failed one; a response without a request is left out."""

    def __init__(self, environment: Environment, root: Path) -> None:
        self._environment, self._root = environment, root

    def read(
        self, model: Model, begin: float, end: float, columns: tuple[str, ...] | None = None
    ) -> Iterator[pa.Table]:
        """The predictions, file by file; request and response may be in different files."""
        return once(within(table, begin, end) for table in self._tables(model))

    def _tables(self, model: Model) -> Iterator[pa.Table]:
        waiting: dict[str, _Request] = {}
        for system, path in files_of(self._environment, self._root, model.name, ()):
            rows = PayloadRows(model)
            try:
                with opened(system, path) as file:
                    for event in json_lines(file):
                        _take(rows, waiting, event, model.name)
            except (*UNREADABLE, ValueError, KeyError, TypeError, AttributeError) as error:
                raise ModelyardError(
                    f"{path} does not hold CloudEvents of inferences: {type(error).__name__}.", "Check predictions.uri."
                ) from error
            yield rows.table()
        rows = PayloadRows(model)
        for name, request in waiting.items():
            _add(rows, name, request, None)
        yield rows.table()


def _take(rows: PayloadRows, waiting: dict[str, _Request], event: dict[str, Any], model: str) -> None:
    if next((event[name] for name in _SERVICES if event.get(name)), model) != model:
        return
    name, kind = str(event["id"]), str(event["type"])
    if kind.endswith(".request"):
        waiting[name] = _Request(_time(event), _version(event), _data(event))
        if len(waiting) > _OPEN:
            oldest = next(iter(waiting))
            _add(rows, oldest, waiting.pop(oldest), None)
    elif kind.endswith(".response") and name in waiting:
        answered = _data(event)
        _add(rows, name, waiting.pop(name), answered, _version(event, answered))


def _add(rows: PayloadRows, name: str, request: _Request, answered: object, version: str = "") -> None:
    rows.add(name, request.time, version or request.version, "champion", request.data, answered)


def _data(event: dict[str, Any]) -> object:
    if "data_base64" in event:
        return json.loads(base64.b64decode(event["data_base64"]))
    data = event.get("data")
    return json.loads(data) if isinstance(data, str) else data


def _time(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(str(event["time"]).replace("Z", "+00:00"))


def _version(event: dict[str, Any], answered: object = None) -> str:
    if isinstance(answered, dict) and answered.get("model_version"):
        return str(answered["model_version"])
    return str(event.get("modelversion") or event.get("component") or "")
