"""A stub of W&B's server on loopback: as much of its GraphQL and file interface as ``wandb sync`` asks for."""

from __future__ import annotations

import base64
import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class WandbStub:
    """What the server was given; it refuses every key but ``key``."""

    key: str
    url: str = ""
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name of a run → the variables of the calls that wrote it."""
    files: dict[str, bytes] = field(default_factory=dict)
    streamed: list[str] = field(default_factory=list)
    """Metrics, as the client streams them."""
    artifacts: list[str] = field(default_factory=list)
    refused: int = 0

    def answer(self, path: str, body: bytes) -> dict[str, Any]:
        """The JSON of one call of GraphQL or of a run's stream."""
        if path != "/graphql":
            self.streamed.append(body.decode())
            return {}
        asked = json.loads(body)
        given, data = asked.get("variables") or {}, {}
        if asked["operationName"] == "UpsertBucket":
            self.runs.setdefault(given["name"], {}).update({k: v for k, v in given.items() if v is not None})
            project = {"id": "p", "name": given["project"], "entity": {"id": "e", "name": given["entity"]}}
            bucket = {"id": "b", "name": given["name"], "displayName": "", "project": project, "historyLineCount": 0}
            data = {"upsertBucket": {"bucket": bucket, "inserted": True}}
        elif asked["operationName"] == "CreateArtifact":
            self.artifacts.append(given["input"]["artifactCollectionName"])
            made = {"id": "a", "state": "COMMITTED", "artifactSequence": {"latestArtifact": {"id": "a"}}}
            data = {"createArtifact": {"artifact": made}}
        elif asked["operationName"] == "CreateRunFiles":
            places = [{"name": name, "uploadUrl": f"{self.url}/upload/{name}"} for name in given["files"]]
            data = {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": places}}
        return {"data": data}


@contextmanager
def wandb_stub(key: str) -> Iterator[WandbStub]:
    """The stub, served until the block ends."""
    stub = WandbStub(key)
    wanted = f"Basic {base64.b64encode(f'api:{key}'.encode()).decode()}"

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path.startswith("/sdk/otel"):
                self._send(200, {})
            elif self.headers.get("authorization") != wanted:
                stub.refused += 1
                self._send(401, {"errors": [{"message": "user is not logged in"}]})
            else:
                self._send(200, stub.answer(self.path, body))

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            stub.files[self.path.removeprefix("/upload/")] = content
            self._send(200, {})

        def _send(self, status: int, value: Any) -> None:
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
