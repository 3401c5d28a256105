"""Runs the server of one environment until it is told to stop."""

from __future__ import annotations

import asyncio
import fcntl
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import ModelyardError, missing_extra
from modelyard.manifests.schema import Environment
from modelyard.serving.layout import Layout

if TYPE_CHECKING:
    from modelyard.serving.models import LoadedModel, ModelTable

WATCH_SECONDS = 0.1
DRAIN_SECONDS = 10


def serve(environment: Environment, root: Path, say: Callable[[str], None]) -> None:
    """Serves an environment on its host and port; returns after SIGTERM or Ctrl-C, when open requests are answered."""
    try:
        import uvicorn

        from modelyard.serving.app import Application
        from modelyard.serving.models import ModelTable
        from modelyard.serving.predictions import PredictionLog
    except ImportError as error:
        raise missing_extra("serve", error.name or "uvicorn") from error

    layout = Layout.of(root, environment.name, environment.folder)
    layout.folder.mkdir(parents=True, exist_ok=True)
    with layout.lock.open("ab") as lock:
        _take(lock.fileno(), environment.name)
        listener = _listen(environment)
        port = listener.getsockname()[1]
        table = ModelTable(layout, environment.host, port)
        log = PredictionLog(layout.log)
        table.refresh()
        config = uvicorn.Config(
            Application(table, log),
            log_level="error",
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        say(f"{environment.name} serves on http://{environment.host}:{port}/v2 ({_listed(table.models)})")

        async def run() -> None:
            watcher = asyncio.create_task(_watch(table, say))
            try:
                await uvicorn.Server(config).serve(sockets=[listener])
            finally:
                watcher.cancel()

        # uvicorn drains first, then raises the signal again; by then there is nothing left to interrupt.
        signal.signal(signal.SIGTERM, lambda *_: None)
        with suppress(KeyboardInterrupt):
            asyncio.run(run())
        log.close()
        listener.close()


async def _watch(table: ModelTable, say: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        # In a thread: requests go on being answered while a model is read.
        if await asyncio.to_thread(table.refresh):
            say(f"now serving {_listed(table.models)}")
            for name, fault in table.faults.items():
                say(f"cannot serve {name}: {fault}")


def _listed(models: dict[str, LoadedModel]) -> str:
    return ", ".join(f"{name} {model.serving}" for name, model in models.items()) or "no model yet"


def _take(lock: int, environment: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ModelyardError(
            f"A server of {environment} already runs in this repository.", "Stop it first, or use that one."
        ) from error


def _listen(environment: Environment) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in environment.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Inherited by every connection. uvloop leaves it off on a socket it did not make, and an answer, being two writes,
    # then waits 40 ms for the caller's delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((environment.host, environment.port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise ModelyardError(
            f"Port {environment.port} on {environment.host} cannot be used: {error.strerror}.",
            f"Stop what holds it, or choose another port for {environment.name} in modelyard.yaml (or --port).",
        ) from error
    return listener
