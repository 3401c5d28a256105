"""Inference: the version for each row, its scores, the prediction log, the shadow."""

from __future__ import annotations

import queue
import re
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from modelyard.manifests.configuration import PredictionLogging
from modelyard.predictions.writer import Entry, PredictionLog
from modelyard.rollout.plan import Traffic
from modelyard.serving.metrics import Metrics, Variant
from modelyard.serving.models import LoadedModel, LoadedVersion
from modelyard.serving.protocol import BadRequest, Tensor, binary_tensor
from modelyard.serving.tensors import InferRequest, Rows

_WHOLE = float(1 << 64)
_WAITING = 1_000
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_LONGEST_ENTITY = 500


def goes_to_candidate(traffic: Traffic, entity: str) -> bool:
    """Whether the candidate answers an entity. An entity that it answers at 5 % is among those at 25 %."""
    if traffic.weight <= 0:
        return False
    if traffic.weight >= 100:
        return True
    digest = blake2b(f"{traffic.salt}\0{entity}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _WHOLE * 100 < traffic.weight


class Shadow:
    """A queue of jobs with one thread."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._work, name="shadow", daemon=True)
        self._thread.start()

    def put(self, job: Callable[[], None]) -> bool:
        """Adds a job, unless the queue is full. Whether it was added."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    def close(self) -> None:
        """Runs the waiting jobs, then ends the thread."""
        self._jobs.put(None)
        self._thread.join(10)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


class Answered(Struct, frozen=True, omit_defaults=True):
    """The body of an inference answer."""

    model_name: str
    model_version: str
    id: str
    outputs: list[Tensor]
    parameters: dict[str, Any] | None = None
    """The version of each row, if two versions answered."""


class WithBlobs(NamedTuple):
    """An answer with outputs as bytes after its JSON part."""

    answered: Answered
    blobs: list[bytes]


def with_blobs(answered: Answered) -> WithBlobs:
    """The same answer with its outputs as bytes."""
    found = [binary_tensor(tensor) for tensor in answered.outputs]
    return WithBlobs(replace(answered, outputs=[tensor for tensor, _ in found]), [blob for _, blob in found])


class Unanswered(Exception):
    """A valid request that cannot be answered."""


class Inference:
    """Inference for all models of one environment."""

    def __init__(self, logs: Path, keeping: PredictionLogging, metrics: Metrics, say: Callable[[str], None]) -> None:
        self._folder, self._keeping, self._metrics, self._say = logs, keeping, metrics, say
        self._logs: dict[str, PredictionLog] = {}
        self._opening = threading.Lock()
        self._shadow = Shadow()
        self.log_fault = ""
        """Why the log cannot be written; '' while it can."""

    def answer(self, model: LoadedModel, asked: LoadedVersion | None, request: InferRequest) -> Answered:
        """The logged scores of one request, by version ``asked`` or by traffic. Raises BadRequest or Unanswered."""
        begun, at = time.perf_counter(), _now()
        request_id = request.body.id or str(uuid.uuid4())
        if not _REQUEST_ID.fullmatch(request_id):
            raise BadRequest("The request's id must be 1 to 128 printable ASCII characters.")
        traffic = model.traffic
        stable = asked or model.versions[traffic.stable]
        rows = stable.check.rows(request)
        if asked is not None or not traffic.candidate:
            variant: Variant = "candidate" if stable.version == traffic.candidate else "champion"
            scores = self._by(stable, variant, rows, request_id, at, begun, _named(request))
            return _answer(stable, request_id, rows.count, scores)
        candidate = model.versions[traffic.candidate]
        named = _named(request)
        chosen = _chosen(traffic, stable.manifest.contract.id, rows, named, request_id)
        if not any(chosen):
            scores = self._by(stable, "champion", rows, request_id, at, begun, named)
            if traffic.mirror:
                self._mirror(candidate, request, request_id, at)
            return _answer(stable, request_id, rows.count, scores)
        checked = rows if model.alike else candidate.check.rows(request)
        if all(chosen):
            scores = self._by(candidate, "candidate", checked, request_id, at, begun, named)
            return _answer(candidate, request_id, rows.count, scores)
        return self._split(stable, candidate, rows, checked, chosen, request_id, at, begun)

    def rotate(self) -> list[Path]:
        """The log folders with segments that were due and are closed now."""
        due = [name for name, log in list(self._logs.items()) if log.due()]
        for name in due:
            self._logs[name].rotate()
        return [self._folder / name for name in due]

    def close(self) -> None:
        """Waits for the shadow, and closes the logs."""
        self._shadow.close()
        for log in self._logs.values():
            log.close()

    def _split(
        self, stable: LoadedVersion, candidate: LoadedVersion, rows: Rows, checked: Rows, chosen: list[bool],
        request_id: str, at: str, begun: float,
    ) -> Answered:  # fmt: skip
        """The answer to rows that go to both versions."""
        scores: list[Any] = [None] * rows.count
        for version, variant, table, side in (
            (stable, "champion", rows, False),
            (candidate, "candidate", checked, True),
        ):
            own = [row for row, is_chosen in enumerate(chosen) if is_chosen is side]
            found = self._by(version, variant, table.part(own), request_id, at, begun, "")  # type: ignore[arg-type]
            for row, score in zip(own, found, strict=True):
                scores[row] = score
        answer = _answer(stable, request_id, rows.count, scores)
        named = [candidate.version if is_chosen else stable.version for is_chosen in chosen]
        return Answered(answer.model_name, stable.version, request_id, answer.outputs, {"versions": named})

    def _by(
        self, version: LoadedVersion, variant: Variant, rows: Rows, request_id: str, at: str, begun: float, named: str
    ) -> list[Any]:
        """The scores of one version, after they are logged and counted."""
        name = version.manifest.name
        requests, failures, counted, seconds = self._metrics.of(name, version.version, variant)
        error, scores = "", []
        try:
            scores = version.loaded.score(rows.columns).tolist()
        except Exception as fault:  # any exception of the library: it is counted and reported to the caller
            error = f"{type(fault).__name__}: {fault}"[:500]
            self._say(f"{name} {version.version} could not score a request: {error}")
        spent = time.perf_counter() - begun
        entities = rows.ids if rows.ids is not None else [named] * rows.count if named else None
        privacy, inputs = version.privacy, rows.sent
        entry = Entry(
            request_id, at, version.version, variant, round(spent * 1000, 4),
            entities if privacy.asks_nothing else privacy.entities(entities),
            inputs if privacy.asks_nothing else privacy.inputs(inputs), scores, error,
        )  # fmt: skip
        self._append(name, entry, rows.count)
        if error:
            failures.inc()
            raise Unanswered(f"{version.version} could not score this request. The server's output has the reason.")
        requests.inc()
        counted.inc(rows.count)
        seconds.observe(spent)
        return scores

    def _append(self, model: str, entry: Entry, rows: int) -> None:
        try:
            with self._opening:  # several threads may score one model
                log = self._logs.get(model)
                if log is None:
                    log = self._logs[model] = PredictionLog(self._folder / model, self._keeping)
            log.append(entry)
        except OSError as error:
            self._metrics.lost.inc(rows)
            if not self.log_fault:
                self._say(f"THE PREDICTION LOG OF {model} CANNOT BE WRITTEN: {error.strerror}")
            self.log_fault = f"the prediction log of {model} cannot be written: {error.strerror}"
            if self._keeping.when_full == "refuse":
                raise Unanswered(
                    f"The prediction is not returned, because it cannot be logged: {error.strerror}."
                ) from error
            return
        if self.log_fault:
            self._say("the prediction log can be written again")
            self.log_fault = ""

    def _mirror(self, candidate: LoadedVersion, request: InferRequest, request_id: str, at: str) -> None:
        def job() -> None:
            begun = time.perf_counter()
            with suppress(Unanswered):
                try:
                    rows = candidate.check.rows(request)
                except BadRequest as error:
                    self._metrics.of(candidate.manifest.name, candidate.version, "shadow")[1].inc()
                    said = Entry(request_id, at, candidate.version, "shadow", 0.0, error=str(error)[:500])
                    self._append(candidate.manifest.name, said, 0)
                else:
                    self._by(candidate, "shadow", rows, request_id, at, begun, _named(request))

        if not self._shadow.put(job):
            self._metrics.shadow_dropped.inc()


def _chosen(traffic: Traffic, id_column: str, rows: Rows, named: str, request_id: str) -> list[bool]:
    """Whether the candidate answers each row (rows,): by the key's column, the caller's entity, or the request id."""
    key = traffic.key or id_column
    values = None if named else rows.columns.get(key, rows.ids)
    if values is None:
        return [goes_to_candidate(traffic, named or request_id)] * rows.count
    plain = values.tolist() if isinstance(values, np.ndarray) else values
    return [goes_to_candidate(traffic, str(value)) for value in plain]


def _named(request: InferRequest) -> str:
    entity = (request.body.parameters or {}).get("entity")
    return str(entity)[:_LONGEST_ENTITY] if entity is not None else ""


def _answer(version: LoadedVersion, request_id: str, count: int, scores: list[Any]) -> Answered:
    contract = version.manifest.contract
    if version.manifest.task == "multiclass":
        flat = [value for row in scores for value in row]
        output = Tensor(contract.output, [count, len(contract.classes)], "FP64", flat, {"classes": contract.classes})
    else:
        output = Tensor(contract.output, [count], "FP64", scores)
    return Answered(version.manifest.name, version.version, request_id, [output])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
