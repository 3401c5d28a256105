"""The ``local`` target: versions laid out in ``.modelyard/local/<environment>/`` for ``modelyard serve``.

The folder is the whole interface between ``deploy`` and the server: ``state.json`` says what should serve, the server
watches it and says in ``server.json`` what does. A lock that dies with the server tells the living from the dead.
"""

from __future__ import annotations

import time
from pathlib import Path

from modelyard.errors import ModelyardError
from modelyard.files import sha256_of, write_whole
from modelyard.manifests.schema import Environment
from modelyard.rollout.plan import Action, Live
from modelyard.serving.layout import Layout, ModelState, State
from modelyard.targets.interface import Health, Package

SWITCH_SECONDS = 30.0


class LocalTarget:
    """One environment on this machine."""

    def __init__(self, environment: Environment, root: Path) -> None:
        self._name = environment.name
        self._layout = Layout.of(root, environment.name, environment.folder)

    def observe(self) -> dict[str, Live]:
        """What is laid out, whether or not a server is up to serve it."""
        models = self._layout.read_state().models
        return {name: Live(model.serving or None, dict(model.installed)) for name, model in models.items()}

    def health(self, model: str, version: str) -> Health:
        """What the server itself says it serves."""
        if not self._layout.server_is_up():
            return Health("down", f"no server runs; start one with: modelyard serve --env {self._name}")
        report = self._layout.read_report()
        if report.serving.get(model) == version:
            return Health("healthy")
        return Health("failed", report.faults.get(model, f"the server still serves {report.serving.get(model)}"))

    def apply(self, action: Action, package: Package) -> None:
        """Installs, switches or removes; a switch is undone when the running server cannot load the version."""
        state = self._layout.read_state()
        before = state.models.get(package.model, ModelState())
        installed = dict(before.installed)
        if action.do == "install":
            self._install(package)
            installed[package.version] = package.sha256
            self._layout.write_state(state.with_model(package.model, ModelState(before.serving, installed)))
        elif action.do == "remove":
            import shutil

            installed.pop(action.version, None)
            self._layout.write_state(state.with_model(package.model, ModelState(before.serving, installed)))
            shutil.rmtree(self._layout.version_folder(package.model, action.version), ignore_errors=True)
        else:
            self._layout.write_state(state.with_model(package.model, ModelState(action.version, installed)))
            self._wait_until_served(package.model, action.version, state, before)

    def _install(self, package: Package) -> None:
        folder = self._layout.version_folder(package.model, package.version)
        write_whole(folder / "artifact", package.artifact.read_bytes())
        write_whole(folder / "model.yaml", package.manifest)
        if sha256_of(folder / "artifact") != package.sha256:
            import shutil

            shutil.rmtree(folder)
            raise ModelyardError(
                f"The bytes of {package.model} {package.version} changed while they were copied.", "Deploy again."
            )

    def _wait_until_served(self, model: str, version: str, state: State, before: ModelState) -> None:
        deadline = time.monotonic() + SWITCH_SECONDS
        while self._layout.server_is_up():
            report = self._layout.read_report()
            if report.serving.get(model) == version:
                return
            if report.state_read == self._layout.state_stamp() and model in report.faults:
                self._layout.write_state(state.with_model(model, before))
                raise ModelyardError(
                    f"The {self._name} server cannot load {model} {version}: {report.faults[model]}.",
                    "It keeps serving what it served. Register a sound version and deploy that.",
                )
            if time.monotonic() > deadline:
                raise ModelyardError(
                    f"The {self._name} server did not take up {model} {version} within {SWITCH_SECONDS:.0f} s.",
                    "Look at the server's output; deploy again when it answers.",
                )
            time.sleep(0.02)
