"""The ``mlflow`` target: registers versions in an MLflow server and moves an alias, over MLflow's REST interface.

An alias has one version, so traffic cannot be shared: ``models:/<model>@<alias>`` loads the routed version.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml
from msgspec import Struct

from modelyard.flavors.interface import Flavor
from modelyard.flavors.probe import Probe
from modelyard.manifests.configuration import Environment
from modelyard.manifests.conversion import parse
from modelyard.manifests.deployment import Analysis, Strategy
from modelyard.manifests.model import Column, Contract, Model
from modelyard.rollout.plan import Action, Live, Traffic
from modelyard.scoring.probe import Probed
from modelyard.scoring.signature import flavor_of
from modelyard.secrets.interface import Secrets
from modelyard.targets.folder import lay_out, pinned
from modelyard.targets.interface import PREFIX, Health, Package, read_traffic, settings_of, write_traffic
from modelyard.targets.mlflow_server import MLflowServer

if TYPE_CHECKING:
    from modelyard.ground_truth.labels import GroundTruth
    from modelyard.rollout.analysis import Samples

_TYPES = {
    "integer": "long", "float": "double", "string": "string", "boolean": "boolean", "date": "string",
    "timestamp": "string",
}  # fmt: skip


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings: the URL of MLflow, and the alias of the environment."""

    url: str
    alias: str = ""
    """Default: the environment's name."""
    token: str = ""
    """A reference to a secret."""
    experiment: str = "0"


class MLflowTarget:
    """The model registry of one MLflow server."""

    strategies: tuple[Strategy, ...] = ("all-at-once",)

    def __init__(self, environment: Environment, root: Path, secrets: Secrets) -> None:
        self._settings = settings_of(environment, Settings)
        self._alias = self._settings.alias or environment.name
        token = secrets.read_for(self._settings.token, self._settings.url) if self._settings.token else ""
        self._server = MLflowServer(self._settings.url, token)
        self._tag = f"{PREFIX}.{environment.name}"

    def observe(self) -> dict[str, Live]:
        """The versions that modelyard registered, and the version of the alias."""
        found = {}
        for model in self._server.pages("registered-models/search", "registered_models"):
            numbers = self._versions(model["name"])
            if not numbers:
                continue
            tags = {tag["key"]: tag["value"] for tag in model.get("tags", [])}
            aliases = {entry["alias"]: str(entry["version"]) for entry in model.get("aliases", [])}
            traffic = read_traffic(tags.get(self._tag))
            routed = {number: version for version, (number, _) in numbers.items()}.get(aliases.get(self._alias, ""))
            if traffic is None or traffic.stable != routed:  # somebody else moved the alias, and the alias counts
                traffic = Traffic(routed) if routed else None
            found[model["name"]] = Live(traffic, {version: sha for version, (_, sha) in numbers.items()})
        return found

    def health(self, model: str, version: str) -> Health:
        """Whether the version is registered and ready. The registry does not know who loads it."""
        number = self._versions(model).get(version)
        if number is None:
            return Health("failed", f"MLflow has no version that modelyard registered for {version}")
        return Health("healthy")

    def probe(self, model: str, version: str, probe: Probe) -> Probed | None:
        """None: a registry gives no scores. The loader checks the probe rows when the version is loaded."""
        return None

    def samples(
        self, model: str, since: float, analysis: Analysis, ground_truth: GroundTruth | None
    ) -> Mapping[str, Samples]:
        """No samples: a registry gets no requests."""
        return {}

    def apply(self, model: str, action: Action, package: Package | None) -> None:
        """Registers a version, moves the alias, or deletes a version."""
        known = self._versions(model)
        if action.do == "install" and package is not None:
            if known.get(package.version, ("", ""))[1] != package.sha256:
                self._register(package)
        elif action.do == "remove" and action.version in known:
            number = known[action.version][0]
            self._server.delete("model-versions/delete", {"name": model, "version": number})
        elif action.do == "route" and action.traffic is not None:
            alias = {"name": model, "alias": self._alias}
            if action.traffic.stable:
                number = known[action.traffic.stable][0]
                self._server.post("registered-models/alias", alias | {"version": number})
            else:
                self._server.delete("registered-models/alias", alias, missing=True)
            tag = {"name": model, "key": self._tag, "value": write_traffic(action.traffic)}
            self._server.post("registered-models/set-tag", tag)

    def _register(self, package: Package) -> None:
        name = {"name": package.model}
        if self._server.get("registered-models/get", {"name": package.model}, missing=True) is None:
            self._server.post("registered-models/create", name)
        run = self._server.post(
            "runs/create",
            {"experiment_id": self._settings.experiment, "run_name": f"{package.model} {package.version}"},
        )["run"]["info"]
        for path, content in _flavour(package).items():
            self._server.upload(run["artifact_uri"], f"model/{path}", content)
        tags = [
            {"key": f"{PREFIX}.version", "value": package.version},
            {"key": f"{PREFIX}.sha256", "value": package.sha256},
        ]
        made = name | {"source": f"{run['artifact_uri']}/model", "run_id": run["run_id"], "tags": tags}
        self._server.post("model-versions/create", made)
        self._server.post("runs/update", {"run_id": run["run_id"], "status": "FINISHED"})

    def _versions(self, model: str) -> dict[str, tuple[str, str]]:
        """Our version → (MLflow's number, sha256)."""
        found: dict[str, tuple[str, str]] = {}
        for entry in self._server.pages("model-versions/search", "model_versions", filter=f"name='{model}'"):
            tags = {tag["key"]: tag["value"] for tag in entry.get("tags", [])}
            if f"{PREFIX}.version" in tags:
                number = str(entry["version"]), tags.get(f"{PREFIX}.sha256", "")
                found.setdefault(tags[f"{PREFIX}.version"], number)
        return found


def _flavour(package: Package) -> dict[str, bytes]:
    """A model in MLflow's format, which ``python_function`` loads with our code; it has no pickle.

    If MLflow has a flavour for the file, it is named too.
    """
    model = parse(Model, package.manifest, f"{package.model} {package.version}")
    flavor, name = flavor_of(model), Path(model.files.artifact).name
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        folder = Path(scratch)
        runtime = lay_out(folder, package)
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        placed = {
            f"code/{path}" if path.startswith(f"{runtime}/") else f"data/{path}": found.read_bytes()
            for path, found in files.items()
        }
    loader = {
        "loader_module": f"{runtime}.adapters.mlflow", "data": "data", "code": "code",
        "env": {"virtualenv": "python_env.yaml"},
    }  # fmt: skip
    described = {
        "flavors": {**_native(flavor, f"data/artifact/{name}"), "python_function": loader},
        "signature": _signature(model.contract),
        "metadata": {"version": package.version, "sha256": package.sha256},
    }
    requirements = ["mlflow", "pandas", *pinned(package)]
    environment = {"python": "3.11", "dependencies": ["-r requirements.txt"]}
    return placed | {
        "MLmodel": yaml.safe_dump(described, sort_keys=False).encode(),
        "python_env.yaml": yaml.safe_dump(environment).encode(),
        "requirements.txt": "".join(f"{line}\n" for line in dict.fromkeys(requirements)).encode(),
    }


def _native(flavor: Flavor, data: str) -> dict[str, dict[str, str]]:
    name = flavor.hosts.get("mlflow", "")
    fields = {
        "lightgbm": {"lgb_version": "4", "model_class": "lightgbm.basic.Booster"},
        "xgboost": {"xgb_version": "3", "model_class": "xgboost.core.Booster", "model_format": "ubj"},
        "catboost": {"catboost_version": "1.2", "model_type": "CatBoost", "save_format": "cbm"},
        "onnx": {"onnx_version": "1", "providers": "CPUExecutionProvider"},
    }.get(name)
    return {name: {"data": data, **fields}} if fields else {}


def _signature(contract: Contract) -> dict[str, str]:
    import json

    def described(column: Column) -> dict[str, Any]:
        kind = (
            {"type": "array", "items": {"type": "double"}} if column.type == "vector" else {"type": _TYPES[column.type]}
        )
        return {"name": column.name, **kind, "required": not column.nullable}

    inputs = [described(column) for column in contract.inputs]
    return {"inputs": json.dumps(inputs), "outputs": json.dumps([{"type": "double", "required": True}])}
