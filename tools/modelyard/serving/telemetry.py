"""OpenTelemetry: a span of each inference and a histogram of their durations, sent as OTLP/HTTP in JSON.

Only ``serve --otlp URL`` imports it. A request appends one tuple to a list in memory; a thread makes the documents and
sends them. The encoding is that of opentelemetry-proto's ``ExportTraceServiceRequest`` and
``ExportMetricsServiceRequest``; attributes are named by the semantic conventions for HTTP.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.request import Request, urlopen

import msgspec

from modelyard import __version__
from modelyard.report.prometheus.rules import REQUEST_BUCKETS

EVERY_SECONDS = 5.0
_WAITING = 20_000
"""Spans that wait for the next document; of more, the oldest are dropped and counted."""
_BATCH = 2_000
_TIMEOUT = 5.0
_MODEL = re.compile(r"/v2/models/([^/]+)(?:/versions/[^/]+)?/infer")
_PARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_ROUTE = "/v2/models/{model}/infer"
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_SERVER, _ERROR, _CUMULATIVE = 2, 2, 2
_NANOSECONDS = 1_000_000_000
VERSION = "modelyard.version"
"""The key of a request's scope under which the application names the version that answered."""

Scope = Any
Application = Callable[[Scope, Any, Any], Awaitable[None]]


class Ended(NamedTuple):
    """One inference that was answered."""

    model: str
    version: str
    status: int
    begun: int
    """Nanoseconds since 1970."""
    ended: int
    parent: tuple[str, str]
    """Trace and span of the caller; empty texts without one."""


class Span(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One span in the names of OTLP's JSON."""

    traceId: str
    spanId: str
    name: str
    kind: int
    startTimeUnixNano: str
    endTimeUnixNano: str
    attributes: msgspec.Raw
    parentSpanId: str = ""
    status: dict[str, int] = {}


class Telemetry:
    """What one server sends to a collector. A collector that is down costs no request anything."""

    def __init__(self, url: str, environment: str, say: Callable[[str], None]) -> None:
        self._url, self._say = url.rstrip("/"), say
        self._resource = {"attributes": _attributes({
            "service.name": "modelyard", "service.version": __version__, "deployment.environment.name": environment,
        })}  # fmt: skip
        self._ended: deque[Ended] = deque()
        self._lock = threading.Lock()
        self._dropped = 0
        self._durations = Durations(time.time_ns())
        self._down = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="telemetry", daemon=True)
        self._thread.start()

    def traced(self, application: Application) -> Application:
        """The application, with each inference recorded. Other requests pass as they are."""

        async def answer(scope: Scope, receive: Any, send: Any) -> None:
            found = _MODEL.fullmatch(scope["path"]) if scope["type"] == "http" else None
            if found is None:
                await application(scope, receive, send)
                return
            status, begun = 500, time.time_ns()

            async def noted(message: Any) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await application(scope, receive, noted)
            finally:
                version = scope.get(VERSION, "")
                # A path that names no model of this server is a caller's text: it would make endless time series.
                model = found[1] if version else ""
                self.add(Ended(model, version, status, begun, time.time_ns(), parent_of(scope["headers"])))

        return answer

    def add(self, ended: Ended) -> None:
        """Records an inference."""
        with self._lock:
            if len(self._ended) >= _WAITING:
                self._ended.popleft()
                self._dropped += 1
            self._ended.append(ended)

    def flush(self) -> None:
        """Sends what has waited. Spans that cannot be sent are dropped and counted; the histogram keeps all."""
        with self._lock:
            waiting, self._ended, dropped = self._ended, deque(), self._dropped
        ended = list(waiting)
        self._durations.take(ended)
        sent = all(
            self._post("traces", trace_document(self._resource, ended[at : at + _BATCH]))
            for at in range(0, len(ended), _BATCH)
        )
        if not sent:
            with self._lock:
                self._dropped = dropped = dropped + len(ended)
        sent &= self._post("metrics", metric_document(self._resource, self._durations, dropped, time.time_ns()))
        if sent == self._down:
            self._down = not sent
            self._say(f"the collector at {self._url} {'answers again' if sent else 'does not take what is sent'}")

    def close(self) -> None:
        """Sends the rest and ends the thread."""
        self._stop.set()
        self._thread.join(3 * _TIMEOUT)

    def _work(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            self.flush()
        self.flush()

    def _post(self, kind: str, document: Any) -> bool:
        content = msgspec.json.encode(document)
        request = Request(f"{self._url}/v1/{kind}", content, {"content-type": "application/json"})  # noqa: S310 - checked
        try:
            with urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
                return 200 <= int(answer.status) < 300
        except (URLError, OSError, ValueError):
            return False


class Durations:
    """Histograms of seconds, cumulative since the server began, by model, version and status."""

    def __init__(self, begun: int) -> None:
        self.begun = begun
        self.found: dict[tuple[str, str, int], tuple[list[int], list[float]]] = {}
        """Attributes → counts by bucket, and the sum as its only item."""

    def take(self, ended: Iterable[Ended]) -> None:
        """Counts inferences. A bucket holds what is at most its bound."""
        for one in ended:
            counts, total = self.found.setdefault(one[:3], ([0] * (len(REQUEST_BUCKETS) + 1), [0.0]))
            seconds = max(one.ended - one.begun, 0) / _NANOSECONDS
            counts[bisect_left(REQUEST_BUCKETS, seconds)] += 1
            total[0] += seconds


def parent_of(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, str]:
    """Trace and span of the caller's ``traceparent`` (W3C Trace Context); empty texts for none or a wrong one."""
    shown = next((value for name, value in headers if name == b"traceparent"), b"")
    found = _PARENT.fullmatch(shown)
    trace, span = (found[1].decode(), found[2].decode()) if found else (_NO_TRACE, _NO_SPAN)
    return (trace, span) if trace != _NO_TRACE and span != _NO_SPAN else ("", "")


def trace_document(resource: Any, ended: Iterable[Ended]) -> Any:
    """An ``ExportTraceServiceRequest`` with one span for each inference."""
    return {
        "resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": _scope(), "spans": [*map(_span, ended)]}]}]
    }


def metric_document(resource: Any, durations: Durations, dropped: int, now: int) -> Any:
    """An ``ExportMetricsServiceRequest`` with the histogram of durations and the number of spans that were dropped."""
    times = {"startTimeUnixNano": str(durations.begun), "timeUnixNano": str(now)}
    points = [
        times
        | {
            "attributes": _named(*key),
            "count": str(sum(counts)),
            "sum": total,
            "bucketCounts": [str(count) for count in counts],
            "explicitBounds": list(REQUEST_BUCKETS),
        }
        for key, (counts, (total,)) in sorted(durations.found.items())
    ]
    kept = {"dataPoints": [times | {"asInt": str(dropped)}], "aggregationTemporality": _CUMULATIVE, "isMonotonic": True}
    metrics: list[Any] = [{"name": "modelyard.spans.dropped", "unit": "{span}", "sum": kept}]
    if points:
        histogram = {"dataPoints": points, "aggregationTemporality": _CUMULATIVE}
        metrics.append({"name": "http.server.request.duration", "unit": "s", "histogram": histogram})
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"scope": _scope(), "metrics": metrics}]}]}


def _span(one: Ended) -> Any:
    trace, parent = one.parent
    new = secrets.token_hex(24)
    return Span(
        traceId=trace or new[16:],
        spanId=new[:16],
        name=f"POST {_ROUTE}",
        kind=_SERVER,
        startTimeUnixNano=str(one.begun),
        endTimeUnixNano=str(max(one.ended, one.begun)),
        attributes=_encoded(*one[:3]),
        parentSpanId=parent,
        status={"code": _ERROR} if one.status >= 500 else {},
    )


@lru_cache(maxsize=512)
def _encoded(model: str, version: str, status: int) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(_named(model, version, status)))


def _named(model: str, version: str, status: int) -> list[Any]:
    said: dict[str, str | int] = {
        "http.request.method": "POST",
        "http.route": _ROUTE,
        "http.response.status_code": status,
    }
    return _attributes(said | ({"modelyard.model": model, "modelyard.version": version} if version else {}))


def _attributes(said: dict[str, str | int]) -> list[Any]:
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in said.items()
    ]


def _scope() -> Any:
    return {"name": "modelyard.serving", "version": __version__}
