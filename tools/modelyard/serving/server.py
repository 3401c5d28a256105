"""The process of the server of one environment."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import ipaddress
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError, UsageError, missing_extra
from modelyard.manifests.configuration import Environment, PredictionLogging
from modelyard.predictions.layout import Layout
from modelyard.secrets.interface import Secrets

if TYPE_CHECKING:
    from modelyard.serving.inference import Inference
    from modelyard.serving.metrics import Metrics, Variant
    from modelyard.serving.models import LoadedModel, ModelTable

WATCH_SECONDS = 0.1
ROTATE_SECONDS = 1.0


def serve(
    environment: Environment, root: Path, secrets: Secrets, say: Callable[[str], None], collector: str = ""
) -> None:
    """Serves an environment on its host and port. Returns after SIGTERM or Ctrl-C, when open requests are answered.

    ``collector`` is the URL of an OpenTelemetry collector; '' sends nothing.
    """
    try:
        import uvicorn

        from modelyard.serving.app import Access, Application, Control
        from modelyard.serving.connections import BoundedProtocol
        from modelyard.serving.inference import Inference
        from modelyard.serving.metrics import Metrics
        from modelyard.serving.models import ModelTable
    except ImportError as error:
        raise missing_extra("serve", error.name or "uvicorn") from error

    _require_tokens(environment)
    access = Access((token.role, secrets.read(token.token)) for token in environment.tokens)
    keeping, limits = environment.log, environment.limits
    key = secrets.read(keeping.hash_key).encode() if keeping.hash_key else None
    layout = Layout.of(root, environment.name, environment.folder)
    layout.folder.mkdir(parents=True, exist_ok=True)
    with layout.lock.open("ab") as lock:
        _take(lock.fileno(), environment.name)
        listener = _listen(environment)
        port = listener.getsockname()[1]
        table = ModelTable(layout, environment.host, port, limits.rows, key)
        metrics = Metrics(environment.name)
        table.loaded = lambda: _weigh(table, metrics)
        inference = Inference(layout.logs, keeping, metrics, say)
        table.refresh()
        gc.freeze()  # later collections skip the objects loaded so far, so no request waits for them
        application: Any = Application(table, inference, metrics, access, limits, Control(layout, table))
        telemetry = None
        if collector:
            from modelyard.serving.telemetry import Telemetry

            telemetry = Telemetry(collector, environment.name, say)
            application = telemetry.traced(application)
        config = uvicorn.Config(
            application,
            http=BoundedProtocol,
            log_level="error",
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=int(limits.drain_seconds) or None,
        )
        say(f"{environment.name} serves on http://{environment.host}:{port}/v2 ({_listed(table.models)})")

        async def run() -> None:
            watcher = asyncio.create_task(_watch(table, say))
            keeper = asyncio.create_task(_keep(inference, keeping))
            try:
                await uvicorn.Server(config).serve(sockets=[listener])
            finally:
                watcher.cancel()
                keeper.cancel()

        # uvicorn drains requests first, then raises the signal again; nothing is left to interrupt then.
        signal.signal(signal.SIGTERM, lambda *_: None)
        with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(run())
        inference.close()
        if telemetry:
            telemetry.close()
        table.close()
        listener.close()


async def _watch(table: ModelTable, say: Callable[[str], None]) -> None:
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        # In a thread, so that requests are answered while a model is loaded.
        if await asyncio.to_thread(table.refresh):
            say(f"now serving {_listed(table.models)}")
            for name, fault in table.faults.items():
                say(f"cannot serve {name}: {fault}")


async def _keep(inference: Inference, keeping: PredictionLogging) -> None:
    """Closes segments and converts them in another process, so that requests do not wait for Parquet."""
    while True:
        await asyncio.sleep(ROTATE_SECONDS)
        for folder in inference.rotate():
            arguments = ("-m", "modelyard.predictions.segments", str(folder), str(keeping.keep_days))
            process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=asyncio.subprocess.DEVNULL)
            await process.wait()


def _weigh(table: ModelTable, metrics: Metrics) -> None:
    for name, model in table.models.items():
        traffic = model.traffic
        shares: dict[tuple[str, Variant], float] = {(traffic.stable, "champion"): 100 - traffic.weight}
        if traffic.candidate:
            shares[traffic.candidate, "candidate"] = traffic.weight
        metrics.weigh(name, shares)


def _require_tokens(environment: Environment) -> None:
    try:
        loopback = ipaddress.ip_address(environment.host).is_loopback
    except ValueError:
        loopback = environment.host == "localhost"
    if not loopback and not environment.tokens:
        raise UsageError(
            f"{environment.name} declares no tokens, so everybody who reaches {environment.host} could use it.",
            "Add tokens to the environment in modelyard.yaml, or set its host to 127.0.0.1.",
        )


def _listed(models: dict[str, LoadedModel]) -> str:
    return ", ".join(f"{name} {_shared(model)}" for name, model in models.items()) or "no model yet"


def _shared(model: LoadedModel) -> str:
    traffic = model.traffic
    if not traffic.candidate:
        return traffic.stable
    share = "a copy" if traffic.mirror and not traffic.weight else f"{traffic.weight:g} %"
    return f"{traffic.stable} ({share} to {traffic.candidate})"


def _take(lock: int, environment: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ModelyardError(
            f"A server of {environment} already runs in this repository.", "Stop that server, or use it."
        ) from error


def _listen(environment: Environment) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in environment.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Every connection inherits it. uvloop does not set it on a socket that it did not create. An answer is two writes
    # and would wait 40 ms for the caller's delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((environment.host, environment.port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise ModelyardError(
            f"Port {environment.port} on {environment.host} cannot be used: {error.strerror}.",
            "Stop the process that uses it, or choose another port in modelyard.yaml or with --port.",
        ) from error
    return listener
