"""What the server keeps of its answers, and what it does when it cannot."""

from __future__ import annotations

import http.client
import json
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.manifests.configuration import PredictionLogging
from modelyard.manifests.model import Column, Contract
from modelyard.predictions.layout import Layout
from modelyard.predictions.segments import compact, read_predictions
from modelyard.predictions.writer import Entry, PredictionLog, Privacy
from modelyard.rollout.plan import Traffic
from modelyard.serving.inference import goes_to_candidate
from support.server import Server, request, serving
from support.waiting import SECONDS, wait_for
from support.yard import tool

MODEL = "flight-delay"
INFER = f"/v2/models/{MODEL}/infer"


def configure(yard: Path, **fields: Any) -> None:
    """Adds fields to the production environment."""
    config = yard / "modelyard.yaml"
    lines = "".join(f"    {key}: {json.dumps(value)}\n" for key, value in fields.items())
    config.write_text(config.read_text().rstrip("\n") + "\n" + lines)


def rows(folder: Path) -> list[dict[str, Any]]:
    return [row for table in read_predictions(folder) for row in table.to_pylist()]


def ask(
    server: Server, token: str = "", path: str = INFER, body: Any = None, method: str = "POST"
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    connection.request(method, path, json.dumps(body or request()) if method == "POST" else None, headers)
    response = connection.getresponse()
    found = response.status, response.read()
    connection.close()
    return found


def test_every_answer_is_in_the_log_when_the_server_is_killed_under_load(champion: Path) -> None:
    layout = Layout.of(champion, "production")
    answered: set[str] = set()
    with serving(champion, "production") as server:
        stop = threading.Event()

        def load(caller: int) -> None:
            count = 0
            while not stop.is_set():
                count += 1
                name = f"{caller}-{count}"
                try:
                    if server.call("POST", INFER, request() | {"id": name})[0] == 200:
                        answered.add(name)
                except (OSError, http.client.HTTPException):
                    return

        callers = [threading.Thread(target=load, args=(n,)) for n in range(4)]
        for caller in callers:
            caller.start()
        wait_for(lambda: len(answered) >= 200, "200 answers")
        os.kill(server.process.pid, signal.SIGKILL)
        for caller in callers:
            caller.join()
        stop.set()
    assert answered <= {row["id"].removesuffix("/0") for row in rows(layout.logs / MODEL)}


@pytest.mark.parametrize("when_full", ["refuse", "answer"])
def test_a_full_disk_is_reported_and_every_returned_answer_is_logged(champion: Path, when_full: str) -> None:
    configure(champion, log={"when_full": when_full})
    layout = Layout.of(champion, "production")
    limit: Callable[[], None] = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # noqa: E731
    with serving(champion, "production", limit) as server:
        codes = [ask(server)[0] for _ in range(60)]
        assert codes[0] == 200
        ready = ask(server, path="/v2/health/ready", method="GET")
        assert ready[0] == 503 and b"cannot be written" in ready[1]
        text = ask(server, path="/metrics", method="GET")[1].decode()
    kept = len(rows(layout.logs / MODEL))
    assert 0 < kept < 60 and "CANNOT BE WRITTEN" in server.said()
    if when_full == "refuse":
        assert codes[-1] == 503 and codes.count(200) == kept, "what was answered is logged, and nothing else"
    else:
        assert set(codes) == {200} and f"modelyard_log_lost_rows_total {60 - kept}.0" in text


def test_segments_become_parquet_while_the_server_answers_and_every_row_is_read_once(champion: Path) -> None:
    configure(champion, log={"segment_bytes": 10_000})
    folder = Layout.of(champion, "production").logs / MODEL
    with serving(champion, "production") as server:
        for n in range(150):
            assert ask(server, body=request(2) | {"id": f"r{n}"})[0] == 200
            if n % 50 == 49:
                wait_for(lambda: list(folder.glob("*.parquet")), "a segment as Parquet")
    assert list(folder.glob("*.parquet"))
    assert sorted(row["id"] for row in rows(folder)) == sorted(f"r{n}/{row}" for n in range(150) for row in (0, 1))


def test_old_segments_are_deleted_after_keep_days(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, PredictionLogging())
    for n in range(3):
        log.append(Entry(f"r{n}", "2026-01-01T00:00:00.000000Z", "v1.0.0", "champion", 1.0, None, {"x": [1.0]}, [0.5]))
        log.rotate()
    log.close()
    made = compact(tmp_path, keep_days=0)
    assert len(made) == 3 and len(rows(tmp_path)) == 3
    os.utime(made[0], (time.time() - 40 * 86400,) * 2)
    compact(tmp_path, keep_days=30)
    assert [row["id"] for row in rows(tmp_path)] == ["r1/0", "r2/0"]


def test_after_a_killed_conversion_no_row_is_counted_twice(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, PredictionLogging())
    log.append(Entry("r", "2026-01-01T00:00:00.000000Z", "v1.0.0", "champion", 1.0, ["a"], {"x": [1.0]}, [0.5]))
    log.rotate()
    log.close()
    (lines,) = [path for path in tmp_path.glob("*.jsonl") if path.stat().st_size]
    content = lines.read_bytes()
    compact(tmp_path, 0)
    lines.write_bytes(content)  # the Parquet was renamed, the lines not yet deleted
    assert len(rows(tmp_path)) == 1
    compact(tmp_path, 0)
    assert len(rows(tmp_path)) == 1 and not lines.exists()


def test_a_truncated_line_is_skipped_and_the_next_one_is_complete(tmp_path: Path) -> None:
    entry = Entry("r", "2026-01-01T00:00:00.000000Z", "v1.0.0", "champion", 1.0, ["a"], {"x": [1.0]}, [0.5])
    log = PredictionLog(tmp_path, PredictionLogging())
    log.append(entry)
    log.close()
    (segment,) = tmp_path.glob("*.jsonl")
    segment.write_bytes(segment.read_bytes() + b'{"id": "cut')
    log = PredictionLog(tmp_path, PredictionLogging())
    log.append(entry)
    log.close()
    assert len(rows(tmp_path)) == 2


def test_a_failed_request_and_columns_that_change_are_rows_of_one_table(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, PredictionLogging())
    at = "2026-01-01T00:00:00.000000Z"
    log.append(Entry("a", at, "v1.0.0", "champion", 1.0, None, {"x": [1, 2]}, [0.5, 0.6]))
    log.append(Entry("b", at, "v2.0.0", "candidate", 1.0, None, {"x": [None], "new": ["u"]}, [], "it broke"))
    log.append(Entry("c", at, "v3.0.0", "champion", 1.0, None, {"x": [1.5]}, [[0.2, 0.8]]))
    log.close()
    found = rows(tmp_path)
    assert [row["inputs.x"] for row in found] == [1.0, 2.0, None, 1.5]
    assert found[2]["error"] == "it broke" and found[2]["inputs.new"] == "u" and found[0]["error"] is None


# --- personal columns ---------------------------------------------------------------------------------------------


def personal(**kinds: Any) -> Contract:
    inputs = [Column(name=name, type="string", personal=kind) for name, kind in kinds.items()]
    return Contract(id="id", label="label", inputs=inputs, personal_id="hash")


def test_personal_columns_are_dropped_or_hashed_with_a_key() -> None:
    privacy = Privacy(personal(town="no", mail="hash", name="drop"), b"key")
    kept = privacy.inputs(
        {
            "town": ["Bonn"],
            "mail": [
                "a@b.c",
            ],
            "name": ["Ada"],
        }
    )
    assert kept["town"] == ["Bonn"] and "name" not in kept
    assert kept["mail"] != ["a@b.c"] and kept == privacy.inputs({"town": ["Bonn"], "mail": ["a@b.c"], "name": ["Eve"]})
    other = Privacy(personal(mail="hash"), b"another key")
    assert other.inputs({"mail": ["a@b.c"]})["mail"] != kept["mail"], "without the key nobody can try values out"
    assert privacy.entities([17, "x"]) == privacy.entities(["17", "x"]) and privacy.entities(None) is None


def test_a_server_without_the_key_does_not_serve_personal_columns(champion: Path) -> None:
    layout = Layout.of(champion, "production")
    manifest = layout.version_folder(MODEL, "v1.0.0") / "model.yaml"
    manifest.write_text(
        manifest.read_text().replace("{name: carrier, type: string", "{name: carrier, personal: hash, type: string")
    )
    assert "personal: hash" in manifest.read_text()
    with serving(champion, "production") as server:
        code, said = ask(server, path="/v2/health/ready", method="GET")
        assert code == 503 and b"log.hash_key" in said
    configure(champion, log={"hash_key": "env:LOG_KEY"})
    with serving(champion, "production", LOG_KEY="canary-0f3a") as server:
        assert ask(server, body=request(carrier="personal-value"))[0] == 200
    logged = b"".join(path.read_bytes() for path in (layout.logs / MODEL).iterdir())
    assert b"personal-value" not in logged and b"canary-0f3a" not in logged and b'"carrier"' in logged


# --- who may, how much, how long ----------------------------------------------------------------------------------

TOKENS = [{"role": role, "token": f"env:{role.upper()}"} for role in ("viewer", "caller", "operator")]
SECRETS = {"VIEWER": "v-secret", "CALLER": "c-secret", "OPERATOR": "o-secret"}


def test_a_token_allows_only_the_actions_of_its_role(champion: Path) -> None:
    configure(champion, tokens=TOKENS)
    back = f"/v2/repository/models/{MODEL}/rollback"
    with serving(champion, "production", **SECRETS) as server:
        for token, infer, view, control in (
            ("", 401, 401, 401), ("wrong", 401, 401, 401), ("v-secret", 403, 200, 403), ("c-secret", 200, 403, 403),
            ("o-secret", 200, 200, 409),
        ):  # fmt: skip
            assert ask(server, token)[0] == infer
            assert ask(server, token, "/metrics", method="GET")[0] == view
            assert ask(server, token, "/v2/repository/index")[0] == view
            assert ask(server, token, back)[0] == control, "there is no rollout to take back: 409"
        assert ask(server, "", "/v2/health/live", method="GET")[0] == 200, "probes carry no token"
        assert ask(server, "o-secret", f"/v2/repository/models/{MODEL}/unload")[0] == 409
        assert ask(server, "o-secret", f"/v2/repository/models/{MODEL}/load")[0] == 200


def test_without_tokens_the_server_listens_on_loopback_and_control_is_closed(champion: Path) -> None:
    with serving(champion, "production") as server:
        assert ask(server, path=f"/v2/repository/models/{MODEL}/rollback")[0] == 403
    config = champion / "modelyard.yaml"
    config.write_text(config.read_text() + '    host: "0.0.0.0"\n')
    assert "declares no tokens" in tool(champion, "serve", "--env", "production", expect=2).stderr


def test_with_a_missing_secret_the_server_does_not_start(champion: Path) -> None:
    configure(champion, tokens=TOKENS)
    said = tool(
        champion, "serve", "--env", "production", expect=4, **{k: v for k, v in SECRETS.items() if k != "CALLER"}
    )
    assert "CALLER is not set" in said.stderr and "v-secret" not in said.stderr


def test_bodies_that_are_too_large_or_too_slow_are_refused(champion: Path) -> None:
    configure(champion, limits={"body_bytes": 4000, "rows": 3, "seconds": 2})
    with serving(champion, "production") as server:
        assert ask(server)[0] == 200
        assert ask(server, body=request(4))[0] == 400
        assert ask(server, body=request(2) | {"parameters": {"x": "y" * 5000}})[0] == 413
        with socket.create_connection(("127.0.0.1", server.port)) as slow:
            slow.sendall(f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{{".encode())
            assert b" 408 " in slow.recv(4096)


def closed(port: int) -> bool:
    """Whether nothing listens on a port."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) != 0


def test_after_sigterm_open_requests_are_answered(champion: Path) -> None:
    with serving(champion, "production") as server, socket.create_connection(("127.0.0.1", server.port)) as open_one:
        body = json.dumps(request()).encode()
        head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
        open_one.sendall(head.encode() + body[:50])
        assert open_one.recv(4096).startswith(b"HTTP/1.1 100"), "it reads the request"
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: closed(server.port), "a server that takes no new connection")
        open_one.sendall(body[50:])
        assert open_one.recv(4096).startswith(b"HTTP/1.1 200")


@given(st.text(max_size=20), st.floats(0, 100), st.floats(0, 100))
def test_callers_of_the_candidate_at_a_smaller_share_stay_at_a_larger_one(
    entity: str, one: float, other: float
) -> None:
    small, large = sorted((one, other))
    if goes_to_candidate(Traffic("v1", "v2", small, salt="s"), entity):
        assert goes_to_candidate(Traffic("v1", "v2", large, salt="s"), entity)


def test_the_candidate_gets_its_share_of_callers() -> None:
    traffic = Traffic("v1", "v2", 20.0, salt="a")
    chosen = [n for n in range(20_000) if goes_to_candidate(traffic, str(n))]
    assert 3_800 < len(chosen) < 4_200
    other = [n for n in chosen if goes_to_candidate(Traffic("v1", "v2", 20.0, salt="b"), str(n))]
    assert 600 < len(other) < 1_000, "another rollout begins with others"
