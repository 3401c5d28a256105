"""The tracker ``mlflow``: one experiment for each model, one run for each proposal, over MLflow's REST interface."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelyard.errors import UsageError
from modelyard.manifests.configuration import TrackerSettings
from modelyard.secrets.interface import Secrets
from modelyard.targets.mlflow_server import MLflowServer
from modelyard.trackers.interface import Found, TrackedRun

_PREFIX = "modelyard."
_KEY, _STATE, _VERSION = f"{_PREFIX}key", f"{_PREFIX}state", f"{_PREFIX}version"
_FEW = 3
"""So many keys are looked up one by one."""
_PARAMS = 100
"""MLflow's limit of parameters in one call."""


class MLflowTracker:
    """One MLflow server. A run is found again by the tag ``modelyard.key``."""

    title = "MLflow"
    remembers = True

    def __init__(self, settings: TrackerSettings, root: Path, secrets: Secrets) -> None:
        if not settings.url:
            raise UsageError("modelyard.yaml: the tracker mlflow has no url.", "Add the URL of the MLflow server.")
        token = secrets.read_for(settings.token, settings.url) if settings.token else ""
        self._server = MLflowServer(settings.url, token)
        self._project = settings.project
        self._experiments: dict[str, str] = {}

    def find(self, model: str, keys: Sequence[str]) -> dict[str, Found]:
        """Key → what MLflow has. Of several runs with one key, the oldest counts."""
        experiment = self._experiment(model, create=False)
        if not experiment or not keys:
            return {}
        found: dict[str, Found] = {}
        if len(keys) > _FEW:
            found = self._search(experiment, f"tags.`{_VERSION}` LIKE 'v%'")
        for key in keys:
            if key not in found:
                found |= self._search(experiment, f"tags.`{_KEY}` = '{key}'")
        return {key: found[key] for key in keys if key in found}

    def write(self, run: TrackedRun) -> Found:
        """Writes the run. Its state is written last, so a run that was interrupted is written again."""
        now = int(time.time() * 1000)
        experiment = self._experiment(run.model, create=True)
        info = self._begun(experiment, run, now)
        place = {"run_id": info["run_id"]}
        params = [{"key": name, "value": value} for name, value in run.params.items()]
        for start in range(0, len(params), _PARAMS):
            self._server.post("runs/log-batch", place | {"params": params[start : start + _PARAMS]})
        metrics = [{"key": m.name, "value": m.value, "step": m.step, "timestamp": now} for m in run.metrics]
        if metrics:
            self._server.post("runs/log-batch", place | {"metrics": metrics})
        if run.inputs:
            self._server.post("runs/log-inputs", place | {"datasets": _datasets(run.inputs)})
        if self._server.serves(info["artifact_uri"]):
            for name, content in run.files.items():
                self._server.upload(info["artifact_uri"], name, content)
        tags = {f"{_PREFIX}{name}": value for name, value in run.tags.items()}
        tags |= {"mlflow.source.git.commit": run.tags.get("commit", ""), _STATE: run.state}
        status = "FAILED" if run.failed else "FINISHED"
        self._server.post("runs/update", place | {"run_name": run.name, "status": status, "end_time": now})
        self._server.post("runs/log-batch", place | {"tags": [{"key": k, "value": v} for k, v in tags.items()]})
        return Found(run.state, self._url(experiment, info["run_id"]))

    def _begun(self, experiment: str, run: TrackedRun, now: int) -> dict[str, Any]:
        for known in self._server.runs(experiment, f"tags.`{_KEY}` = '{run.key}'"):
            return dict(known["info"])
        tags = [{"key": _KEY, "value": run.key}, {"key": "mlflow.runName", "value": run.name}]
        made = {"experiment_id": experiment, "run_name": run.name, "start_time": now, "tags": tags}
        return dict(self._server.post("runs/create", made)["run"]["info"])

    def _search(self, experiment: str, condition: str) -> dict[str, Found]:
        found: dict[str, Found] = {}
        for run in self._server.runs(experiment, condition):
            tags = {tag["key"]: tag["value"] for tag in run["data"].get("tags", [])}
            if _KEY in tags:
                state = Found(tags.get(_STATE, ""), self._url(experiment, run["info"]["run_id"]))
                found.setdefault(tags[_KEY], state)
        return found

    def _experiment(self, model: str, *, create: bool) -> str:
        """The id of the model's experiment; '' if there is none, unless it is created."""
        name = f"{self._project}/{model}" if self._project else model
        if not self._experiments.get(name):
            found = self._server.get("experiments/get-by-name", {"experiment_name": name}, missing=True)
            if found is None and create:
                self._experiments[name] = self._server.post("experiments/create", {"name": name})["experiment_id"]
            elif found is not None:
                self._experiments[name] = found["experiment"]["experiment_id"]
        return self._experiments.get(name, "")

    def _url(self, experiment: str, run: str) -> str:
        return f"{self._server.url}/#/experiments/{experiment}/runs/{run}"


def _datasets(inputs: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "dataset": {
                "name": path, "digest": md5, "source_type": "dvc", "source": json.dumps({"path": path, "md5": md5}),
            },
            "tags": [{"key": "mlflow.data.context", "value": "training"}],
        }
        for path, md5 in inputs.items()
    ]  # fmt: skip
