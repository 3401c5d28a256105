"""The ``mlserver`` target: Seldon's MLServer, through its model repository folder and the V2 repository API.

Each version has a folder and answers at ``/v2/models/<model>/versions/<version>/infer``, so that MLServer's metrics
name it. The routed version has a second entry without a number, for requests that name no version. The repository API
has no authentication, so MLServer must be on loopback or behind a proxy.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from msgspec import Struct

from modelyard.documents import encode
from modelyard.errors import ModelyardError, UsageError
from modelyard.files import write_whole
from modelyard.flavors.probe import Probe
from modelyard.flavors.served import CONTRACT
from modelyard.flavors.signature import Signature
from modelyard.flavors.tensors import tensors_of
from modelyard.manifests.configuration import Environment
from modelyard.manifests.deployment import Analysis, Strategy
from modelyard.rollout.plan import Action, Live, Traffic
from modelyard.scoring.probe import Probed, compared
from modelyard.secrets.interface import Secrets
from modelyard.targets.folder import lay_out
from modelyard.targets.http import Http
from modelyard.targets.interface import Health, Package, read_traffic, settings_of, write_traffic

if TYPE_CHECKING:
    from modelyard.ground_truth.labels import GroundTruth
    from modelyard.rollout.analysis import Samples

_ROUTED = "routed"
_COUNTS = re.compile(r'^model_infer_request_(success|failure)_total\{model="([^"]*)",version="([^"]*)"\} (\S+)$', re.M)


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings: the URLs of MLServer."""

    url: str
    metrics_url: str = ""


class MLServerTarget:
    """One MLServer whose model repository this machine can write."""

    strategies: tuple[Strategy, ...] = ("all-at-once", "blue-green")

    def __init__(self, environment: Environment, root: Path, secrets: Secrets) -> None:
        self._settings = settings_of(environment, Settings)
        if not environment.folder:
            raise UsageError(
                f"The environment {environment.name} has no folder for MLServer's model repository.",
                "Add folder: to it in modelyard.yaml.",
            )
        self._folder = root / Path(environment.folder).expanduser()
        self._http = Http(self._settings.url, "MLServer")

    def observe(self) -> dict[str, Live]:
        """The versions in the model repository, and the routed one."""
        found: dict[str, Live] = {}
        for path in sorted(self._folder.glob(f"*/*/{_FILE}")):
            model, part = path.parts[-3:-1]
            extra = _extra(path)
            live = found.get(model, Live())
            if part == _ROUTED:
                found[model] = Live(read_traffic(extra.get("traffic")), live.installed)
            elif "sha256" in extra:
                found[model] = Live(live.traffic, {**live.installed, part: str(extra["sha256"])})
        return found

    def health(self, model: str, version: str) -> Health:
        """Whether MLServer has the version loaded."""
        ready = self._http.reachable(f"/v2/models/{model}/versions/{version}/ready")
        if ready is None:
            return Health("down", f"no answer from {self._settings.url}")
        return Health("healthy") if ready else Health("failed", f"{model} {version} is not ready in MLServer")

    def probe(self, model: str, version: str, probe: Probe) -> Probed | None:
        """The scores of the probe rows, compared with the registered ones."""
        said = msgspec.json.decode((self._folder / model / version / CONTRACT).read_bytes())
        signature = Signature.from_json(said["signature"])
        body = {"inputs": tensors_of(signature, probe.columns(signature))}
        answer = self._http.call("POST", f"/v2/models/{model}/versions/{version}/infer", body)
        output = answer["outputs"][0]
        return compared(probe, np.array(output["data"], dtype=np.float64).reshape(output["shape"]))

    def samples(
        self, model: str, since: float, analysis: Analysis, ground_truth: GroundTruth | None
    ) -> Mapping[str, Samples]:
        """Requests and failures by version since MLServer started, from its metrics."""
        if not self._settings.metrics_url:
            return {}
        from modelyard.rollout.analysis import Samples

        text = Http(self._settings.metrics_url, "MLServer's metrics").call("GET", "/metrics") or ""
        counts: dict[str, dict[str, int]] = {}
        for kind, name, version, value in _COUNTS.findall(str(text)):
            if name == model:
                counts.setdefault(version, {})[kind] = int(float(value))
        return {version: Samples(sum(kinds.values()), kinds.get("failure", 0)) for version, kinds in counts.items()}

    def apply(self, model: str, action: Action, package: Package | None) -> None:
        """Writes files, then lets MLServer read its repository again."""
        if action.do == "install" and package is not None:
            self._install(package)
        elif action.do == "remove":
            shutil.rmtree(self._folder / model / action.version, ignore_errors=True)
            self._reload(model)
        elif action.traffic is not None:
            self._route(model, action.traffic)

    def _install(self, package: Package) -> None:
        folder = self._folder / package.model / package.version
        implementation = _lay_out(folder, package)
        extra = {"sha256": package.sha256, "implementation": implementation}
        self._write(folder, package.model, package.version, extra)
        self._reload(package.model)
        if self.health(package.model, package.version).state != "healthy":
            shutil.rmtree(folder)
            raise ModelyardError(f"MLServer did not load {package.model} {package.version}.", "Read MLServer's log.")

    def _route(self, model: str, traffic: Traffic) -> None:
        routed = self._folder / model / _ROUTED
        version = traffic.candidate if traffic.weight >= 100 else traffic.stable
        if not version:
            shutil.rmtree(routed, ignore_errors=True)
        else:
            source = self._folder / model / version
            implementation = _extra(source / _FILE).get("implementation", "")
            shutil.rmtree(routed, ignore_errors=True)
            shutil.copytree(source, routed, ignore=shutil.ignore_patterns(_FILE, "__pycache__"))
            extra = {"version": version, "implementation": implementation, "traffic": write_traffic(traffic)}
            self._write(routed, model, None, extra)
        self._reload(model)

    def _write(self, folder: Path, model: str, version: str | None, extra: dict[str, str]) -> None:
        parameters: dict[str, Any] = {"uri": ".", "extra": extra}
        if version:
            parameters["version"] = version
        settings = {"name": model, "implementation": extra["implementation"], "parameters": parameters}
        write_whole(folder / _FILE, encode(settings, indent=2))

    def _reload(self, model: str) -> None:
        there = any((self._folder / model).glob(f"*/{_FILE}"))
        self._http.call("POST", f"/v2/repository/models/{model}/{'load' if there else 'unload'}", missing=not there)


_FILE = "model-settings.json"
_ENTRY = """\
# MLServer reloads this module with each version. The flavors' code is then read from that version's folder, since the
# folder that it was first read from may be removed.
import sys
from pathlib import Path

from {runtime}.adapters.mlserver import Runtime

for package in ("{runtime}", "{runtime}.adapters"):
    sys.modules[package].__path__ = [str(Path(__file__).parent.joinpath(*package.split(".")))]
"""


def write_folder(folder: Path, package: Package, name: str) -> None:
    """Writes a version's folder for the MLServer of KServe or Seldon, under their ``name``."""
    settings = {
        "name": name,
        "implementation": _lay_out(folder, package),
        "parameters": {"uri": ".", "version": package.version},
    }
    write_whole(folder / _FILE, encode(settings, indent=2))


def _lay_out(folder: Path, package: Package) -> str:
    """Writes the version's folder; the name of the class that MLServer loads."""
    runtime = lay_out(folder, package)
    entry = f"{runtime}_mlserver"
    write_whole(folder / f"{entry}.py", _ENTRY.format(runtime=runtime).encode())
    return f"{entry}.Runtime"


def _extra(path: Path) -> dict[str, Any]:
    """Our note in a model's settings; empty for settings that modelyard did not write."""
    try:
        found = msgspec.json.decode(path.read_bytes())
        return dict(found["parameters"]["extra"])
    except (OSError, msgspec.MsgspecError, KeyError, TypeError, ValueError):
        return {}
