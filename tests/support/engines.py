"""Stubs of the servers of Kubeflow Pipelines and Argo Workflows on loopback. They keep what their documents say of runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class EngineStub:
    """What a server holds. Each look at a run takes it one state further, and ``work`` is called before its last."""

    states: list[str]
    work: Callable[[dict[str, Any]], None] = lambda run: None
    url: str = ""
    runs: list[dict[str, Any]] = field(default_factory=list)
    experiments: list[dict[str, Any]] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)
    cancelled: list[str] = field(default_factory=list)

    def kubeflow(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        """An answer of KFP's API v2beta1."""
        path = path.removeprefix("/apis/v2beta1")
        wanted = {
            p["key"]: p["stringValue"] for p in json.loads(query.get("filter", '{"predicates": []}'))["predicates"]
        }
        if path == "/experiments" and method == "GET":
            found = [e for e in self.experiments if wanted.items() <= e.items()]
            return 200, {"experiments": [e for e in found if e.get("namespace", "") == query.get("namespace", "")]}
        if path == "/experiments":
            self.experiments.append(body | {"experiment_id": f"e{len(self.experiments)}"})
            return 200, self.experiments[-1]
        if path == "/runs" and method == "GET":
            found = [
                r for r in self.runs if wanted.items() <= r.items() and r["experiment_id"] == query["experiment_id"]
            ]
            assert query["sort_by"] == "created_at desc"
            return 200, {"runs": found[::-1][: int(query["page_size"])]}
        if path == "/runs":
            spec = body["pipeline_spec"].get("pipeline_spec", body["pipeline_spec"])
            if set(body["runtime_config"]["parameters"]) != set(spec["root"]["inputDefinitions"]["parameters"]):
                return 400, {"message": "parameters are not those of the pipeline"}
            self.runs.append(body | {"run_id": f"r{len(self.runs)}", "state": self.states[0], "seen": 0})
            return 200, self.runs[-1]
        if path == "/healthz":
            return 200, {"multi_user": False}
        run = next((r for r in self.runs if path.removeprefix("/runs/").split(":")[0] == r["run_id"]), None)
        if run is None:
            return 404, {"message": "no such run"}
        if path.endswith(":terminate"):
            self.cancelled.append(run["run_id"])
            run["state"] = "CANCELED"
            return 200, {}
        self._further(run)
        names = ("root", "step-driver", "prepare", "train")
        run["run_details"] = {"task_details": [{"display_name": n, "state": run["state"]} for n in names]}
        if run["state"] == "FAILED":
            run["error"] = {"code": 3, "message": "the task train\nfailed"}
        return 200, run

    def argo(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        """An answer of the Argo server."""
        if not path.startswith("/api/v1/workflows/models"):
            return 403, {"message": "no access to the namespace"}
        name = path.removeprefix("/api/v1/workflows/models").strip("/")
        if not name and method == "GET":
            label, _, value = query["listOptions.labelSelector"].partition("=")
            found = [run for run in self.runs if run["metadata"]["labels"].get(label) == value]
            return 200, {"items": found[::-1] or None}
        if not name:
            workflow = body["workflow"]
            if workflow["spec"]["workflowTemplateRef"]["name"] != "churnflow":
                return 404, {"message": "workflowtemplates not found"}
            number = len(self.runs)
            workflow["metadata"] |= {
                "name": f"churnflow-{number}",
                "creationTimestamp": f"2026-01-0{number + 1}T00:00:00Z",
            }
            self.runs.append(workflow | {"status": {}, "state": self.states[0], "seen": 0})
            return 200, self.runs[-1]
        run = next((one for one in self.runs if one["metadata"]["name"] == name.removesuffix("/terminate")), None)
        if run is None:
            return 404, {"message": "no such workflow"}
        if name.endswith("/terminate"):
            assert method == "PUT"
            self.cancelled.append(run["metadata"]["name"])
            self.states = ["Failed"]
        else:
            self._further(run)
        run["status"] = {"phase": run["state"], "progress": f"{run['seen']}/3"}
        if self.cancelled:
            run["status"] = {"phase": "Failed", "message": "workflow shutdown with strategy:  Terminate: terminated"}
        return 200, run

    def _further(self, run: dict[str, Any]) -> None:
        if run["seen"] < len(self.states) - 1:
            run["seen"] += 1
            if run["seen"] == len(self.states) - 1:
                self.work(run)
        if run["state"] != "CANCELED":
            run["state"] = self.states[run["seen"]]


@contextmanager
def engine_server(stub: EngineStub, kind: str) -> Iterator[EngineStub]:
    """The stub behind HTTP, as ``kubeflow`` or ``argo``."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            stub.authorizations.add(self.headers.get("authorization"))
            content = self.rfile.read(int(self.headers.get("content-length") or 0))
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            body = json.loads(content) if content else None
            status, answer = getattr(stub, kind)(self.command, parts.path, query, body)
            said = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stub.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield stub
        finally:
            server.shutdown()
