"""What is sent to an OpenTelemetry collector, read by the real protobuf messages."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st
from modelyard.serving import telemetry
from modelyard.serving.telemetry import Durations, Ended, Telemetry, metric_document, parent_of, trace_document
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.listener import Listener, listening

PARENT = (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
RESOURCE: Any = {"attributes": []}


def spans(document: Any) -> list[Any]:
    """The spans of a document. OTLP's JSON writes ids in hexadecimal digits, protobuf's own in base64."""
    found = json.loads(msgspec.json.encode(document))
    for span in found["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for key in ("traceId", "spanId", "parentSpanId"):
            if key in span:
                span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    return list(ParseDict(found, ExportTraceServiceRequest()).resource_spans[0].scope_spans[0].spans)


def metrics(document: Any) -> dict[str, Any]:
    parsed = ParseDict(document, ExportMetricsServiceRequest())
    return {one.name: one for one in parsed.resource_metrics[0].scope_metrics[0].metrics}


def named(point: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in point.attributes}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    monkeypatch.setattr(telemetry, "EVERY_SECONDS", 3600.0)  # only what a test flushes
    with listening() as found:
        yield found


def ask(made: Telemetry, path: str, status: int, version: str = "", headers: tuple[Any, ...] = ()) -> None:
    """One request through the wrapped application."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if version:
            scope[telemetry.VERSION] = version
        if status == 0:
            raise RuntimeError
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        pass

    scope = {"type": "http", "path": path, "headers": list(headers)}
    asyncio.run(made.traced(application)(scope, None, send))  # type: ignore[arg-type]


def test_an_inference_is_a_span_of_its_caller_and_a_count_of_the_histogram(collector: Listener) -> None:
    said: list[str] = []
    made = Telemetry(collector.url, "production", said.append)
    ask(made, "/v2/models/churn/infer", 200, "v1.0.0", (PARENT,))
    ask(made, "/v2/models/churn/versions/v1.0.0/infer", 503)
    ask(made, "/v2/health/live", 200)
    made.close()
    (_, traces), (_, counted) = collector.posted
    assert [path for path, _ in collector.posted] == ["/v1/traces", "/v1/metrics"] and said == []
    good, bad = spans(traces)
    assert (good.trace_id.hex(), good.parent_span_id.hex()) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert len(bad.trace_id) == 16 and not bad.parent_span_id and good.span_id != bad.span_id
    assert named(good)["modelyard.version"] == "v1.0.0" and good.kind == 2
    assert (good.status.code, bad.status.code) == (0, 2) and good.end_time_unix_nano >= good.start_time_unix_nano
    points = metrics(counted)["http.server.request.duration"].histogram.data_points
    assert {named(p)["http.response.status_code"]: p.count for p in points} == {200: 1, 503: 1}
    resource = ParseDict(
        traces["resourceSpans"][0]["resource"], ExportTraceServiceRequest().resource_spans.add().resource
    )
    assert {one.key for one in resource.attributes} >= {"service.name", "deployment.environment.name"}


def test_an_exception_is_a_500_and_is_not_swallowed(collector: Listener) -> None:
    made = Telemetry(collector.url, "production", print)
    with pytest.raises(RuntimeError):
        ask(made, "/v2/models/churn/infer", 0)
    made.close()
    (span,) = spans(collector.posted[0][1])
    assert named(span)["http.response.status_code"] == 500


def test_a_made_up_model_makes_no_time_series(collector: Listener) -> None:
    made = Telemetry(collector.url, "production", print)
    for n in range(50):
        ask(made, f"/v2/models/{n}/infer", 404)
    made.close()
    (point,) = metrics(collector.posted[1][1])["http.server.request.duration"].histogram.data_points
    assert point.count == 50 and "modelyard.model" not in named(point)


def test_a_collector_that_is_down_is_said_once_and_its_spans_are_counted(collector: Listener) -> None:
    said: list[str] = []
    made = Telemetry(collector.url, "production", said.append)
    collector.code = 500
    for _ in range(2):
        ask(made, "/v2/models/churn/infer", 200, "v1.0.0")
        made.flush()
    assert len(said) == 1 and "does not take what is sent" in said[0]
    collector.code = 200
    made.close()
    assert "answers again" in said[1]
    found = metrics(collector.posted[-1][1])
    assert found["modelyard.spans.dropped"].sum.data_points[0].as_int == 2
    assert found["http.server.request.duration"].histogram.data_points[0].count == 2, "the histogram keeps all"


def test_a_full_queue_drops_the_oldest(collector: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "_WAITING", 3)
    made = Telemetry(collector.url, "production", print)
    for n in range(5):
        ask(made, "/v2/models/churn/infer", 200 + n, "v1.0.0")
    made.close()
    assert [named(span)["http.response.status_code"] for span in spans(collector.posted[0][1])] == [202, 203, 204]
    assert metrics(collector.posted[1][1])["modelyard.spans.dropped"].sum.data_points[0].as_int == 2


def test_requests_of_many_threads_are_all_there(collector: Listener) -> None:
    made = Telemetry(collector.url, "production", print)
    one = Ended("churn", "v1.0.0", 200, 1, 2, ("", ""))

    def add() -> None:
        for n in range(500):
            made.add(one)
            if n % 100 == 0:
                made.flush() if threading.current_thread().name == "first" else None

    threads = [threading.Thread(target=add, name=name) for name in ("first", "second", "third")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made.close()
    assert sum(len(spans(document)) for path, document in collector.posted if path == "/v1/traces") == 1500


@pytest.mark.parametrize(
    "value",
    [b"", b"junk", b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01", b"00-0af7651916cd43dd8448eb211c80319c-" + b"0" * 16 + b"-01",
     PARENT[1] + b"-more", PARENT[1].upper()],
)  # fmt: skip
def test_a_wrong_traceparent_is_no_parent(value: bytes) -> None:
    assert parent_of([(b"traceparent", value)]) == ("", "")


@given(st.lists(st.builds(Ended, st.sampled_from(["a", "b"]), st.just("v1.0.0"), st.integers(200, 599), st.integers(0, 10**18),
                          st.integers(0, 10**18), st.just(("", "")))))  # fmt: skip
def test_every_inference_is_in_one_bucket(ended: list[Ended]) -> None:
    durations = Durations(0)
    durations.take(ended)
    found = metrics(metric_document(RESOURCE, durations, 0, 1))
    points = found["http.server.request.duration"].histogram.data_points if ended else []
    assert sum(point.count for point in points) == len(ended)
    assert all(sum(point.bucket_counts) == point.count for point in points)
    assert all(len(point.bucket_counts) == len(point.explicit_bounds) + 1 for point in points)
    assert len(spans(trace_document(RESOURCE, ended))) == len(ended)
