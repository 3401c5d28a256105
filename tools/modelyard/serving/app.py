"""The ASGI application: Open Inference Protocol v2, tokens and operator controls."""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from modelyard import __version__
from modelyard.errors import ModelyardError, UsageError
from modelyard.manifests.configuration import Limits, Role
from modelyard.predictions.layout import Layout
from modelyard.rollout.plan import Live, Traffic
from modelyard.serving.body import Answer, Receive, read_body
from modelyard.serving.inference import Inference, Unanswered, WithBlobs, with_blobs
from modelyard.serving.metrics import Metrics
from modelyard.serving.models import LoadedModel, LoadedVersion, ModelTable
from modelyard.serving.patience import Patience
from modelyard.serving.protocol import HEADER, BadRequest, asks_for_binary, json_length
from modelyard.serving.tensors import decode_request, metadata_of

_MAY: dict[Role, frozenset[str]] = {
    "viewer": frozenset({"describe", "view"}),
    "caller": frozenset({"describe", "infer"}),
    "operator": frozenset({"describe", "view", "infer", "control"}),
}
_WRONG_TOKENS, _WRONG_SECONDS, _MOST_CALLERS = 10, 60.0, 10_000

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_MODEL = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?(?:/(ready|infer))?")
_CONTROL = re.compile(r"/v2/repository/models/([^/]+)/(load|unload|rollback)")
_JSON = b"application/json"
_BYTES = b"application/octet-stream"
_TEXT = b"text/plain; version=0.0.4; charset=utf-8"


class Access:
    """The roles of tokens. Only digests of the tokens are stored."""

    def __init__(self, tokens: Iterable[tuple[Role, str]]) -> None:
        self._known = [(sha256(token.encode()).digest(), _MAY[role]) for role, token in tokens]
        self._wrong: dict[str, tuple[int, float]] = {}
        """Address → wrong tokens, and since when."""
        self._right: dict[tuple[str, bytes], None] = {}
        """(address, digest) of tokens that were right."""

    @property
    def open(self) -> bool:
        """Whether no token is declared: requests need none, and control is closed."""
        return not self._known

    def status(self, headers: Sequence[tuple[bytes, bytes]], action: str, caller: str, now: float) -> int:
        """200, 401, 403, or 429 after too many wrong tokens of an address in a minute; ``now`` in seconds of any clock.

        A token that the address showed rightly before goes on working, also where many callers share one address.
        """
        if not self._known:
            return 200 if action != "control" else 403
        shown = _token(headers)
        count, since = self._wrong.get(caller, (0, now))
        if now - since >= _WRONG_SECONDS:
            count, since = 0, now
        if count >= _WRONG_TOKENS and (caller, shown) not in self._right:
            return 429
        allowed = self.allows(headers, action)
        if allowed is None:
            if shown:
                _bound(self._wrong)
                self._wrong[caller] = (count + 1, since)
            return 401
        _bound(self._right)
        self._right[caller, shown] = None
        return 200 if allowed else 403

    def allows(self, headers: Sequence[tuple[bytes, bytes]], action: str) -> bool | None:
        """Whether a request may view, infer or control; None when it shows no token that is known."""
        if not self._known:
            return action != "control"
        digest = _token(headers)
        if not digest:
            return None
        found: bool | None = None
        for known, actions in self._known:  # all of them, so that the time reveals nothing
            if hmac.compare_digest(known, digest):
                found = bool(found) or action in actions
        return found


def _token(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The digest of the token that a request shows; empty without one."""
    shown = next((value for name, value in headers if name == b"authorization"), b"")
    return sha256(shown[7:].strip()).digest() if shown[:7].lower() == b"bearer " else b""


def _bound(kept: dict[Any, Any]) -> None:
    """Forgets everything before memory fills up; so many addresses are no guess of one caller."""
    if len(kept) >= _MOST_CALLERS:
        kept.clear()


class Control:
    """The control endpoints of one server."""

    def __init__(self, layout: Layout, table: ModelTable) -> None:
        self._layout, self._table = layout, table

    def do(self, verb: str, model: str) -> object:
        """``load`` reads the folder again; ``rollback`` sends all traffic to the stable version at once."""
        if verb == "unload":
            raise UsageError(
                f"{model} cannot be unloaded here, because main declares it.",
                "Remove its file from deployments/ instead.",
            )
        if verb == "rollback":
            self._back(model)
        self._table.refresh()
        loaded = self._table.models.get(model)
        if loaded is None:
            raise UsageError(f"No model {model!r} is served here.", "Deploy it first.")
        return {"name": model, "serving": loaded.serving, "weight": loaded.traffic.weight}

    def _back(self, model: str) -> None:
        with self._layout.changing():
            state = self._layout.read_state()
            live = state.models.get(model)
            if live is None or live.traffic is None or not live.traffic.candidate:
                raise UsageError(
                    f"There is no rollout of {model} to roll back.",
                    "To return to an older version, run: modelyard rollback MODEL",
                )
            # The next deploy detects the moved traffic, records the rollback and opens the pull request.
            self._layout.write_state(state.with_model(model, Live(Traffic(live.traffic.stable), live.installed)))


class Application:
    """One server's ASGI application."""

    def __init__(
        self,
        table: ModelTable,
        inference: Inference,
        metrics: Metrics,
        access: Access,
        limits: Limits,
        control: Control,
    ) -> None:
        self._table, self._inference, self._metrics = table, inference, metrics
        self._access, self._limits, self._control = access, limits, control
        self._patience = Patience(limits.answer_seconds)
        self._encoder = msgspec.json.Encoder()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request."""
        if scope["type"] != "http":
            return
        status, kind = 200, _JSON
        more: list[tuple[bytes, bytes]] = []
        try:
            body = await self._route(scope, receive)
        except Answer as answer:
            status, body = answer.status, {"error": answer.message}
            self._metrics.refuse(status)
        if isinstance(body, bytes):
            content, kind = body, _TEXT
        elif isinstance(body, WithBlobs):
            part = self._encoder.encode(body.answered)
            content, kind, more = b"".join((part, *body.blobs)), _BYTES, [(HEADER, b"%d" % len(part))]
        else:
            content = self._encoder.encode(body)
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(content)), *more]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _route(self, scope: Scope, receive: Receive) -> object:
        method, path = scope["method"], scope["path"]
        found = _MODEL.fullmatch(path)
        if found:
            name, number, verb = found.groups()
            _require_method(method, "POST" if verb == "infer" else "GET", path)
            self._require(scope, "infer" if verb == "infer" else "describe")
            model, version = self._find(name, number)
            if verb == "infer":
                asked = version if number else None
                content = await read_body(receive, scope["headers"], self._limits)
                flavors = [one.loaded.flavor for one in model.versions.values()]
                if not all(flavor.blocks or flavor.checks_files for flavor in flavors):
                    # Nothing says how long such a file computes.
                    return await self._patience.run(name, lambda: self._infer(model, asked, scope, content))
                if any(flavor.blocks for flavor in flavors):
                    # Another process scores it, so requests for other models are answered meanwhile.
                    return await asyncio.to_thread(self._infer, model, asked, scope, content)
                return self._infer(model, asked, scope, content)
            return {"ready": True} if verb == "ready" else _metadata(model, version)
        if found := _CONTROL.fullmatch(path):
            _require_method(method, "POST", path)
            self._require(scope, "control")
            try:
                return await asyncio.to_thread(self._control.do, found[2], found[1])
            except ModelyardError as error:
                raise Answer(409, f"{error.problem} {error.remedy}") from error
        if method == "POST" and path == "/v2/repository/index":
            self._require(scope, "view")
            return self._index()
        if path == "/metrics" and method == "GET":
            self._require(scope, "view")
            return self._metrics.text()
        if path == "/v2" and method == "GET":
            return {
                "name": "modelyard",
                "version": __version__,
                "extensions": ["model_repository", "binary_tensor_data"],
            }
        if path == "/v2/health/live" and method == "GET":
            return {"live": True}
        if path == "/v2/health/ready" and method == "GET":
            return self._ready(scope)
        self._require(scope, "describe")  # who may see nothing is not told what there is
        raise Answer(404, f"There is no {method} {path}; this server speaks the Open Inference Protocol v2.")

    def _require(self, scope: Scope, action: str) -> None:
        """Answers 401, 403 or 429 unless the token allows the action."""
        status = self._status(scope, action)
        if status == 429:
            raise Answer(429, "Too many wrong tokens came from this address. Wait a minute.")
        if status == 401:
            raise Answer(401, "Show a token: Authorization: Bearer …")
        if status == 403:
            if self._access.open:
                raise Answer(403, "Control needs a token, but modelyard.yaml declares none for this environment.")
            raise Answer(403, f"This token does not allow {action}.")

    def _status(self, scope: Scope, action: str) -> int:
        caller, now = (scope.get("client") or ("",))[0], time.monotonic()
        return self._access.status(scope["headers"], action, caller, now)

    def _ready(self, scope: Scope) -> object:
        """Which models answer, for those who may see them. One that cannot be loaded does not stop the others.

        Whoever shows no token that is known is told no more than whether the server is ready: a probe needs none. After
        too many wrong tokens a right one is told no more either.
        """
        faults = self._table.faults
        sees = self._status(scope, "describe") == 200
        if not self._table.models:
            raise Answer(503, ("; ".join(faults.values()) if sees else "") or "No model is deployed here yet.")
        if self._inference.log_fault:
            raise Answer(503, self._inference.log_fault)
        return (
            {"ready": True, "models": dict.fromkeys(self._table.models, "ready") | faults} if sees else {"ready": True}
        )

    def _find(self, name: str, number: str | None) -> tuple[LoadedModel, LoadedVersion]:
        model = self._table.models.get(name)
        if model is None and name in self._table.faults:
            raise Answer(503, f"{name} cannot be served: {self._table.faults[name]}.")
        if model is None:
            raise Answer(404, f"No model {name!r} is served here. Served: {', '.join(self._table.models) or 'none'}.")
        version = model.versions.get(number or model.serving)
        if version is None:
            raise Answer(404, f"{name} has no version {number!r} here. Loaded: {', '.join(model.versions)}.")
        return model, version

    def _infer(self, model: LoadedModel, asked: LoadedVersion | None, scope: Scope, content: bytes) -> object:
        try:
            request = decode_request(content, json_length(scope["headers"], len(content)))
            answered = self._inference.answer(model, asked, request)
            scope["modelyard.version"] = answered.model_version  # read by serving/telemetry
        except BadRequest as error:
            raise Answer(400, str(error)) from error
        except Unanswered as error:
            raise Answer(503, str(error)) from error
        body = request.body
        if body.outputs or body.parameters:
            output = body.outputs[0].parameters if body.outputs else None
            if asks_for_binary(body.parameters, output):
                return with_blobs(answered)
        return answered

    def _index(self) -> object:
        ready = [
            {"name": name, "version": version, "state": "READY", "reason": _part(model, version)}
            for name, model in self._table.models.items()
            for version in model.versions
        ]
        faults = self._table.faults.items()
        return ready + [{"name": name, "version": "", "state": "UNAVAILABLE", "reason": why} for name, why in faults]


def _part(model: LoadedModel, version: str) -> str:
    traffic = model.traffic
    if version == traffic.candidate:
        return "shadow" if traffic.mirror and not traffic.weight else f"candidate, {traffic.weight:g} % of the traffic"
    return "serving" if version == traffic.stable else "standby"


def _metadata(model: LoadedModel, loaded: LoadedVersion) -> object:
    contract = loaded.manifest.contract
    classes = contract.classes if loaded.manifest.task == "multiclass" else []
    output: dict[str, Any] = {
        "name": contract.output,
        "datatype": "FP64",
        "shape": [-1, len(classes)] if classes else [-1],
    }
    if classes:
        output["parameters"] = {"classes": classes}
    return {
        "name": loaded.manifest.name,
        "versions": list(model.versions),
        "platform": loaded.loaded.flavor.name,
        "inputs": metadata_of(loaded.loaded.signature),
        "outputs": [output],
        "parameters": {"serving": model.serving, "version": loaded.version, "sha256": loaded.sha256},
    }


def _require_method(method: str, wanted: str, path: str) -> None:
    if method != wanted:
        raise Answer(405, f"{path} accepts {wanted} only.")
