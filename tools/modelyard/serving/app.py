"""The HTTP face: Open Inference Protocol v2 as a bare ASGI application."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from modelyard import __version__
from modelyard.serving.models import LoadedModel, LoadedVersion, ModelTable
from modelyard.serving.predictions import PredictionLog
from modelyard.serving.tensors import DATATYPES, BadRequest, Tensor, check_request, decode_request

MAXIMUM_BODY = 64_000_000

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_MODEL = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?(?:/(ready|infer))?")
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


class Answer(Exception):
    """Ends a request early with a status and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Application:
    """One server's ASGI application."""

    def __init__(self, table: ModelTable, log: PredictionLog) -> None:
        self._table = table
        self._log = log
        self._encoder = msgspec.json.Encoder()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""
        if scope["type"] != "http":
            return
        try:
            status, body = 200, await self._route(scope["method"], scope["path"], receive)
        except Answer as answer:
            status, body = answer.status, {"error": answer.message}
        content = self._encoder.encode(body)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _route(self, method: str, path: str, receive: Receive) -> object:
        found = _MODEL.fullmatch(path)
        if found:
            name, number, verb = found.groups()
            wanted = "POST" if verb == "infer" else "GET"
            if method != wanted:
                raise Answer(405, f"{path} answers {wanted} only.")
            model, version = self._find(name, number)
            if verb == "infer":
                return self._infer(version, await _read_body(receive))
            return {"ready": True} if verb == "ready" else _metadata(model, version)
        if method == "POST" and path == "/v2/repository/index":
            return self._index()
        if method != "GET":
            raise Answer(404, f"There is no {method} {path}.")
        if path == "/v2":
            return {"name": "modelyard", "version": __version__, "extensions": ["model_repository"]}
        if path == "/v2/health/live":
            return {"live": True}
        if path == "/v2/health/ready":
            if self._table.faults or not self._table.models:
                raise Answer(503, "; ".join(self._table.faults.values()) or "No model is deployed here yet.")
            return {"ready": True}
        raise Answer(404, f"There is no {path}; this server speaks the Open Inference Protocol v2.")

    def _find(self, name: str, number: str | None) -> tuple[LoadedModel, LoadedVersion]:
        model = self._table.models.get(name)
        if model is None:
            raise Answer(404, f"No model {name!r} is served here. Served: {', '.join(self._table.models) or 'none'}.")
        version = model.versions.get(number or model.serving)
        if version is None:
            raise Answer(404, f"{name} has no version {number!r} here. Loaded: {', '.join(model.versions)}.")
        return model, version

    def _infer(self, loaded: LoadedVersion, body: bytes) -> object:
        contract = loaded.manifest.contract
        try:
            request = decode_request(body)
            rows = check_request(request, contract)
        except BadRequest as error:
            raise Answer(400, str(error)) from error
        request_id = request.id or str(uuid.uuid4())
        if not _REQUEST_ID.fullmatch(request_id):
            raise Answer(400, "The request's id must be 1 to 128 printable ASCII characters.")
        scores: list[float] = loaded.scorer.score(rows.columns).tolist()
        try:
            self._log.append(request_id, loaded.manifest.name, loaded.version, rows, scores)
        except OSError as error:
            raise Answer(503, f"The prediction cannot be logged, so it is not given: {error.strerror}.") from error
        return {
            "model_name": loaded.manifest.name,
            "model_version": loaded.version,
            "id": request_id,
            "outputs": [Tensor(contract.output, [rows.count], "FP64", scores)],
        }

    def _index(self) -> object:
        return [
            {
                "name": name,
                "version": version,
                "state": "READY",
                "reason": "serving" if version == model.serving else "standby",
            }
            for name, model in self._table.models.items()
            for version in model.versions
        ] + [
            {"name": name, "version": "", "state": "UNAVAILABLE", "reason": reason}
            for name, reason in self._table.faults.items()
        ]


def _metadata(model: LoadedModel, loaded: LoadedVersion) -> object:
    contract = loaded.manifest.contract
    return {
        "name": loaded.manifest.name,
        "versions": list(model.versions),
        "platform": "lightgbm",
        "inputs": [
            {
                "name": column.name,
                "datatype": DATATYPES[column.type],
                "shape": [-1],
                "parameters": {"nullable": column.nullable, "minimum": column.minimum, "maximum": column.maximum},
            }
            for column in contract.inputs
        ],
        "outputs": [{"name": contract.output, "datatype": "FP64", "shape": [-1]}],
        "parameters": {"serving": model.serving, "version": loaded.version, "sha256": loaded.sha256},
    }


async def _read_body(receive: Receive) -> bytes:
    parts = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Answer(400, "The caller went away.")
        part = message.get("body", b"")
        size += len(part)
        if size > MAXIMUM_BODY:
            raise Answer(413, f"The body is larger than {MAXIMUM_BODY:,} bytes.")
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)
