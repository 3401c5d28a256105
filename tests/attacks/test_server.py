"""What an attacker tries with the local server: to stop it, to learn what it serves, to guess a token."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from modelyard.manifests.configuration import Limits, PredictionLogging
from modelyard.manifests.model import Column, Contract
from modelyard.predictions.segments import compact
from modelyard.predictions.writer import Entry, PredictionLog
from modelyard.serving.app import Access, Application
from modelyard.serving.connections import BoundedProtocol
from modelyard.serving.inference import Answered
from modelyard.serving.protocol import BadRequest
from modelyard.serving.tensors import ContractCheck, decode_request
from support.waiting import SECONDS, wait_for

TOKENS = (("viewer", "v"), ("caller", "c"), ("operator", "o"))


class _Face:
    """The application without models, and answers to single requests."""

    def __init__(self, access: Access) -> None:
        table = SimpleNamespace(models={}, faults={"secret-model": "cannot be read"})
        metrics = SimpleNamespace(refuse=lambda status: None, text=lambda: b"")
        inference = SimpleNamespace(log_fault="")
        self.app = Application(table, inference, metrics, access, Limits(body_bytes=1000), None)  # type: ignore[arg-type]
        self.read = 0

    def ask(self, *given: Any, **named: Any) -> tuple[int, Any]:
        return asyncio.run(self.asked(*given, **named))

    async def asked(
        self, method: str, path: str, token: str = "", client: str = "10.0.0.1", content: bytes = b"{}", **headers: str
    ) -> tuple[int, Any]:
        shown = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        if token:
            shown.append((b"authorization", f"Bearer {token}".encode()))
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            self.read += 1
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "headers": shown, "client": (client, 1)}
        await self.app(scope, receive, send)
        return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.mark.parametrize(
    "path", ["/v2/models/secret-model", "/v2/models/x/versions/v1.0.0", "/v2/models/x/ready", "/nothing", "/v2/models"]
)
def test_to_learn_what_is_served_without_a_token(path: str) -> None:
    face = _Face(Access(TOKENS))  # type: ignore[arg-type]
    status, body = face.ask("GET", path)
    assert status == 401 and "secret-model" not in str(body)
    assert face.ask("GET", path, "c")[0] in (404, 503), "a caller may know"
    assert face.ask("GET", "/v2/health/live")[0] == 200


def test_to_learn_what_is_served_from_the_health_of_the_server() -> None:
    face = _Face(Access(TOKENS))  # type: ignore[arg-type]
    assert "cannot be read" not in str(face.ask("GET", "/v2/health/ready"))
    assert "cannot be read" in str(face.ask("GET", "/v2/health/ready", "v"))


def test_to_guess_a_token_by_trying_many() -> None:
    face = _Face(Access(TOKENS))  # type: ignore[arg-type]
    assert face.ask("GET", "/nothing", "o")[0] == 404
    answers = [face.ask("GET", "/nothing", f"guess-{i}")[0] for i in range(30)]
    assert answers[:10] == [401] * 10 and set(answers[10:]) == {429}
    assert face.ask("GET", "/nothing", "c")[0] == 429, "the right one is no longer told from the wrong ones"
    assert face.ask("GET", "/nothing", "o")[0] == 404, "who showed a right token before goes on"
    assert face.ask("GET", "/nothing", "c", client="10.0.0.2")[0] == 404


def test_to_guess_a_token_at_the_readiness_address() -> None:
    face = _Face(Access(TOKENS))  # type: ignore[arg-type]
    ready = "/v2/health/ready"
    assert "secret-model" in str(face.app._table.faults) and "cannot be read" in str(face.ask("GET", ready, "o"))
    guesses = {str(face.ask("GET", ready, f"guess-{i}")) for i in range(30)}
    assert guesses == {str(face.ask("GET", ready))}, "a wrong token is told what no token is told"
    assert str(face.ask("GET", ready, "v")) in guesses, "the right one is no longer told from the wrong ones"
    assert face.ask("GET", "/nothing", "v")[0] == 429, "guesses count at every address"
    assert "cannot be read" in str(face.ask("GET", ready, "o")), "who showed a right token before goes on"
    assert "cannot be read" in str(face.ask("GET", ready, "v", client="10.0.0.2"))
    for _ in range(50):
        assert face.ask("GET", ready, client="10.0.0.3") == face.ask("GET", ready), "a probe needs no token"


class _Slow:
    """A server of two models whose files cannot be checked; the one does not answer before it is told to."""

    def __init__(self, seconds: float) -> None:
        self.told, self.begun = threading.Event(), threading.Semaphore(0)
        face = _Face(Access(()))
        flavor = SimpleNamespace(blocks=False, checks_files=False)
        version = SimpleNamespace(loaded=SimpleNamespace(flavor=flavor))
        models = {
            name: SimpleNamespace(name=name, versions={"v1.0.0": version}, serving="v1.0.0")
            for name in ("slow", "fast")
        }
        table = SimpleNamespace(models=models, faults={})
        inference = SimpleNamespace(log_fault="", answer=self._answer)
        metrics = SimpleNamespace(refuse=lambda status: None)
        limits = Limits(answer_seconds=seconds)
        face.app = Application(table, inference, metrics, Access(()), limits, None)  # type: ignore[arg-type]
        self.face = face

    def _answer(self, model: Any, asked: Any, request: Any) -> Answered:
        self.begun.release()
        if model.name == "slow":
            assert self.told.wait(SECONDS)
        return Answered(model.name, "v1.0.0", "r", [])

    def infer(self, model: str) -> tuple[int, Any]:
        return self.face.ask("POST", f"/v2/models/{model}/infer", content=b'{"inputs":[]}')


def test_to_hold_up_every_request_with_a_model_that_does_not_end() -> None:
    server = _Slow(0.2)
    try:
        with ThreadPoolExecutor(10) as callers:
            waiting = [callers.submit(server.infer, "slow") for _ in range(9)]
            assert server.begun.acquire(timeout=SECONDS)
            assert server.face.ask("GET", "/v2/health/live") == (200, {"live": True})
            assert server.face.ask("GET", "/v2/health/ready")[0] == 200
            assert server.infer("fast")[0] == 200, "each model has threads of its own"
            said = sorted(call.result(SECONDS)[0] for call in waiting)
        assert said == [503] * 5 + [504] * 4, "four hang, and the others wait in vain"
        assert "did not score this request within 0.2 s" in str(server.infer("slow")) or server.infer("slow")[0] == 503
    finally:
        server.told.set()
    wait_for(lambda: server.infer("slow")[0] == 200, "the threads are free again")


def test_while_one_loop_awaits_a_score_it_answers_others() -> None:
    """The same in one event loop, as the server runs."""
    server = _Slow(SECONDS)

    async def run() -> None:
        scored = asyncio.create_task(server.face.asked("POST", "/v2/models/slow/infer", content=b'{"inputs":[]}'))
        assert await asyncio.to_thread(server.begun.acquire, timeout=SECONDS)
        assert (await server.face.asked("GET", "/v2/health/live"))[0] == 200 and not scored.done()
        server.told.set()
        assert (await scored)[0] == 200

    asyncio.run(run())


def test_an_error_of_scoring_is_the_answer() -> None:
    server = _Slow(SECONDS)
    assert server.face.ask("POST", "/v2/models/fast/infer", content=b"{")[0] == 400


def test_to_fill_the_memory_with_a_body_that_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    face = _Face(Access(()))
    monkeypatch.setattr(face.app, "_find", lambda *_: (SimpleNamespace(versions={}), None))
    for length in ("1001", "9" * 30, "x"):
        assert face.ask("POST", "/v2/models/m/infer", content_length=length)[0] == 413
    assert face.read == 0, "nothing of the body was read"


CONTRACT = Contract(
    id="id", label="y",
    inputs=[Column(name="n", type="integer"), Column(name="s", type="string")],
)  # fmt: skip


def body(n: str = "1", s: str = '"a"', ids: str = '"i"') -> bytes:
    columns = [("n", "INT64", n), ("s", "BYTES", s), ("id", "BYTES", ids)]
    inputs = ",".join(
        f'{{"name":"{name}","shape":[1],"datatype":"{kind}","data":[{data}]}}' for name, kind, data in columns
    )
    return f'{{"inputs":[{inputs}]}}'.encode()


def rows(content: bytes) -> Any:
    return ContractCheck(CONTRACT, 10).rows(decode_request(content))


@pytest.mark.parametrize("number", [str(2**70), str(-(2**70)), str(2**64), "1e300", "true", "[1,2]"])
def test_to_send_a_number_that_the_type_cannot_hold(number: str) -> None:
    assert rows(body()).count == 1
    with pytest.raises(BadRequest, match="n"):
        rows(body(n=number))


@pytest.mark.parametrize("identity", ["{}", '[["x"]]', "true", "null", str(2**70)])
def test_to_log_an_id_that_is_no_scalar(identity: str) -> None:
    with pytest.raises(BadRequest, match="id"):
        rows(body(ids=identity))


@pytest.mark.parametrize("deep", ["[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000])
def test_to_end_a_request_in_a_server_error_by_nesting(deep: str) -> None:
    for content in (
        body(n=deep),
        body(s=deep),
        f'{{"inputs":[],"parameters":{{"a":{deep}}}}}'.encode(),
        b'{"inputs":' + deep.encode() + b"}",
    ):
        with pytest.raises(BadRequest):
            rows(content)


def test_to_read_what_was_logged_as_another_user_of_the_machine(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, PredictionLogging())
    log.append(Entry("r", "2026-01-01T00:00:00.000000Z", "v1.0.0", "champion", 1.0, ["a"], {"x": [1.0]}, [0.5]))
    log.rotate()
    log.close()
    [made] = compact(tmp_path, 0)
    assert [path.stat().st_mode & 0o137 for path in tmp_path.iterdir()] == [0, 0]
    assert made.suffix == ".parquet"


# --- connections -----------------------------------------------------------------------------------------------------


class _Impatient(BoundedProtocol):
    head_seconds = 0.5
    head_bytes = 2000


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    config = uvicorn.Config(_answer, http=_Impatient, log_level="critical", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    wait_for(lambda: server.started, "the server")
    yield int(listener.getsockname()[1])
    server.should_exit = True
    thread.join(SECONDS)


def connected(port: int, sent: bytes = b"") -> socket.socket:
    found = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
    found.sendall(sent)
    return found


def everything(connection: socket.socket) -> bytes:
    parts = []
    try:
        while part := connection.recv(4096):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def test_to_stop_the_server_with_many_half_open_connections(port: int) -> None:
    waiting = [connected(port, b"GET / HTTP/1.1\r\nHost: x\r\n") for _ in range(150)]
    waiting += [connected(port) for _ in range(50)]
    with connected(port, GET) as asked:
        assert b"200 OK" in asked.recv(4096), "others are answered meanwhile"
    for connection in waiting:
        assert everything(connection).startswith(b"HTTP/1.1 408")
        connection.close()


def test_to_fill_the_memory_with_a_head_that_does_not_end(port: int) -> None:
    for sent in (
        b"GET /" + b"a" * 10_000,
        b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 1000,
        GET[:-2] + b"x: " + b"y" * 10_000,
    ):
        with connected(port, sent) as connection:
            assert everything(connection)[9:12] in (b"400", b"431", b"")


def test_a_kept_connection_is_asked_again(port: int) -> None:
    with connected(port) as connection:
        for _ in range(3):
            connection.sendall(GET)
            answer = b""
            while not answer.endswith(b"ok"):
                part = connection.recv(4096)
                assert part, answer
                answer += part
