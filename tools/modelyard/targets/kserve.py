"""The ``kserve`` target: one InferenceService per model, with traffic shared by ``canaryTrafficPercent``.

The predictor names the newest version. KServe keeps the revision before it, which gets the rest of the traffic. So
traffic can be shared only between the last two versions, and only in serverless mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from msgspec import DecodeError, Struct, field
from msgspec.json import decode, encode
from msgspec.structs import replace

from modelyard.errors import ModelyardError, UsageError
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

_INSTALLED = f"{PREFIX}/installed-"
_FORMAT = f"{PREFIX}/format-"
_ASKED = f"{PREFIX}/resources-"
_PREDICTOR = "predictor"
"""The value in ``Flavor.hosts`` for flavors that KServe serves from the image of ``modelyard package``."""
_TRAFFIC = f"{PREFIX}/traffic"
_MODEL = f"{PREFIX}/model"
"""The model's own name, which Kubernetes may not allow as a resource's."""


class Resources(Struct, frozen=True, forbid_unknown_fields=True):
    """The resources of a replica, in Kubernetes' units. Left out: those of the version's ``model.yaml``."""

    cpu: str = ""
    memory: str = ""
    gpu: int | None = None


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings: cluster, storage and scaling."""

    storage: str
    """A URI that this machine and the cluster can reach, such as s3://bucket/models."""
    server: str = ""
    """Default: the kubeconfig, or the pod's service account."""
    token: str = ""
    ca: str = ""
    namespace: str = "default"
    crd: str = ""
    image: str = ""
    """For flavors that KServe's servers do not load: the image of ``modelyard package``, with {model} and {version}."""
    token_secret: str = "modelyard-token"  # noqa: S105 - the name of a Secret, not a secret
    """The Kubernetes Secret with the ``token`` that callers of ``image`` send."""
    runtime: str = ""
    """The ServingRuntime. Default: KServe chooses one for the model format."""
    resources: Resources = field(default_factory=Resources)
    minimum_replicas: int = 0
    """0 scales to zero without requests."""
    maximum_replicas: int = 3
    concurrency: int = 10
    """Open requests per replica before another replica is started."""
    ready_seconds: int = 300


class _Noted(Struct, frozen=True):
    """What the InferenceService notes of one stored version."""

    sha256: str
    format: str = "lightgbm"
    """A model format of KServe, or ``predictor`` for a container of ours."""
    asked: str = ""
    """The resources of its ``model.yaml`` as JSON; empty where it names none."""

    def annotations(self, version: str) -> dict[str, str]:
        """The notes of the version, as ``_noted`` reads them."""
        asked = {f"{_ASKED}{version}": self.asked} if self.asked else {}
        return {f"{_INSTALLED}{version}": self.sha256, f"{_FORMAT}{version}": self.format} | asked


class KServeTarget:
    """The InferenceServices of one namespace."""

    strategies: tuple[Strategy, ...] = ("all-at-once", "canary", "blue-green")

    def __init__(self, environment: Environment, root: Path, secrets: Secrets) -> None:
        settings = self._settings = settings_of(environment, Settings)
        token = secrets.read_for(settings.token, settings.server) if settings.token else ""
        self._copied: dict[tuple[str, str], _Noted] = {}
        """(model, version) → the notes of the versions that this run copied."""
        self._crd = root / settings.crd if settings.crd else None
        self._cluster = Cluster(
            settings.server, token, settings.ca, settings.namespace, "serving.kserve.io", "v1beta1", "inferenceservices"
        )

    def observe(self) -> dict[str, Live]:
        """The live state, from the InferenceServices with our label."""
        return {_model_of(resource): _live(resource) for resource in self._cluster.all()}

    def health(self, model: str, version: str) -> Health:
        """The readiness that KServe's controller reports."""
        resource = self._cluster.get(_name(model))
        if resource is None:
            return Health("failed", f"there is no InferenceService {_name(model)}")
        if is_ready(resource):
            return Health("healthy")
        return Health("failed" if _failed(resource) else "unknown", conditions(resource))

    def probe(self, model: str, version: str, probe: Probe) -> Probed | None:
        """None: the service is not reachable from here. Each replica checks the probe rows before it is ready."""
        return None

    def samples(
        self, model: str, since: float, analysis: Analysis, ground_truth: GroundTruth | None
    ) -> Mapping[str, Samples]:
        """No samples: KServe keeps none that can be read; see docs/targets.md."""
        return {}

    def apply(self, model: str, action: Action, package: Package | None) -> None:
        """Copies bytes to the storage, or writes the InferenceService and waits until it is ready."""
        name = _name(model)
        if action.do == "install" and package is not None:
            with TemporaryDirectory(prefix="modelyard-") as scratch:
                write_folder(Path(scratch), package, name)
                put_folder(Path(scratch), self._uri(name, package.version))
            self._copied[name, package.version] = self._notes(package)
        elif action.do == "remove":
            self._copied.pop((name, action.version), None)
            remove(self._uri(name, action.version))
            if self._cluster.get(name) is not None:
                self._cluster.change(name, lambda there: self._edited(model, there or {}, without=action.version))
        elif action.traffic is not None and not action.traffic.stable:
            self._cluster.delete(name)
        elif action.traffic is not None:
            self._route(model, action.traffic)

    def _route(self, model: str, traffic: Traffic) -> None:
        name = _name(model)
        before = _live(self._cluster.get(name)).traffic
        if traffic.candidate and before and before.stable != traffic.stable:
            raise ModelyardError(
                f"KServe can share traffic only with the last version, {before.stable}, and not with {traffic.stable}.",
                f"Deploy {traffic.stable} to all traffic first.",
            )
        self._cluster.change(name, lambda there: self._edited(model, there or {}, traffic))
        self._cluster.wait(name, is_ready, self._settings.ready_seconds)

    def _edited(self, model: str, there: Resource, traffic: Traffic | None = None, without: str = "") -> Resource:
        """The InferenceService with other traffic, or with one stored version less."""
        name = _name(model)
        if there and _model_of(there) not in (model, name):
            raise ModelyardError(
                f"The InferenceService {name} belongs to the model {_model_of(there)}.",
                f"Rename {model}: in Kubernetes both models have the same name.",
            )
        noted = _noted(there) | {version: new for (other, version), new in self._copied.items() if other == name}
        noted.pop(without, None)
        traffic = traffic or _live(there).traffic or Traffic("")
        annotations = {_MODEL: model}
        for version, note in noted.items():
            annotations |= note.annotations(version)
        resource: Resource = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {
                "name": name,
                "namespace": self._settings.namespace,
                "labels": {"app.kubernetes.io/managed-by": "modelyard"},
                "annotations": annotations
                | {_TRAFFIC: write_traffic(traffic), "serving.kserve.io/deploymentMode": "Serverless"},
            },
            "spec": self._spec(name, traffic, noted),
        }
        check_against_crd(resource, self._crd)
        return resource

    def _notes(self, package: Package) -> _Noted:
        """What is noted of a version: its flavor's name in KServe, and the resources of its ``model.yaml``."""
        model = parse(Model, package.manifest, f"{package.model} {package.version}")
        found = flavor_of(model).hosts["kserve"]
        if found == _PREDICTOR and not self._settings.image:
            raise UsageError(
                f"KServe has no server for the flavor of {package.model}, and the environment has no image.",
                "Build one with modelyard package, push it, and name it under settings: image: …/{model}:{version}",
            )
        wanted = model.resources
        asked = {"cpu": f"{wanted.cpu:g}" if wanted.cpu else "", "memory": wanted.memory, "gpu": wanted.gpu}
        given = {key: value for key, value in asked.items() if value}
        return _Noted(package.sha256, found, encode(given).decode() if given else "")

    def _spec(self, name: str, traffic: Traffic, noted: Mapping[str, _Noted]) -> dict[str, Any]:
        version = traffic.candidate or traffic.stable
        predictor = self._predictor(name, version, noted.get(version, _Noted("")))
        if traffic.candidate:
            predictor["canaryTrafficPercent"] = round(traffic.weight)
        return {"predictor": predictor}

    def _amounts(self, note: _Noted) -> dict[str, str]:
        """What a replica asks for: the environment's settings, else the version's ``model.yaml``, else 1 and 2Gi."""
        ours = self._settings.resources
        own = _asked(note)
        amounts = {"cpu": ours.cpu or own.cpu or "1", "memory": ours.memory or own.memory or "2Gi"}
        gpu = own.gpu if ours.gpu is None else ours.gpu
        return amounts | ({"nvidia.com/gpu": str(gpu)} if gpu else {})

    def _predictor(self, model: str, version: str, note: _Noted) -> dict[str, Any]:
        amounts = self._amounts(note)
        scaled: dict[str, Any] = {
            "minReplicas": self._settings.minimum_replicas,
            "maxReplicas": self._settings.maximum_replicas,
            "scaleMetric": "concurrency",
            "scaleTarget": self._settings.concurrency,
        }
        resources = {"requests": amounts, "limits": amounts}
        if note.format == _PREDICTOR:
            return {**scaled, "containers": [self._container(model, version, resources)]}
        served: dict[str, Any] = {
            "modelFormat": {"name": note.format},
            "protocolVersion": "v2",
            "storageUri": self._uri(model, version),
            "resources": resources,
        }
        if self._settings.runtime:
            served["runtime"] = self._settings.runtime
        return {**scaled, "model": served}

    def _container(self, model: str, version: str, resources: dict[str, Any]) -> dict[str, Any]:
        """The image of ``modelyard package``, which holds the version and speaks the v2 protocol."""
        secret = {"name": self._settings.token_secret, "key": "token"}
        return {
            "name": "kserve-container",
            "image": self._settings.image.replace("{model}", model).replace("{version}", version.replace("+", "-")),
            "ports": [{"containerPort": 8080, "protocol": "TCP"}],
            "env": [{"name": "MODELYARD_TOKEN", "valueFrom": {"secretKeyRef": secret}}],
            "readinessProbe": {"httpGet": {"path": "/v2/health/ready", "port": 8080}},
            "resources": resources,
        }

    def _uri(self, model: str, version: str) -> str:
        return f"{self._settings.storage.rstrip('/')}/{model}/{version}"


def _name(model: str) -> str:
    """A model's name in the form that Kubernetes allows."""
    return model.lower().replace("_", "-")


def _model_of(resource: Resource) -> str:
    """The model of an InferenceService; one that an older toolkit wrote has only its own name."""
    metadata = resource["metadata"]
    return str((metadata.get("annotations") or {}).get(_MODEL, metadata["name"]))


def _noted(resource: Resource | None) -> dict[str, _Noted]:
    """Version → what is noted of it. An older toolkit noted no format and no resources."""
    notes = ((resource or {}).get("metadata") or {}).get("annotations") or {}
    versions = [key.removeprefix(_INSTALLED) for key in notes if key.startswith(_INSTALLED)]
    return {
        version: _Noted(
            notes[f"{_INSTALLED}{version}"],
            notes.get(f"{_FORMAT}{version}", "lightgbm"),
            notes.get(f"{_ASKED}{version}", ""),
        )
        for version in versions
    }


def _asked(note: _Noted) -> Resources:
    """The resources that are noted of a version; ModelyardError where somebody else wrote the note."""
    try:
        return decode(note.asked or "{}", type=Resources)
    except DecodeError as error:
        raise ModelyardError(
            f"An annotation {_ASKED}… of an InferenceService is not what modelyard wrote: {error}.",
            "Remove the annotation, or deploy the version anew.",
        ) from error


def _live(resource: Resource | None) -> Live:
    annotations = ((resource or {}).get("metadata") or {}).get("annotations") or {}
    installed = {version: note.sha256 for version, note in _noted(resource).items()}
    traffic = read_traffic(annotations.get(_TRAFFIC))
    predictor = ((resource or {}).get("spec") or {}).get("predictor") or {}
    if traffic and traffic.candidate:  # the cluster's state counts, not our note
        traffic = replace(traffic, weight=float(predictor.get("canaryTrafficPercent", 100)))
    return Live(traffic, installed)


def _failed(resource: Resource) -> bool:
    """Whether KServe gave up, and is not still trying."""
    status = resource.get("status") or {}
    return ((status.get("modelStatus") or {}).get("transitionStatus")) in ("BlockedByFailedLoad", "InvalidSpec")
