"""The local server beside MLServer and a bare litestar application: one row, batches, and a long load with swaps."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from clock import ENVIRONMENT, Figure
from modelyard.demo.stage import free_ports
from modelyard.files import write_whole
from modelyard.flavors.lightgbm import import_lightgbm
from modelyard.predictions.layout import Layout, State, artifact_in
from modelyard.predictions.segments import read_predictions
from modelyard.rollout.plan import Live, Traffic

FEATURES, TREES = 20, 100
ROUNDS, REQUESTS, CONNECTIONS = 7, 2_000, 8
PAIRED_ROUNDS, PAIRED_REQUESTS = 40, 400
BATCH, BATCHES = 1_000, 60
SOAK_SECONDS, SWAP_SECONDS = 600.0, 5.0
TARGETS = Path(sys.prefix) / "targets" / "bin"
NAMES = [f"f{n}" for n in range(FEATURES)]
VERSIONS = ("v1.0.0", "v1.1.0")

MANIFEST = f"""\
name: speed
description: Twenty numbers.
owners: ["@bench"]
task: binary
policy: standard
files: {{artifact: model.txt}}
contract:
  id: id
  label: label
  inputs:
{"".join(f"    - {{name: {name}, type: float}}{chr(10)}" for name in NAMES)}"""
CONFIG = "toolkit: 0.1.0\nenvironments:\n  - {name: production, target: local}\n"
LITESTAR = """\
import sys
import lightgbm, numpy, uvicorn
from litestar import Litestar, post

BOOSTER = lightgbm.Booster(model_file=sys.argv[1])

@post("/infer", status_code=200)
async def infer(data: dict) -> dict:
    tensor = data["inputs"][0]
    rows = numpy.array(tensor["data"], dtype=float).reshape(tensor["shape"])
    scores = BOOSTER.predict(rows, num_threads=1)
    return {"outputs": [{"name": "predict", "shape": [len(scores)], "datatype": "FP64", "data": scores.tolist()}]}

uvicorn.run(Litestar([infer]), host="127.0.0.1", port=int(sys.argv[2]), log_level="error", access_log=False)
"""

COLLECTOR = """\
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass

HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Side:
    """One running server, and the request it is asked."""

    process: subprocess.Popen[bytes]
    port: int
    path: str
    body: Callable[[int], bytes]


def serving(folder: Path) -> Iterator[Figure]:
    """Requests per second and median latency with one row; the share of inference with many."""
    booster = _booster(folder)
    with _ours(folder) as ours, _mlserver(folder) as mlserver, _litestar(folder) as bare:
        p50, rate = _compared(ours, mlserver, bare)
        yield Figure("one row: MLServer's requests per second, of ours", rate[1] / rate[0], 1 / 2)
        yield Figure("one row: median latency, of MLServer's", p50[0] / p50[1], 1 / 2)
        yield Figure("one row: median latency, of a bare litestar application's", p50[0] / p50[2], 2)
        yield Figure("one row: litestar's requests per second, of ours", rate[2] / rate[0], 2)
        rows = _rows(BATCH)
        for form, bound in (("binary tensors", 0.3), ("JSON", None)):
            message = _message(ours, BATCH, form == "binary tensors")
            turns = [
                (_timed(lambda: booster.predict(rows, num_threads=1)), _latencies(ours, 4, message)[1:])
                for _ in range(BATCHES)
            ]
            inference = statistics.median(seconds for seconds, _ in turns)
            whole = statistics.median(seconds for _, several in turns for seconds in several)
            yield Figure(f"{BATCH:,} rows as {form}: all but inference, of a request", 1 - inference / whole, bound)


def telemetry(folder: Path) -> Iterator[Figure]:
    """The cost of spans and metrics for a collector on the same machine, beside two servers without them.

    The servers are asked in turns, one request each, so that whatever else the machine does meets all of them. What
    the two without them differ by is what this machine cannot tell.
    """
    names = ("off", "on", "control")
    for name in names:
        (folder / name).mkdir()
        _booster(folder / name)
    with (
        _collector(folder) as url,
        _ours(folder / "off") as without,
        _ours(folder / "on", more=("--otlp", url)) as sending,
        _ours(folder / "control") as control,
    ):
        latency, rate = _paired(without, sending, control)
        for at, what, bounds in (
            (0, "with --otlp", (1.2, 1.5, 1.3)),
            (1, "of a second server without it", (None,) * 3),
        ):
            yield Figure(f"one row: median latency {what}", latency[at][0], bounds[0])
            yield Figure(f"one row: 99th percentile of latency {what}", latency[at][1], bounds[1])
            yield Figure(f"one row: seconds for as many requests {what}", rate[at], bounds[2])


def soak(folder: Path) -> Iterator[Figure]:
    """Ten minutes of load with a swap of versions every five seconds: what is lost, and how memory grows."""
    _booster(folder)
    layout = Layout.of(folder, "production")
    with _ours(folder, Traffic(VERSIONS[0])) as ours:
        installed = layout.read_state().models["speed"].installed
        _latencies(ours, 3_000)
        begun, before = time.monotonic(), _memory(ours.process.pid)
        asked = failed = 0
        for turn in range(int(SOAK_SECONDS / SWAP_SECONDS)):
            layout.write_state(State({"speed": Live(Traffic(VERSIONS[turn % 2]), installed)}))
            while time.monotonic() < begun + (turn + 1) * SWAP_SECONDS:
                answers = _answers(ours, 500)
                asked, failed = (
                    asked + len(answers),
                    failed + sum(b'"scores"' in a or b" 200 " not in a for a in answers),
                )
        after = _memory(ours.process.pid)
    logged = sum(table.num_rows for table in read_predictions(layout.logs / "speed"))
    print(f"  {asked:,} requests in {SOAK_SECONDS / 60:.0f} min, {failed} failed, {logged:,} logged", flush=True)
    yield Figure("ten minutes: requests failed", failed, 0)
    yield Figure("ten minutes: answers that are not in the log", asked + 3_000 - failed - logged, 0)
    yield Figure("ten minutes: memory at the end, of that at the beginning", after / before, 1.1)


# --- the sides ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _ours(folder: Path, traffic: Traffic | None = None, more: tuple[str, ...] = ()) -> Iterator[Side]:
    """With its log, its contract check, and traffic shared between two versions by caller."""
    (folder / "modelyard.yaml").write_text(CONFIG)
    layout = Layout.of(folder, "production")
    content = (folder / "model.txt").read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    for version in VERSIONS:
        place = layout.version_folder("speed", version)
        place.mkdir(parents=True)
        write_whole(artifact_in(place, "model.txt"), content)
        (place / "model.yaml").write_text(MANIFEST)
    traffic = traffic or Traffic(VERSIONS[0], VERSIONS[1], 50.0, salt="bench", key="f0")
    layout.write_state(State({"speed": Live(traffic, dict.fromkeys(VERSIONS, sha256))}))
    (port,) = free_ports(1)
    command = [
        sys.executable,
        "-m",
        "modelyard",
        "-C",
        str(folder),
        "serve",
        "--env",
        "production",
        "--port",
        str(port),
        *more,
    ]
    with _running(folder, command, f"http://127.0.0.1:{port}/v2/health/live") as process:
        yield Side(process, port, "/v2/models/speed/infer", _columns)


@contextlib.contextmanager
def _collector(folder: Path) -> Iterator[str]:
    """A process that reads what it is sent and keeps nothing."""
    (port,) = free_ports(1)
    (folder / "collector.py").write_text(COLLECTOR)
    command = [sys.executable, str(folder / "collector.py"), str(port)]
    with _running(folder, command, f"http://127.0.0.1:{port}/"):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _mlserver(folder: Path) -> Iterator[Side]:
    place = folder / "mlserver"
    place.mkdir()
    http, grpc, metrics = free_ports(3)
    settings = {
        "host": "127.0.0.1",
        "http_port": http,
        "grpc_port": grpc,
        "metrics_port": metrics,
        "parallel_workers": 0,
        "debug": False,
    }
    (place / "settings.json").write_text(json.dumps(settings))
    model = {
        "name": "speed",
        "implementation": "mlserver_lightgbm.LightGBMModel",
        "parameters": {"uri": "../model.txt"},
    }
    (place / "model-settings.json").write_text(json.dumps(model))
    with _running(
        place, [str(TARGETS / "mlserver"), "start", "."], f"http://127.0.0.1:{http}/v2/models/speed/ready"
    ) as process:
        yield Side(process, http, "/v2/models/speed/infer", _matrix)


@contextlib.contextmanager
def _litestar(folder: Path) -> Iterator[Side]:
    (folder / "bare.py").write_text(LITESTAR)
    (port,) = free_ports(1)
    command = [str(TARGETS / "python"), str(folder / "bare.py"), str(folder / "model.txt"), str(port)]
    with _running(folder, command, f"http://127.0.0.1:{port}/nothing") as process:
        yield Side(process, port, "/infer", _matrix)


@contextlib.contextmanager
def _running(folder: Path, command: list[str], ready: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=ENVIRONMENT | {"OMP_NUM_THREADS": "1"}, start_new_session=True,
    )  # fmt: skip
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(ready, timeout=2).close()  # noqa: S310 - loopback
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


# --- the caller ---------------------------------------------------------------------------------------------------


def _compared(*sides: Side) -> tuple[list[float], list[float]]:
    """Of each side, the median latency with one row and the requests per second, measured in turns."""
    for side in sides:
        _latencies(side, 500)
    single: list[list[float]] = [[] for _ in sides]
    many: list[list[float]] = [[] for _ in sides]
    for _ in range(ROUNDS):
        for i, side in enumerate(sides):
            single[i].append(statistics.median(_latencies(side, REQUESTS)))
            many[i].append(_rate(side, REQUESTS, CONNECTIONS))
    return [statistics.median(found) for found in single], [statistics.median(found) for found in many]


def _paired(*sides: Side) -> tuple[list[tuple[float, float]], list[float]]:
    """Of each side but the first, divided by the first: median and 99th percentile of latency, and seconds for as many
    requests over several connections. Each is the median over the rounds.
    """
    for side in sides:
        _latencies(side, 500)
    latencies: list[list[tuple[float, float]]] = [[] for _ in sides[1:]]
    seconds: list[list[float]] = [[] for _ in sides[1:]]
    for round_ in range(PAIRED_ROUNDS):
        asked = np.quantile(_in_turns(sides, PAIRED_REQUESTS), (0.5, 0.99), axis=1).T
        order = [*range(len(sides))] if round_ % 2 else [*reversed(range(len(sides)))]
        rates = {i: _rate(sides[i], PAIRED_REQUESTS, CONNECTIONS) for i in order}
        for i in range(1, len(sides)):
            latencies[i - 1].append((asked[i, 0] / asked[0, 0], asked[i, 1] / asked[0, 1]))
            seconds[i - 1].append(rates[0] / rates[i])
    whole = [tuple(statistics.median(part) for part in zip(*found, strict=True)) for found in latencies]
    return [(middle, high) for middle, high in whole], [statistics.median(found) for found in seconds]


def _in_turns(sides: Sequence[Side], requests: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Seconds (sides, requests) of requests that are sent to one side after the other, each time in another order."""
    found = np.empty((len(sides), requests))
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(socket.create_connection(("127.0.0.1", side.port))) for side in sides]
        messages = [_message(side, 1) for side in sides]
        for connection in opened:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for request in range(requests):
            for turn in range(len(sides)):
                i = (request + turn) % len(sides)
                begun = time.perf_counter()
                opened[i].sendall(messages[i])
                _receive(opened[i])
                found[i, request] = time.perf_counter() - begun
    return found


def _latencies(side: Side, requests: int, message: bytes = b"") -> list[float]:
    """Seconds of each of many requests (by default of one row) over one connection that is kept open."""
    message = message or _message(side, 1)
    found = []
    with socket.create_connection(("127.0.0.1", side.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(requests):
            begun = time.perf_counter()
            connection.sendall(message)
            _receive(connection)
            found.append(time.perf_counter() - begun)
    return found


def _answers(side: Side, requests: int) -> list[bytes]:
    message = _message(side, 1)
    with socket.create_connection(("127.0.0.1", side.port)) as connection:
        found = []
        for _ in range(requests):
            connection.sendall(message)
            found.append(_receive(connection))
    return found


def _rate(side: Side, requests: int, connections: int) -> float:
    """Requests per second over many connections, each of which waits for its answer."""
    message = _message(side, 1)
    chooser = selectors.DefaultSelector()
    opened = [socket.create_connection(("127.0.0.1", side.port)) for _ in range(connections)]
    for connection in opened:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        chooser.register(connection, selectors.EVENT_READ)
    begun, sent, done = time.perf_counter(), 0, 0
    for connection in opened:
        connection.sendall(message)
        sent += 1
    while done < requests:
        for key, _ in chooser.select():
            _receive(key.fileobj)  # type: ignore[arg-type]
            done += 1
            if sent < requests:
                key.fileobj.sendall(message)  # type: ignore[union-attr]
                sent += 1
    seconds = time.perf_counter() - begun
    for connection in opened:
        connection.close()
    return requests / seconds


def _receive(connection: socket.socket) -> bytes:
    content = connection.recv(1 << 20)
    head, _, body = content.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(1 << 20)
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"a server answered {head[:40]!r}: {body[:300]!r}")
    return head + body


def _message(side: Side, rows: int, binary: bool = False) -> bytes:
    body, extra = side.body(rows), ""
    if binary:
        values = np.ascontiguousarray(_rows(rows).T)
        shape = {"shape": [rows], "datatype": "FP64", "parameters": {"binary_data_size": rows * 8}}
        part = {"id": "bench", "parameters": {"entity": "a batch", "binary_data_output": True}}
        body = json.dumps(part | {"inputs": [{"name": name, **shape} for name in NAMES]}).encode()
        extra = f"Inference-Header-Content-Length: {len(body)}\r\n"
        body += values.tobytes()
    head = f"POST {side.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{extra}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _columns(rows: int) -> bytes:
    values = _rows(rows)
    tensors = [
        {"name": name, "shape": [rows], "datatype": "FP64", "data": values[:, i].tolist()}
        for i, name in enumerate(NAMES)
    ]
    # A batch comes from one caller; a single row is routed by a column of its own.
    parameters = {"entity": "a batch"} if rows > 1 else {}
    return json.dumps({"id": "bench", "parameters": parameters, "inputs": tensors}).encode()


def _matrix(rows: int) -> bytes:
    tensor = {"name": "x", "shape": [rows, FEATURES], "datatype": "FP64", "data": _rows(rows).ravel().tolist()}
    return json.dumps({"id": "bench", "inputs": [tensor]}).encode()


def _rows(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.random.default_rng(0).normal(size=(count, FEATURES)).round(4)


def _booster(folder: Path):  # type: ignore[no-untyped-def]  # noqa: ANN202 - LightGBM has no types
    lightgbm = import_lightgbm()
    rows = _rows(20_000)
    label = (rows[:, 0] + rows[:, 1] * rows[:, 2] > 0).astype(float)
    data = lightgbm.Dataset(rows, label=label, feature_name=NAMES)
    booster = lightgbm.train({"objective": "binary", "num_leaves": 31, "verbosity": -1}, data, TREES)
    booster.save_model(str(folder / "model.txt"))
    return booster


def _timed(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def _memory(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])
