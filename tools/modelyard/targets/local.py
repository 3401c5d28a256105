"""The ``local`` target: versions in ``.modelyard/local/<environment>/`` for ``modelyard serve``.

The folder is the whole interface between ``deploy`` and the server: ``state.json`` has the desired state, and the
server writes the observed state to ``server.json``. A lock that ends with the server shows whether it runs.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.documents import encode
from modelyard.errors import ModelyardError
from modelyard.files import sha256_of, write_whole
from modelyard.manifests.configuration import Environment
from modelyard.manifests.conversion import parse
from modelyard.manifests.deployment import Analysis, Strategy
from modelyard.manifests.model import Model
from modelyard.predictions.layout import PROBE, Layout, artifact_in
from modelyard.rollout.plan import Action, Live, Traffic
from modelyard.secrets.interface import Secrets
from modelyard.targets.interface import Health, Package

if TYPE_CHECKING:  # these import NumPy, which `status` must not
    from modelyard.flavors.probe import Probe
    from modelyard.ground_truth.labels import GroundTruth
    from modelyard.rollout.analysis import Samples
    from modelyard.scoring.probe import Probed

SWITCH_SECONDS = 30.0


class LocalTarget:
    """One environment on this machine."""

    strategies: tuple[Strategy, ...] = ("all-at-once", "canary", "blue-green", "shadow")

    def __init__(self, environment: Environment, root: Path, secrets: Secrets) -> None:
        self._name = environment.name
        self._layout = Layout.of(root, environment.name, environment.folder)

    def observe(self) -> dict[str, Live]:
        """The live state in the folder; a version that a running server was given and cannot load has no digest."""
        models, report = self._layout.read_state().models, self._layout.read_report()
        if not self._layout.server_is_up() or report.state_read != self._layout.state_stamp():
            return models
        return models | {
            name: _refused(models[name], report.traffic.get(name)) for name in report.faults if name in models
        }

    def health(self, model: str, version: str) -> Health:
        """The health that the server reports."""
        if not self._layout.server_is_up():
            return Health("down", f"no server runs; start one with: modelyard serve --env {self._name}")
        report = self._layout.read_report()
        traffic = report.traffic.get(model)
        if model in report.faults:
            return Health("failed", report.faults[model])
        if traffic and version in (traffic.stable, traffic.candidate):
            return Health("healthy")
        return Health("failed", f"the server still serves {traffic.stable if traffic else 'nothing'}")

    def probe(self, model: str, version: str, probe: Probe) -> Probed | None:
        """The result of the probe rows when the server loaded the version; it serves no version that differs."""
        from modelyard.scoring.probe import Probed

        if not self._layout.server_is_up():
            return None
        said = self._layout.read_report().probes.get(model, {}).get(version, "")
        same, _, rows = said.partition("/")
        return Probed(int(rows), int(same), 0.0) if rows else None

    def samples(
        self, model: str, since: float, analysis: Analysis, ground_truth: GroundTruth | None
    ) -> Mapping[str, Samples]:
        """The samples in the server's prediction log."""
        from modelyard.targets.samples import sample

        live = self._layout.read_state().models.get(model, Live())
        version = live.serving or next(iter(live.installed), "")
        manifest = (self._layout.version_folder(model, version) / "model.yaml").read_bytes()
        return sample(
            self._layout.logs / model, parse(Model, manifest, f"{model} {version}"), since, analysis, ground_truth
        )

    def apply(self, model: str, action: Action, package: Package | None) -> None:
        """Installs, routes or removes a version. If the running server cannot load it, traffic is moved back."""
        if action.do == "install" and package is not None:
            self._install(package)
        with self._layout.changing():
            state = self._layout.read_state()
            before = state.models.get(model, Live())
            self._layout.write_state(state.with_model(model, _after(before, action, package)))
        if action.do == "remove":
            shutil.rmtree(self._layout.version_folder(model, action.version), ignore_errors=True)
        elif action.do == "route" and action.traffic:
            self._wait_until_served(model, action.traffic, before)

    def _install(self, package: Package) -> None:
        folder = self._layout.version_folder(package.model, package.version)
        artifact = write_version(folder, package)
        if sha256_of(artifact) != package.sha256:
            shutil.rmtree(folder)
            raise ModelyardError(
                f"The bytes of {package.model} {package.version} changed while they were copied.", "Deploy again."
            )

    def _wait_until_served(self, model: str, wanted: Traffic, before: Live) -> None:
        """Waits until the server, if one runs, reports the traffic."""
        deadline = time.monotonic() + SWITCH_SECONDS
        version = wanted.candidate or wanted.stable
        while self._layout.server_is_up():
            report = self._layout.read_report()
            if report.traffic.get(model, Traffic("")) == wanted:
                return
            if report.state_read == self._layout.state_stamp() and model in report.faults:
                with self._layout.changing():
                    self._layout.write_state(self._layout.read_state().with_model(model, before))
                raise ModelyardError(
                    f"The {self._name} server cannot load {model} {version}: {report.faults[model]}.",
                    "The server keeps the previous version. Register a version that loads, and deploy that.",
                )
            if time.monotonic() > deadline:
                raise ModelyardError(
                    f"The {self._name} server did not load {model} {version} within {SWITCH_SECONDS:.0f} s.",
                    "Read the server's output, and deploy again when it answers.",
                )
            time.sleep(0.02)


def write_version(folder: Path, package: Package) -> Path:
    """The artifact's path in the folder of a version, which is written for the server."""
    model = parse(Model, package.manifest, f"{package.model} {package.version}")
    artifact = artifact_in(folder, model.files.artifact)
    write_whole(artifact, package.artifact.read_bytes())
    write_whole(folder / "model.yaml", package.manifest)
    if package.probe is not None:
        write_whole(folder / PROBE, encode(package.probe.to_json()) + b"\n")
    for path, content in package.files.items():
        write_whole(folder / path, content)
    return artifact


def _refused(live: Live, served: Traffic | None) -> Live:
    """The same, where a version that cannot be loaded has no digest, so that the next deploy installs it again."""
    routed = {live.traffic.stable, live.traffic.candidate} if live.traffic else set()
    refused = routed - ({served.stable, served.candidate} if served else set())
    return Live(live.traffic, live.installed | dict.fromkeys(refused & live.installed.keys(), ""))


def _after(before: Live, action: Action, package: Package | None) -> Live:
    if action.do == "install" and package is not None:
        return Live(before.traffic, {**before.installed, package.version: package.sha256})
    if action.do == "remove":
        return Live(before.traffic, {v: sha for v, sha in before.installed.items() if v != action.version})
    return Live(action.traffic if action.traffic and action.traffic.stable else None, before.installed)
