"""A Kubernetes API server of the tests on loopback: custom resources with versions, conflicts, watches, a controller."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

Resource = dict[str, Any]


class FakeCluster:
    """What the API server keeps. ``fails`` is what the controller says instead of Ready."""

    def __init__(self, token: str = "") -> None:
        self.token = token
        self.kept: dict[tuple[str, str], Resource] = {}
        self.changed = threading.Condition()
        self.version = 0
        self.fails = ""
        self.delay = 0.05
        self.foreign_writes = 0
        """How many writes somebody else gets in before ours."""
        self.log: list[str] = []

    def put(self, plural: str, resource: Resource, *, new: bool) -> Resource | int:
        """The stored resource, or the status of a refusal."""
        key = plural, resource["metadata"]["name"]
        with self.changed:
            there = self.kept.get(key)
            if new and there is not None:
                return 409
            if not new and there is None:
                return 404
            if there is not None and self.foreign_writes:
                self.foreign_writes -= 1
                self._store(key, json.loads(json.dumps(there)))
                return 409
            asked = resource["metadata"].get("resourceVersion")
            if there is not None and asked != there["metadata"]["resourceVersion"]:
                return 409
            generation = there["metadata"]["generation"] if there else 0
            resource["metadata"]["generation"] = generation + (there is None or there["spec"] != resource["spec"])
            resource["status"] = (there or {}).get("status", {})
            self._store(key, resource)
        threading.Timer(self.delay, self._control, [key]).start()
        return resource

    def remove(self, plural: str, name: str) -> bool:
        """Whether it was there."""
        with self.changed:
            self.changed.notify_all()
            return self.kept.pop((plural, name), None) is not None

    def _store(self, key: tuple[str, str], resource: Resource) -> None:
        self.version += 1
        resource["metadata"]["resourceVersion"] = str(self.version)
        self.kept[key] = resource
        self.changed.notify_all()

    def _control(self, key: tuple[str, str]) -> None:
        with self.changed:
            resource = self.kept.get(key)
            if resource is None:
                return
            ready = {
                "type": "Ready",
                "status": "False" if self.fails else "True",
                "message": self.fails,
                "reason": self.fails,
            }
            resource["status"] = {"observedGeneration": resource["metadata"]["generation"], "conditions": [ready]}
            self._store(key, resource)


@contextmanager
def cluster(token: str = "") -> Iterator[tuple[str, FakeCluster]]:
    """Its URL and its state."""
    state = FakeCluster(token)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            state.log.append(format % args)

        def do_GET(self) -> None:
            if not self._allowed():
                return
            plural, name = self._place()
            query = {key: values[0] for key, values in parse_qs(urlparse(self.path).query).items()}
            if name:
                found = state.kept.get((plural, name))
                self._answer(200 if found else 404, found or {"message": f"{name} not found"})
            elif query.get("watch") in ("true", "True"):
                self._watch(plural, query)
            else:
                items = [resource for (kind, _), resource in state.kept.items() if kind == plural]
                self._answer(200, {"metadata": {"resourceVersion": str(state.version)}, "items": items})

        def do_POST(self) -> None:
            self._write(new=True)

        def do_PUT(self) -> None:
            self._write(new=False)

        def do_DELETE(self) -> None:
            if self._allowed():
                there = state.remove(*self._place())
                self._answer(200 if there else 404, {"message": "" if there else "not found"})

        def _write(self, new: bool) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self._allowed():
                done = state.put(self._place()[0], body, new=new)
                self._answer(done, {"message": "conflict"}) if isinstance(done, int) else self._answer(200, done)

        def _allowed(self) -> bool:
            if state.token and self.headers.get("authorization") != f"Bearer {state.token}":
                self._answer(401, {"message": "Unauthorized"})
                return False
            return True

        def _place(self) -> tuple[str, str]:
            parts = urlparse(self.path).path.strip("/").split("/")
            return parts[5], parts[6] if len(parts) > 6 else ""

        def _watch(self, plural: str, query: dict[str, str]) -> None:
            name = query["fieldSelector"].partition("=")[2]
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("connection", "close")
            self.end_headers()
            self.close_connection = True
            with state.changed:
                seen = ""
                for _ in range(int(query["timeoutSeconds"]) * 10):
                    found = state.kept.get((plural, name))
                    if found and found["metadata"]["resourceVersion"] != seen:
                        seen = found["metadata"]["resourceVersion"]
                        try:
                            self.wfile.write(json.dumps({"type": "MODIFIED", "object": found}).encode() + b"\n")
                            self.wfile.flush()
                        except OSError:
                            return
                    state.changed.wait(0.1)

        def _answer(self, status: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
