"""A stub of MLflow's REST interface on loopback: experiments, runs, registered models, files. It keeps its limits."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_NAME = re.compile(r"[\w.\- :/]{1,250}")
_CONDITION = re.compile(r"tags\.`([^`]+)` (=|LIKE) '([^']*)'")


@dataclass
class MLflowStub:
    """What the server holds. ``down`` lets every call answer 500."""

    down: bool = False
    calls: list[str] = field(default_factory=list)
    """Method and path of each call."""
    authorizations: list[str] = field(default_factory=list)
    experiments: dict[str, str] = field(default_factory=dict)
    """Id → name."""
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    models: list[dict[str, Any]] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def shown(self, run: dict[str, Any]) -> dict[str, Any]:
        """The run as MLflow answers with it."""
        return {
            "info": run["info"],
            "data": {
                "tags": [{"key": k, "value": v} for k, v in run["tags"].items()],
                "params": [{"key": k, "value": v} for k, v in run["params"].items()],
                "metrics": [{"key": k, "value": v, "step": s} for (k, s), v in run["metrics"].items()],
            },
            "inputs": {"dataset_inputs": run["inputs"]},
        }

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        """Status and JSON of one call; ``body`` is decoded JSON."""
        name = path.removeprefix("/api/2.0/mlflow/")
        if name == "experiments/get-by-name":
            for number, known in self.experiments.items():
                if known == query["experiment_name"]:
                    return 200, {"experiment": {"experiment_id": number, "name": known}}
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST"}
        if name == "experiments/create":
            number = str(len(self.experiments) + 1)
            self.experiments[number] = body["name"]
            return 200, {"experiment_id": number}
        if name == "runs/create":
            number = f"{len(self.runs):032x}"
            info = {
                "run_id": number, "run_name": body["run_name"], "artifact_uri": f"mlflow-artifacts:/{number}/artifacts",
                "status": "RUNNING", "experiment_id": body["experiment_id"], "start_time": body.get("start_time", 0),
            }  # fmt: skip
            tags = {tag["key"]: tag["value"] for tag in body.get("tags", [])}
            self.runs[number] = {"info": info, "tags": tags, "params": {}, "metrics": {}, "inputs": []}
            return 200, {"run": self.shown(self.runs[number])}
        if name == "runs/get":
            run = self.runs.get(query["run_id"])
            return (200, {"run": self.shown(run)}) if run else (404, {"error_code": "RESOURCE_DOES_NOT_EXIST"})
        if name == "runs/search":
            found = _CONDITION.fullmatch(body["filter"])
            assert found, body["filter"]
            key, how, value = found.groups()
            kept = [
                run for run in self.runs.values()
                if run["info"]["experiment_id"] in body["experiment_ids"] and key in run["tags"]
                and (run["tags"][key] == value if how == "=" else run["tags"][key].startswith(value.rstrip("%")))
            ]  # fmt: skip
            return 200, self._page("runs", [self.shown(run) for run in kept], body)
        if name == "runs/log-batch":
            return self._batch(body)
        if name == "runs/log-inputs":
            run = self.runs[body["run_id"]]
            run["inputs"] += [one for one in body["datasets"] if one not in run["inputs"]]
            assert all(len(one["dataset"]["digest"]) <= 36 for one in body["datasets"])
            return 200, {}
        if name == "runs/update":
            self.runs[body["run_id"]]["info"] |= {"status": body["status"], "run_name": body["run_name"]}
            return 200, {}
        if name == "registered-models/search":
            return 200, self._page("registered_models", self.models, query)
        if name == "model-versions/search":
            named = re.fullmatch(r"name\s*=\s*'(.*)'", query.get("filter", ""), re.DOTALL)
            kept = [one for one in self.versions if named is None or one["name"] == named[1]]
            return 200, self._page("model_versions", kept, query)
        return 404, {"error_code": "ENDPOINT_NOT_FOUND", "path": path}

    def _batch(self, body: Any) -> tuple[int, Any]:
        run = self.runs[body["run_id"]]
        assert len(body.get("params", [])) <= 100 and len(body.get("tags", [])) <= 100
        assert len(body.get("metrics", [])) <= 1000
        for kind in ("params", "metrics", "tags"):
            for one in body.get(kind, []):
                if not _NAME.fullmatch(one["key"]):
                    return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": one["key"]}
        for one in body.get("params", []):
            if run["params"].get(one["key"], one["value"]) != one["value"]:
                return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "a parameter was changed"}
            run["params"][one["key"]] = one["value"]
        run["metrics"] |= {(one["key"], one["step"]): one["value"] for one in body.get("metrics", [])}
        run["tags"] |= {one["key"]: one["value"] for one in body.get("tags", [])}
        return 200, {}

    @staticmethod
    def _page(key: str, found: list[dict[str, Any]], asked: Any) -> dict[str, Any]:
        start, size = int(asked.get("page_token") or 0), int(asked["max_results"])
        more = {"next_page_token": str(start + size)} if len(found) > start + size else {}
        return {key: found[start : start + size], **more}


@contextmanager
def mlflow_stub() -> Iterator[MLflowStub]:
    """The stub, served on loopback."""
    stub = MLflowStub()
    files = "/api/2.0/mlflow-artifacts/artifacts"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            self._do()

        def do_POST(self) -> None:
            self._do()

        def do_PUT(self) -> None:
            self._do()

        def _do(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            place = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(place.query).items()}
            stub.calls.append(f"{self.command} {place.path}")
            stub.authorizations.append(self.headers.get("Authorization") or "")
            if stub.down:
                self._send(500, b'{"message": "down"}')
            elif place.path.startswith(f"{files}/"):
                name = unquote(place.path.removeprefix(f"{files}/"))
                if self.command == "PUT":
                    stub.files[name] = content
                    self._send(200, b"{}")
                elif name in stub.files:
                    self._send(200, stub.files[name], "application/octet-stream")
                else:
                    self._send(404, b"{}")
            elif place.path == files:
                below = query.get("path", "").rstrip("/") + "/"
                inside = {name.removeprefix(below).split("/")[0] for name in stub.files if name.startswith(below)}
                listed = [
                    {"path": one, "is_dir": below + one not in stub.files, "file_size": len(stub.files.get(below + one, b""))}
                    for one in sorted(inside)
                ]  # fmt: skip
                self._send(200, json.dumps({"files": listed}).encode())
            else:
                code, answer = stub.answer(self.command, place.path, query, json.loads(content) if content else None)
                self._send(code, json.dumps(answer).encode())

        def _send(self, code: int, content: bytes, kind: str = "application/json") -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
