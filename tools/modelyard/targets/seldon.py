"""The ``seldon`` target: Seldon Core 2, with one Model per version and an Experiment that shares the traffic."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from modelyard.flavors.probe import Probe
from modelyard.manifests.configuration import Environment
from modelyard.manifests.conversion import parse
from modelyard.manifests.deployment import Analysis, Strategy
from modelyard.manifests.model import Model
from modelyard.rollout.plan import Action, Live, Traffic
from modelyard.scoring.probe import Probed
from modelyard.scoring.signature import flavor_of
from modelyard.secrets.interface import Secrets
from modelyard.targets.interface import PREFIX, Health, Package, read_traffic, settings_of, write_traffic
from modelyard.targets.kubernetes import Cluster, Resource, check_against_crd, conditions, is_ready
from modelyard.targets.mlserver import write_folder
from modelyard.targets.storage import put_folder, remove

if TYPE_CHECKING:
    from modelyard.ground_truth.labels import GroundTruth
    from modelyard.rollout.analysis import Samples

_API = "mlops.seldon.io/v1alpha1"
_MODEL, _VERSION, _SHA256, _TRAFFIC = (f"{PREFIX}/{name}" for name in ("model", "version", "sha256", "traffic"))


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings: cluster and storage."""

    storage: str
    server: str = ""
    token: str = ""
    ca: str = ""
    namespace: str = "seldon"
    model_crd: str = ""
    experiment_crd: str = ""
    requirements: tuple[str, ...] = ()
    """Capabilities of the server. Default: ``mlserver`` and the flavor's."""
    replicas: int = 1
    memory: str = "100Mi"
    ready_seconds: int = 300


class SeldonTarget:
    """The Models and Experiments of one namespace."""

    strategies: tuple[Strategy, ...] = ("all-at-once", "canary", "blue-green", "shadow")

    def __init__(self, environment: Environment, root: Path, secrets: Secrets) -> None:
        settings = self._settings = settings_of(environment, Settings)
        token = secrets.read_for(settings.token, settings.server) if settings.token else ""
        self._crds = {
            "Model": root / settings.model_crd if settings.model_crd else None,
            "Experiment": root / settings.experiment_crd if settings.experiment_crd else None,
        }

        def cluster(plural: str) -> Cluster:
            group, _, version = _API.partition("/")
            return Cluster(settings.server, token, settings.ca, settings.namespace, group, version, plural)

        self._models, self._experiments = cluster("models"), cluster("experiments")

    def observe(self) -> dict[str, Live]:
        """The Models with our label, and the traffic of their Experiments."""
        found: dict[str, Live] = {}
        for resource in self._models.all():
            noted = resource["metadata"].get("annotations") or {}
            if _MODEL in noted and _VERSION in noted:
                live = found.get(noted[_MODEL], Live())
                found[noted[_MODEL]] = Live(None, {**live.installed, noted[_VERSION]: noted.get(_SHA256, "")})
        for resource in self._experiments.all():
            noted = resource["metadata"].get("annotations") or {}
            traffic = read_traffic(noted.get(_TRAFFIC))
            if traffic and noted.get(_MODEL) in found:
                shared = resource["spec"] == _sharing(noted[_MODEL], traffic)
                installed = found[noted[_MODEL]].installed
                found[noted[_MODEL]] = Live(traffic if shared else Traffic(traffic.stable, salt="edited"), installed)
        return found

    def health(self, model: str, version: str) -> Health:
        """The readiness of the version's Model, from Seldon's scheduler."""
        resource = self._models.get(_name(model, version))
        if resource is None:
            return Health("failed", f"there is no Model {_name(model, version)}")
        if is_ready(resource):
            return Health("healthy")
        state = [c.get("reason", "") for c in (resource.get("status") or {}).get("conditions") or []]
        return Health("failed" if any("Failed" in reason for reason in state) else "unknown", conditions(resource))

    def probe(self, model: str, version: str, probe: Probe) -> Probed | None:
        """None: the service is not reachable from here. Each replica checks the probe rows before it is ready."""
        return None

    def samples(
        self, model: str, since: float, analysis: Analysis, ground_truth: GroundTruth | None
    ) -> Mapping[str, Samples]:
        """No samples: Seldon keeps none that can be read; see docs/targets.md."""
        return {}

    def apply(self, model: str, action: Action, package: Package | None) -> None:
        """Copies the artifact and creates a Model, deletes one, or changes the Experiment. Waits until it is ready."""
        name = _name(model, action.version)
        if action.do == "install" and package is not None:
            with TemporaryDirectory(prefix="modelyard-") as scratch:
                write_folder(Path(scratch), package, name)
                put_folder(Path(scratch), self._uri(model, package.version))
            wanted = self._model(model, package)
            self._models.change(name, lambda there: wanted)
            self._models.wait(name, is_ready, self._settings.ready_seconds)
        elif action.do == "remove":
            self._models.delete(name)
            remove(self._uri(model, action.version))
        elif action.traffic is not None and not action.traffic.stable:
            self._experiments.delete(_name(model))
        elif action.traffic is not None:
            experiment = self._experiment(model, action.traffic)
            self._experiments.change(_name(model), lambda there: experiment)
            self._experiments.wait(_name(model), is_ready, self._settings.ready_seconds)

    def _model(self, model: str, package: Package) -> Resource:
        manifest = parse(Model, package.manifest, f"{package.model} {package.version}")
        needed = self._settings.requirements or ("mlserver", flavor_of(manifest).hosts["seldon"])
        spec = {
            "storageUri": self._uri(model, package.version),
            "requirements": list(needed),
            "replicas": self._settings.replicas,
            "memory": self._settings.memory,
        }
        noted = {_MODEL: model, _VERSION: package.version, _SHA256: package.sha256}
        return self._resource("Model", _name(model, package.version), noted, spec)

    def _experiment(self, model: str, traffic: Traffic) -> Resource:
        noted = {_MODEL: model, _TRAFFIC: write_traffic(traffic)}
        return self._resource("Experiment", _name(model), noted, _sharing(model, traffic))

    def _resource(self, kind: str, name: str, noted: dict[str, str], spec: dict[str, Any]) -> Resource:
        resource: Resource = {
            "apiVersion": _API,
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": self._settings.namespace,
                "labels": {"app.kubernetes.io/managed-by": "modelyard"},
                "annotations": noted,
            },
            "spec": spec,
        }
        check_against_crd(resource, self._crds[kind])
        return resource

    def _uri(self, model: str, version: str) -> str:
        return f"{self._settings.storage.rstrip('/')}/{model}/{version}"


def _sharing(model: str, traffic: Traffic) -> dict[str, Any]:
    """The spec of an Experiment. Weights are relative; the default candidate answers if none matches."""
    stable = _name(model, traffic.stable)
    weight = round(traffic.weight)
    candidates = [{"name": stable, "weight": 100 - weight}]
    spec: dict[str, Any] = {"default": stable, "candidates": candidates}
    if traffic.candidate and weight:
        candidates.append({"name": _name(model, traffic.candidate), "weight": weight})
    if traffic.candidate and traffic.mirror:
        spec["mirror"] = {"name": _name(model, traffic.candidate), "percent": 100}
    return spec


def _name(model: str, version: str = "") -> str:
    """A name in the form that Kubernetes allows: ``flight-delay-v1-2-0``."""
    joined = f"{model}-{version}" if version else model
    return "".join(c if c.isalnum() else "-" for c in joined.lower())
