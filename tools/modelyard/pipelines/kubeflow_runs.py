"""Runs on Kubeflow Pipelines, over its REST interface v2beta1. One experiment for each model."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote, urlencode

import yaml

from modelyard.errors import ModelyardError, UsageError
from modelyard.manifests.configuration import EngineSettings
from modelyard.pipelines.runs import EngineRun, RunRequest, State
from modelyard.secrets.interface import Secrets
from modelyard.targets.http import Http

_API = "/apis/v2beta1"
_OWN = re.compile(r"^(root|executor)$|-driver$")
_STATES: dict[str, State] = {
    "PENDING": "waiting", "RUNNING": "running", "PAUSED": "running", "CANCELING": "running",
    "SUCCEEDED": "succeeded", "SKIPPED": "succeeded", "FAILED": "failed", "CANCELED": "cancelled",
}  # fmt: skip


class KubeflowRuns:
    """The server of Kubeflow Pipelines. A run is found again by its name, which ends with the request's key."""

    compiles = True

    def __init__(self, settings: EngineSettings, secrets: Secrets) -> None:
        if not settings.url:
            raise UsageError(f"modelyard.yaml: the engine {settings.name} has no url.", "Add the URL of its server.")
        token = secrets.read_for(settings.token, settings.url) if settings.token else ""
        self._http = Http(settings.url, "Kubeflow Pipelines", token, extra="engines")
        self._url, self._namespace = settings.url.rstrip("/"), settings.namespace

    def find(self, request: RunRequest) -> EngineRun | None:
        """The newest run of that name in the model's experiment."""
        experiment = self._experiment(request.model)
        if not experiment:
            return None
        asked = _where("display_name", _name(request)) | {
            "experiment_id": experiment, "sort_by": "created_at desc", "page_size": "1",
        }  # fmt: skip
        runs = self._get(f"/runs?{urlencode(asked)}").get("runs") or []
        return self._run(runs[0]) if runs else None

    def submit(self, request: RunRequest, compiled: bytes) -> EngineRun:
        """Begins a run of the compiled pipeline, with its parameters ``repository`` and ``commit``."""
        documents = [document for document in yaml.safe_load_all(compiled) if document]
        if not documents or "pipelineInfo" not in documents[0]:
            raise ModelyardError("The compiled pipeline is no specification of Kubeflow.", "Compile it with KFP 2.")
        spec = documents[0] if len(documents) == 1 else {"pipeline_spec": documents[0], "platform_spec": documents[1]}
        experiment = self._experiment(request.model) or self._made(request.model)
        body = {
            "display_name": _name(request),
            "experiment_id": experiment,
            "pipeline_spec": spec,
            "runtime_config": {"parameters": {"repository": request.repository, "commit": request.commit}},
        }
        return self._run(self._http.call("POST", f"{_API}/runs", body))

    def look(self, id: str) -> EngineRun:
        """A run with the states of its tasks."""
        return self._run(self._get(f"/runs/{quote(id, safe='')}"))

    def cancel(self, id: str) -> None:
        """Terminates the run."""
        self._http.call("POST", f"{_API}/runs/{quote(id, safe='')}:terminate")

    def _experiment(self, model: str) -> str:
        asked = _where("display_name", model) | ({"namespace": self._namespace} if self._namespace else {})
        found = self._get(f"/experiments?{urlencode(asked)}").get("experiments") or []
        return str(found[0]["experiment_id"]) if found else ""

    def _made(self, model: str) -> str:
        body = {"display_name": model} | ({"namespace": self._namespace} if self._namespace else {})
        return str(self._http.call("POST", f"{_API}/experiments", body)["experiment_id"])

    def _get(self, path: str) -> dict[str, Any]:
        return dict(self._http.call("GET", _API + path) or {})

    def _run(self, answer: dict[str, Any]) -> EngineRun:
        id = str(answer["run_id"])
        tasks = (answer.get("run_details") or {}).get("task_details") or []
        # Beside the stages, the server tells its own: the root, drivers and executors.
        stages = [task for task in tasks if not _OWN.search(str(task.get("display_name", "")))]
        why = str((answer.get("error") or {}).get("message") or "")
        return EngineRun(
            id=id,
            state=_STATES.get(str(answer.get("state")), "waiting"),
            done=sum(task.get("state") in ("SUCCEEDED", "SKIPPED") for task in stages),
            steps=len(stages),
            why=" ".join(why.split())[:300],
            address=f"{self._url}/#/runs/details/{id}",
        )


def _name(request: RunRequest) -> str:
    return f"{request.title} {request.key[:12]}"


def _where(key: str, value: str) -> dict[str, str]:
    """A filter of the list calls, as KFP's own client writes it (1 is EQUALS)."""
    return {"filter": json.dumps({"predicates": [{"operation": 1, "key": key, "stringValue": value}]})}
