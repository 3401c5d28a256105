"""A real server on a loopback port, and a client for it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from modelyard.demo.stage import free_ports

from support.waiting import SECONDS, end_group
from support.yard import IDENTITY


class Server:
    """One running ``modelyard serve``."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port
        self.lines: list[str] = []

    def said(self) -> str:
        """What it wrote to standard error, once it has ended."""
        return "".join(self.lines)

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request; the status and the decoded answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        content = body if isinstance(body, bytes) else json.dumps(body) if body is not None else None
        connection.request(method, path, content)
        response = connection.getresponse()
        answer = json.loads(response.read() or b"null")
        connection.close()
        return response.status, answer


@contextlib.contextmanager
def serving(
    folder: Path,
    environment: str,
    before: Callable[[], None] | None = None,
    arguments: tuple[str, ...] = (),
    /,
    **variables: str,
) -> Iterator[Server]:
    """Starts the server of an environment in a process group of its own, and ends it."""
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [sys.executable, "-m", "modelyard", "serve", "--env", environment, "--port", str(port), *arguments],
        cwd=folder, env=os.environ | IDENTITY | variables, preexec_fn=before, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    first = process.stderr.readline()
    server = Server(process, port)
    drain = threading.Thread(target=lambda: server.lines.extend(process.stderr or ()), daemon=True)
    drain.start()
    try:
        assert re.search(rf"serves on http://127.0.0.1:{port}", first), first
        yield server
    finally:
        end_group(process)
        drain.join()
        process.stderr.close()


ROW: dict[str, Any] = {
    "carrier": "UA", "origin": "EWR", "dest": "IAH", "weekday": 1, "departure_minute": 315, "arrival_minute": 510,
    "distance": 1400, "aircraft_age": 14.0, "temp": 39.0, "dewp": 26.1, "humid": 59.4, "wind_dir": 270.0,
    "wind_speed": 10.4, "precip": 0.0, "pressure": 1012.0, "visib": None,
}  # fmt: skip
TEXTS = ("carrier", "origin", "dest")
WHOLE = ("weekday", "departure_minute", "arrival_minute", "distance")


def request(rows: int = 1, **changes: Any) -> dict[str, Any]:
    """A v2 request for the example model; a change of None... removes nothing, ``...`` removes the column."""
    inputs = []
    for name, value in (ROW | changes).items():
        if value is ...:
            continue
        datatype = "BYTES" if name in TEXTS else "INT64" if name in WHOLE else "FP64"
        inputs.append({"name": name, "shape": [rows], "datatype": datatype, "data": [value] * rows})
    return {"inputs": inputs}
