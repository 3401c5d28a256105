from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelyard.predictions.layout import Layout, State, artifact_in
from modelyard.predictions.segments import read_predictions
from modelyard.rollout.plan import Live, Traffic
from support.listener import listening
from support.server import Server, request, serving
from support.waiting import SECONDS, wait_for
from support.yard import tool

INFER = "/v2/models/flight-delay/infer"


def logged(layout: Layout) -> list[dict[str, Any]]:
    return [row for table in read_predictions(layout.logs / "flight-delay") for row in table.to_pylist()]


@pytest.fixture(scope="module")
def yard(champion_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "champion"
    shutil.copytree(champion_template.parent, folder, symlinks=True)
    return folder / "repository"


@pytest.fixture(scope="module")
def server(yard: Path) -> Iterator[Server]:
    with serving(yard, "production") as running:
        yield running


def test_health_metadata_and_index(server: Server) -> None:
    assert server.call("GET", "/v2/health/live") == (200, {"live": True})
    assert server.call("GET", "/v2/health/ready") == (200, {"ready": True, "models": {"flight-delay": "ready"}})
    assert server.call("GET", "/v2")[1]["name"] == "modelyard"
    status, metadata = server.call("GET", "/v2/models/flight-delay")
    assert status == 200 and metadata["versions"] == ["v1.0.0"] and metadata["outputs"][0]["name"] == "probability_late"
    assert {"carrier": "BYTES", "weekday": "INT64", "temp": "FP64"}.items() <= {
        i["name"]: i["datatype"] for i in metadata["inputs"]}.items()  # fmt: skip
    assert server.call("GET", "/v2/models/flight-delay/versions/v1.0.0/ready") == (200, {"ready": True})
    assert server.call("POST", "/v2/repository/index")[1] == [
        {"name": "flight-delay", "version": "v1.0.0", "state": "READY", "reason": "serving"}]  # fmt: skip


def test_predictions_are_logged_with_id_time_version_and_inputs(server: Server, yard: Path) -> None:
    body = request(3) | {"id": "mine"}
    body["inputs"].append({"name": "flight_id", "shape": [3], "datatype": "BYTES", "data": ["a", "b", "c"]})
    status, answer = server.call("POST", "/v2/models/flight-delay/versions/v1.0.0/infer", body)
    assert status == 200 and answer["model_version"] == "v1.0.0" and answer["id"] == "mine"
    output = answer["outputs"][0]
    assert output["shape"] == [3] and all(0 < p < 1 for p in output["data"]) and len(set(output["data"])) == 1
    mine = [entry for entry in logged(Layout.of(yard, "production")) if entry["id"].startswith("mine/")]
    assert [entry["entity"] for entry in mine] == ["a", "b", "c"]
    assert mine[0]["version"] == "v1.0.0" and mine[0]["variant"] == "champion" and mine[0]["inputs.visib"] is None
    assert mine[0]["time"].tzinfo and 0 < mine[0]["latency_ms"] < 10_000 and mine[0]["inputs.carrier"] == "UA"
    assert [entry["score"] for entry in mine] == output["data"]


def as_bytes(body: dict[str, Any], columns: dict[str, bytes]) -> tuple[bytes, dict[str, str]]:
    """The same request with some columns in its binary tail, and its header."""
    inputs = [
        {k: v for k, v in i.items() if k != "data"} | {"parameters": {"binary_data_size": len(columns[i["name"]])}}
        if i["name"] in columns
        else i
        for i in body["inputs"]
    ]
    part = json.dumps(body | {"inputs": inputs}).encode()
    tail = b"".join(columns[i["name"]] for i in inputs if i["name"] in columns)
    return part + tail, {"Inference-Header-Content-Length": str(len(part))}


def test_columns_as_bytes_are_scored_and_logged_as_the_same_values(server: Server, yard: Path) -> None:
    plain = request(3, weekday=2) | {"id": "text"}
    numbers = {i["name"]: i for i in plain["inputs"] if i["datatype"] in ("FP64", "INT64")}
    columns = {
        name: np.array([np.nan if v is None else v for v in i["data"]], "<f8" if i["datatype"] == "FP64" else "<i8")
        for name, i in numbers.items()
        if None not in i["data"] or i["datatype"] == "FP64"
    }
    blobs = {name: values.tobytes() for name, values in columns.items()}
    blobs["carrier"] = b"".join(struct.pack("<I", 2) + b"UA" for _ in range(3))
    body, header = as_bytes(plain | {"id": "bytes", "parameters": {"binary_data_output": True}}, blobs)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
    connection.request("POST", INFER, body, header)
    response = connection.getresponse()
    content, size = response.read(), int(response.headers["Inference-Header-Content-Length"])
    assert response.status == 200 and response.headers["Content-Type"] == "application/octet-stream"
    (output,) = json.loads(content[:size])["outputs"]
    assert output["parameters"] == {"binary_data_size": 24} and "data" not in output
    expected = server.call("POST", INFER, plain)[1]["outputs"][0]["data"]
    assert np.frombuffer(content[size:], "<f8").tolist() == expected
    kept = {
        name: [
            e | {"id": 0, "time": 0, "latency_ms": 0}
            for e in logged(Layout.of(yard, "production"))
            if e["id"].startswith(name)
        ]
        for name in ("text", "bytes")
    }
    assert kept["bytes"] == kept["text"] and len(kept["text"]) == 3


@pytest.mark.parametrize(
    ("columns", "header", "words"),
    [
        ({"temp": b"1234567"}, {}, "not a multiple of the size of FP64"),
        ({"temp": b"12345678" * 2}, {}, "'temp' has 2 values; its shape gives 1"),
        ({"temp": struct.pack("<d", float("inf"))}, {}, "'temp', row 0: inf is not a finite number"),
        ({"carrier": struct.pack("<I", 900) + b"UA"}, {}, "'carrier', row 0"),
        ({"carrier": b"\x01"}, {}, "'carrier', row 0"),
        ({"weekday": struct.pack("<q", 9)}, {}, "'weekday', row 0: 9 is above 6"),
        ({}, {"Inference-Header-Content-Length": "999999"}, "Inference-Header-Content-Length"),
        ({}, {"Inference-Header-Content-Length": "-1"}, "Inference-Header-Content-Length"),
        ({}, {"Inference-Header-Content-Length": "9"}, "not a v2 inference request"),
    ],
)
def test_bytes_that_are_not_a_valid_column(
    server: Server, columns: dict[str, bytes], header: dict[str, str], words: str
) -> None:
    body, length = as_bytes(request(1), columns)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
    connection.request("POST", INFER, body, length | header)
    response = connection.getresponse()
    assert response.status == 400 and words in json.loads(response.read())["error"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (request(temp=...), ["'temp'", "missing"]),
        (request(carrier=None), ["'carrier'", "null is not allowed"]),
        (request(carrier=5), ["'carrier'", "5 is not a string"]),
        (request(weekday=1.5), ["'weekday'", "not a whole number"]),
        (request(weekday=7), ["'weekday'", "above 6"]),
        (request(weekday=True), ["'weekday'"]),
        (request(temp="warm"), ["'temp'", "'warm' is not a finite number"]),
        (request(temp=1e301), ["'temp'"]),
        (request(tmep=1.0, temp=...), ["'tmep'", "Did you mean 'temp'?"]),
        (request(dep_delay=3.0), ["'dep_delay'", "not in the contract"]),
        ({"inputs": request()["inputs"] + request()["inputs"][:1]}, ["'carrier'", "twice"]),
        ({"inputs": [i | {"shape": [2]} for i in request()["inputs"]]}, ["shape"]),
        ({"inputs": [i | {"datatype": "FP64"} for i in request()["inputs"]]}, ["'carrier'", "BYTES"]),
        (request() | {"outputs": [{"name": "nothing"}]}, ["'nothing'"]),
        (request(0), ["rows"]),
        ({"inputs": "x"}, ["not a v2 inference request"]),
        (b"{", ["not a v2 inference request"]),
        (b"\xff", ["not a v2 inference request"]),
        (request() | {"id": "a\nb"}, ["id"]),
    ],
)  # fmt: skip
def test_a_request_outside_the_contract_gets_a_4xx_that_names_the_column(
    server: Server, body: Any, words: list[str]
) -> None:
    status, answer = server.call("POST", INFER, body)
    assert status == 400 and all(word in answer["error"] for word in words), answer


def test_null_where_it_is_allowed_is_scored(server: Server) -> None:
    assert server.call("POST", INFER, request(temp=None))[0] == 200
    assert server.call("POST", INFER, request(carrier="never seen"))[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/nobody", 404),
        ("GET", "/v2/models/flight-delay/versions/v9.9.9", 404),
        ("GET", INFER, 405),
        ("GET", "/", 404),
        ("POST", "/v2/repository/models/x/load", 403),
        ("POST", "/v2/repository/models/x/delete", 404),
    ],
)
def test_unknown_models_versions_and_paths(server: Server, method: str, path: str, status: int) -> None:
    found, answer = server.call(method, path)
    assert found == status and answer["error"]


def test_versions_swap_under_load_without_a_dropped_or_wrong_answer(champion: Path) -> None:
    layout = Layout.of(champion, "production")
    first = layout.version_folder("flight-delay", "v1.0.0")
    second = layout.version_folder("flight-delay", "v1.1.0")
    shutil.copytree(first, second)
    installed = layout.read_state().models["flight-delay"].installed | {
        "v1.1.0": layout.read_state().models["flight-delay"].installed["v1.0.0"]}  # fmt: skip
    wrong: list[object] = []
    seen: dict[str, int] = {}
    with listening() as collector, serving(champion, "production", None, ("--otlp", collector.url)) as server:
        over = threading.Event()

        def load() -> None:
            while not over.is_set():
                status, answer = server.call("POST", INFER, request(5))
                if status != 200 or len(answer["outputs"][0]["data"]) != 5:
                    wrong.append((status, answer))
                else:
                    seen[answer["model_version"]] = seen.get(answer["model_version"], 0) + 1

        callers = [threading.Thread(target=load) for _ in range(4)]
        for caller in callers:
            caller.start()
        for turn in range(6):
            version = ("v1.1.0", "v1.0.0")[turn % 2]
            layout.write_state(State({"flight-delay": Live(Traffic(version), installed)}))
            taken_up = lambda: layout.read_report().traffic == {"flight-delay": Traffic(version)}  # noqa: E731, B023
            wait_for(taken_up, f"{version} to be served")
        over.set()
        for caller in callers:
            caller.join()
    assert not wrong
    assert set(seen) == {"v1.0.0", "v1.1.0"}
    assert len(logged(layout)) == 5 * sum(seen.values())
    traced: Counter[str] = Counter()
    for path, document in collector.posted:
        for span in document["resourceSpans"][0]["scopeSpans"][0]["spans"] if path == "/v1/traces" else ():
            said = {one["key"]: one["value"] for one in span["attributes"]}
            traced[said["modelyard.version"]["stringValue"]] += 1
    assert traced == seen, "every answer is one span, also of the last seconds"


def test_a_corrupt_artifact_leaves_the_old_version_serving(champion: Path) -> None:
    layout = Layout.of(champion, "production")
    shutil.copytree(layout.version_folder("flight-delay", "v1.0.0"), layout.version_folder("flight-delay", "v1.1.0"))
    artifact_in(layout.version_folder("flight-delay", "v1.1.0"), "model.txt").write_bytes(b"tree\nbroken")
    state = layout.read_state().models["flight-delay"]
    with serving(champion, "production") as server:
        broken = Live(Traffic("v1.1.0"), state.installed | {"v1.1.0": "0" * 64})
        layout.write_state(State({"flight-delay": broken}))
        wait_for(lambda: layout.read_report().faults, "a fault in the server's report")
        assert "has other bytes than the registered ones" in layout.read_report().faults["flight-delay"]
        assert server.call("POST", INFER, request())[1]["model_version"] == "v1.0.0"
        status, ready = server.call("GET", "/v2/health/ready")
        assert status == 200 and "has other bytes than the registered ones" in ready["models"]["flight-delay"]
        status = json.loads(tool(champion, "status", "--env", "production", "--json").stdout)[0]
        assert status["health"] == "failed" and "has other bytes than the registered ones" in status["reason"]


def test_a_port_in_use_and_a_second_server(champion: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = str(holder.getsockname()[1])
        said = tool(champion, "serve", "--env", "staging", "--port", port, expect=4).stderr
        assert f"Port {port} on 127.0.0.1 cannot be used" in said
    with serving(champion, "staging"):
        assert "already runs" in tool(champion, "serve", "--env", "staging", expect=4).stderr


def test_after_a_kill_the_server_is_down_and_its_log_is_complete(champion: Path) -> None:
    layout = Layout.of(champion, "staging")
    with serving(champion, "staging") as server:
        for _ in range(20):
            assert server.call("POST", INFER, request())[0] == 200
        assert layout.server_is_up()
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
    assert not layout.server_is_up()
    assert len(logged(layout)) == 20
    line = json.loads(tool(champion, "status", "--env", "staging", "--json").stdout)[0]
    assert (line["sync"], line["health"]) == ("in sync", "down")
