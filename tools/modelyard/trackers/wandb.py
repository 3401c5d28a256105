"""The tracker ``wandb``: Weights & Biases through its client, offline. With a key, the runs are uploaded."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from modelyard.documents import visible
from modelyard.errors import ModelyardError, UsageError, missing_extra
from modelyard.files import write_whole
from modelyard.manifests.configuration import TrackerSettings
from modelyard.secrets.interface import Secrets
from modelyard.trackers.interface import Found, TrackedRun

FOLDER = ".modelyard/trackers"
"""Below the root of the checkout. wandb makes the folder ``wandb`` in it."""
_SERVER, _PAGES = "https://api.wandb.ai", "https://wandb.ai"
_SECONDS = 180
"""``wandb sync`` asks a server that does not answer again and again."""
_PASSED = (
    "HOME", "LANG", "PATH", "TMPDIR", "SYSTEMROOT", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
"""The variables that its process gets beside the key; the job's other secrets are not among them."""


class WandbTracker:
    """Offline runs of one project. What was written in this checkout is kept in a list beside them."""

    title = "Weights & Biases"
    remembers = False

    def __init__(self, settings: TrackerSettings, root: Path, secrets: Secrets) -> None:
        entity, slash, project = settings.project.rpartition("/")
        if not project or "/" in entity or (slash and not entity):
            raise UsageError(
                "modelyard.yaml: the tracker wandb has no project, or one that is not ENTITY/PROJECT.",
                "Write project: PROJECT or project: ENTITY/PROJECT.",
            )
        if settings.url and not settings.token:
            raise UsageError(
                "modelyard.yaml: the tracker wandb has a url and no token, so nothing would be sent there.",
                "Add token: env:WANDB_API_KEY, or remove the url.",
            )
        self._server = settings.url.rstrip("/") or _SERVER
        self._pages = settings.url.rstrip("/") or _PAGES
        self._key = secrets.read_for(settings.token, self._server) if settings.token else ""
        self._entity, self._project = entity, project
        self._folder = root / FOLDER
        self._list = self._folder / f"{entity or '-'}.{project}.json"

    def find(self, model: str, keys: Sequence[str]) -> dict[str, Found]:
        """Key → what this checkout wrote. Another checkout writes the run again, under the same id."""
        known = self._known()
        return {key: Found(known[key], self._url(key)) for key in keys if key in known}

    def write(self, run: TrackedRun) -> Found:
        """Writes an offline run with the key as its id, and uploads it where the tracker has a token."""
        try:
            import wandb
        except ImportError as error:
            raise missing_extra("wandb", "wandb") from error
        self._folder.mkdir(parents=True, exist_ok=True)
        with _offline(self._folder):
            try:
                self._log(wandb, run)
            except Exception as error:
                raise ModelyardError(
                    f"wandb did not write the run of {run.name} ({type(error).__name__}).",
                    "Run the command again with --debug, or remove the tracker wandb from modelyard.yaml.",
                ) from error
        if self._key:
            self._upload(run)
        write_whole(self._list, json.dumps(self._known() | {run.key: run.state}, sort_keys=True).encode())
        return Found(run.state, self._url(run.key))

    def _log(self, wandb: Any, run: TrackedRun) -> None:
        settings = wandb.Settings(
            mode="offline", console="off", silent=True, disable_git=True, x_disable_stats=True, x_disable_meta=True,
            x_save_requirements=False,
        )  # fmt: skip
        with wandb.init(
            project=self._project, entity=self._entity or None, id=run.key, name=run.name, group=run.model,
            job_type="version" if "version" in run.tags else "proposal", dir=str(self._folder), settings=settings,
            config=run.params | {"inputs": run.inputs, "modelyard": run.tags | {"state": run.state}},
            tags=[f"{name}:{run.tags[name]}"[:64] for name in ("verdict", "version") if run.tags.get(name)],
        ) as made:  # fmt: skip
            folds = {metric.name for metric in run.metrics if metric.step}
            if "version" in run.tags:  # a second upload of steps would append them to those of the proposal
                made.summary.update({metric.name: metric.value for metric in run.metrics if metric.name not in folds})
            else:
                for step in sorted({metric.step for metric in run.metrics}):
                    made.log({metric.name: metric.value for metric in run.metrics if metric.step == step}, step=step)
            if run.files:
                report = wandb.Artifact(f"report-{run.key}", type="report")
                with tempfile.TemporaryDirectory(prefix="modelyard-") as scratch:
                    for name, content in run.files.items():
                        file = Path(scratch) / name
                        file.write_bytes(content)
                        report.add_file(str(file), name=name, policy="mutable")
                    made.log_artifact(report)

    def _upload(self, run: TrackedRun) -> None:
        """Uploads the newest offline run. ``wandb sync`` exits with 0 when it was refused, so its mark counts."""
        newest = max((self._folder / "wandb").glob(f"offline-run-*-{run.key}"), key=lambda path: path.name)
        environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
        environment |= {"WANDB_API_KEY": self._key, "WANDB_BASE_URL": self._server, "WANDB_ERROR_REPORTING": "false"}
        command = [sys.executable, "-P", "-m", "wandb", "sync", str(newest)]
        with tempfile.TemporaryFile() as output:
            started = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    started.wait(_SECONDS)
            finally:
                ended = started.poll() is not None
                if not ended:
                    os.killpg(started.pid, signal.SIGKILL)  # with the client's second process
                    started.wait()
            output.seek(0)
            said = output.read().decode(errors="replace")
        if not any(newest.glob("*.wandb.synced")):
            faults = [line.partition("ERROR")[2].strip() for line in said.splitlines() if "ERROR" in line]
            silent = f"wandb sync ended with {started.returncode}" if ended else f"no answer in {_SECONDS} seconds"
            why = visible(faults[-1].replace(self._key, "…"))[:300] if faults else silent
            raise ModelyardError(
                f"Weights & Biases at {self._server} did not take the run of {run.name}: {why}.",
                f"Check the key, the entity and the project; the offline run stays in {FOLDER}.",
            )

    def _known(self) -> dict[str, str]:
        try:
            return msgspec.json.decode(self._list.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.MsgspecError):
            return {}

    def _url(self, key: str) -> str:
        return f"{self._pages}/{self._entity}/{self._project}/runs/{key}" if self._entity else ""


@contextlib.contextmanager
def _offline(folder: Path) -> Iterator[None]:
    """No network and no message of the client, and its files below ``folder``, whatever the environment says."""
    wanted = {
        "WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_DISABLE_CODE": "true", "WANDB_ERROR_REPORTING": "false",
        "WANDB_DATA_DIR": str(folder), "WANDB_CACHE_DIR": str(folder), "WANDB_ARTIFACT_DIR": str(folder),
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
