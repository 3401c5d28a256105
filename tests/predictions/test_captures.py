"""Data capture and payload logs, line by line: names, hours, versions, and pairs of request and response."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError
from modelyard.manifests.configuration import Environment, Predictions
from modelyard.predictions import cloudevents
from modelyard.predictions.cloudevents import CloudEventsReader
from modelyard.predictions.payload import PayloadRows
from modelyard.predictions.sagemaker import SageMakerReader, _hour, _variant, _version
from modelyard.targets.sagemaker import _variant_name
from predictions.test_payload import MODEL

BEGIN, END = datetime(2026, 5, 1, tzinfo=UTC).timestamp(), datetime(2026, 5, 8, tzinfo=UTC).timestamp()


def stored(reader: str, **files: bytes) -> Environment:
    """An environment whose log is those files, in memory."""
    system = fsspec.filesystem("memory")
    if system.exists("/captures"):
        system.rm("/captures", recursive=True)
    for name, content in files.items():
        system.pipe(f"/captures/{name}", content)
    return Environment(name="production", predictions=Predictions(reader=reader, uri="memory://captures"))


numbers = st.integers(0, 30)
versions = st.builds("v{}.{}.{}{}".format, numbers, numbers, numbers, st.sampled_from(["", "-rc1", "-beta-2"]))


@given(versions)
def test_the_version_of_a_variant_is_the_one_the_target_named_it_after(version: str) -> None:
    assert _version(_variant_name(version)) == version


@pytest.mark.parametrize(
    ("path", "variant", "hour"),
    [
        (
            "bucket/m/endpoint/v1-2-0/2026/05/03/14/00-10.jsonl",
            "v1-2-0",
            datetime(2026, 5, 3, 14, tzinfo=UTC).timestamp(),
        ),
        ("bucket/v1-2-0/2026/05/03/14/a.jsonl", "v1-2-0", datetime(2026, 5, 3, 14, tzinfo=UTC).timestamp()),
        ("bucket/m/endpoint/v1-2-0/2026/13/03/14/a.jsonl", "v1-2-0", None),
        ("a.jsonl", "", None),
    ],
)
def test_a_path_has_the_variant_and_the_hour(path: str, variant: str, hour: float | None) -> None:
    assert (_variant(path), _hour(path)) == (variant, hour)


def captured(**changes: Any) -> bytes:
    line = {
        "captureData": {"endpointInput": {"data": "1.5,red\n", "encoding": "CSV"},
                        "endpointOutput": {"data": "0.25\n", "encoding": "CSV"}},
        "eventMetadata": {"eventId": "e", "inferenceTime": "2026-05-03T14:00:00Z"},
    }  # fmt: skip
    return json.dumps(line | changes).encode() + b"\n"


def test_capture_of_an_input_alone_is_a_failed_request() -> None:
    line = captured(captureData={"endpointInput": {"data": "1.5,red\n"}})
    [table] = SageMakerReader(stored("sagemaker", **{"v1-0-0/a.jsonl": line}), Path()).read(MODEL, BEGIN, END)
    [row] = table.to_pylist()
    assert (row["score"], row["error"], row["inputs.x"]) == (None, "the answer holds no scores", 1.5)


@pytest.mark.parametrize(
    "line", [b'{"eventVersion": "0"}\n', captured(eventMetadata={}), captured(captureData=7), b"[1]\n", b"[" * 200_000 + b"\n"]
)  # fmt: skip
def test_a_line_that_is_not_capture_names_the_file(line: bytes) -> None:
    with pytest.raises(ModelyardError, match=r"/captures/v1-0-0/a\.jsonl is not data capture"):
        list(SageMakerReader(stored("sagemaker", **{"v1-0-0/a.jsonl": line}), Path()).read(MODEL, BEGIN, END))


def event(name: str, part: str, **more: Any) -> dict[str, Any]:
    data = {"instances": [{"x": float(name), "colour": "red"}]} if part == "request" else {"predictions": [0.5]}
    return {
        "id": name,
        "type": f"org.kubeflow.serving.inference.{part}",
        "time": "2026-05-03T14:00:00Z",
        "data": data,
    } | more


def read(*files: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    content = {
        f"{n}.json": b"".join(json.dumps(one).encode() + b"\n" for one in events) for n, events in enumerate(files)
    }
    tables = CloudEventsReader(stored("cloudevents", **content), Path()).read(MODEL, BEGIN, END)
    return [row for table in tables for row in table.to_pylist()]


orders = st.permutations([(str(n), part) for n in range(4) for part in ("request", "response")])


@given(orders, st.integers(0, 8))
def test_a_request_meets_its_response_when_it_came_first_in_whichever_file(
    order: list[tuple[str, str]], cut: int
) -> None:
    events = [event(*one) for one in order]
    found = {row["id"]: row["score"] for row in read(events[:cut], events[cut:])}
    first = {name: order.index((name, "request")) < order.index((name, "response")) for name in "0123"}
    assert found == {f"{name}/0": 0.5 if answered else None for name, answered in first.items()}


def test_the_version_is_that_of_the_answer_else_that_of_the_event() -> None:
    answer = event("1", "response", data={"model_version": "v2.0.0", "predictions": [0.5]}, modelversion="v1.5.0")
    assert [row["version"] for row in read([event("1", "request", component="v1.0.0"), answer])] == ["v2.0.0"]
    assert [r["version"] for r in read([event("1", "request", component="v1.0.0"), event("1", "response")])] == [
        "v1.0.0"
    ]


def test_data_may_be_text_or_base64() -> None:
    answer = event("1", "response", data=None, data_base64="eyJwcmVkaWN0aW9ucyI6IFswLjI1XX0=")
    sent = event("1", "request", data='{"instances": [[2.5, "red"]]}')
    assert [(row["inputs.x"], row["score"]) for row in read([sent, answer])] == [(2.5, 0.25)]


def test_events_of_other_models_are_left_out() -> None:
    for name in ("inferenceservicename", "sdepname", "modelid"):
        assert read([event("1", "request", **{name: "other"}), event("1", "response", **{name: "other"})]) == []
        assert len(read([event("1", "request", **{name: "m"}), event("1", "response", **{name: "m"})])) == 1


def test_the_oldest_of_too_many_open_requests_is_a_failed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloudevents, "_OPEN", 2)
    rows, waiting = PayloadRows(MODEL), dict[str, Any]()
    for n in range(3):
        cloudevents._take(rows, waiting, event(str(n), "request"), "m")
    assert list(waiting) == ["1", "2"]
    assert [(row["id"], row["score"]) for row in rows.table().to_pylist()] == [("0/0", None)]


@pytest.mark.parametrize("line", [b'{"id": "1"}\n', b"7\n", b'{"id": "1", "type": "x.request", "time": "soon"}\n'])
def test_a_line_that_is_not_an_event_names_the_file(line: bytes) -> None:
    with pytest.raises(ModelyardError, match=r"/captures/a\.json does not hold CloudEvents"):
        list(CloudEventsReader(stored("cloudevents", **{"a.json": line}), Path()).read(MODEL, BEGIN, END))
