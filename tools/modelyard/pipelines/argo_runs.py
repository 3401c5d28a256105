"""Runs on Argo Workflows, over the REST interface of its server: workflows of the template that Metaflow deployed."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from modelyard.errors import UsageError
from modelyard.manifests.configuration import EngineSettings
from modelyard.pipelines.metaflow import flow_name
from modelyard.pipelines.runs import EngineRun, RunRequest, State
from modelyard.secrets.interface import Secrets
from modelyard.targets.http import Http

_LABEL = "modelyard/run"
_STATES: dict[str, State] = {
    "Pending": "waiting", "Running": "running", "Succeeded": "succeeded", "Failed": "failed", "Error": "failed",
}  # fmt: skip


class ArgoRuns:
    """An Argo server. A run is found again by a label with the request's key."""

    compiles = False

    def __init__(self, settings: EngineSettings, secrets: Secrets) -> None:
        lacks = [name for name in ("url", "namespace") if not getattr(settings, name)]
        if lacks:
            raise UsageError(
                f"modelyard.yaml: the engine {settings.name} has no {lacks[0]}.",
                "Argo needs its server's url, and the namespace that Metaflow deploys to.",
            )
        token = secrets.read_for(settings.token, settings.url) if settings.token else ""
        self._http = Http(settings.url, "Argo Workflows", token, extra="engines")
        self._url, self._namespace = settings.url.rstrip("/"), settings.namespace
        self._path = f"/api/v1/workflows/{quote(settings.namespace, safe='')}"

    def find(self, request: RunRequest) -> EngineRun | None:
        """The newest workflow with the request's label."""
        asked = urlencode({"listOptions.labelSelector": f"{_LABEL}={request.key}"})
        answer = self._http.call("GET", f"{self._path}?{asked}") or {}
        found = sorted(answer.get("items") or [], key=lambda one: str(one["metadata"].get("creationTimestamp")))
        return self._run(found[-1]) if found else None

    def submit(self, request: RunRequest, compiled: bytes) -> EngineRun:
        """Begins a workflow of the flow's template. Metaflow's templates take every parameter as JSON."""
        template = flow_name(request.model).lower()
        parameters = {"repository": request.repository, "commit": request.commit}
        workflow = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {
                "generateName": f"{template}-",
                "labels": {_LABEL: request.key},
                "annotations": {"metaflow/triggered_by_user": json.dumps({"type": "user", "name": "modelyard"})},
            },
            "spec": {
                "workflowTemplateRef": {"name": template},
                "arguments": {"parameters": [{"name": k, "value": json.dumps(v)} for k, v in parameters.items()]},
            },
        }
        return self._run(self._http.call("POST", self._path, {"namespace": self._namespace, "workflow": workflow}))

    def look(self, id: str) -> EngineRun:
        """A workflow with its progress."""
        return self._run(self._http.call("GET", f"{self._path}/{quote(id, safe='')}"))

    def cancel(self, id: str) -> None:
        """Terminates the workflow."""
        self._http.call("PUT", f"{self._path}/{quote(id, safe='')}/terminate", {})

    def _run(self, answer: dict[str, Any]) -> EngineRun:
        id, status = str(answer["metadata"]["name"]), answer.get("status") or {}
        done, _, steps = str(status.get("progress") or "").partition("/")
        why = " ".join(str(status.get("message") or "").split())[:300]
        state = _STATES.get(str(status.get("phase")), "waiting")
        if state == "failed" and "terminate" in why:
            state = "cancelled"  # Argo has no phase of its own for it
        return EngineRun(
            id=id,
            state=state,
            done=int(done) if done.isdecimal() else 0,
            steps=int(steps) if steps.isdecimal() else 0,
            why=why,
            address=f"{self._url}/workflows/{quote(self._namespace, safe='')}/{quote(id, safe='')}",
        )
