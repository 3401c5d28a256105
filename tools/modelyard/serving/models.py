"""The versions a server has loaded, replaced as a whole so that no request sees half a change."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from modelyard.errors import ModelyardError
from modelyard.files import sha256_of
from modelyard.flavors.booster import NativeBooster
from modelyard.flavors.lightgbm import LightGBMScorer
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.predictions.layout import Layout, ServerReport
from modelyard.predictions.writer import Privacy
from modelyard.rollout.plan import Live, Traffic
from modelyard.serving.tensors import ContractCheck


@dataclass(frozen=True)
class LoadedVersion:
    """One version, ready to answer."""

    manifest: Model
    version: str
    sha256: str
    scorer: LightGBMScorer
    check: ContractCheck
    privacy: Privacy


@dataclass(frozen=True)
class LoadedModel:
    """One model: who answers what, and every version that can be asked for by number."""

    traffic: Traffic
    versions: dict[str, LoadedVersion]
    alike: bool = False
    """Whether what the champion's contract lets through also keeps the candidate's."""

    @property
    def serving(self) -> str:
        """The version that answers, or most of all does."""
        return Live(self.traffic).serving or ""


class ModelTable:
    """What the server serves now. ``models`` is replaced, never changed, so a request keeps what it began with."""

    def __init__(
        self, layout: Layout, host: str, port: int, maximum_rows: int = 100_000, hash_key: bytes | None = None
    ) -> None:
        self._layout = layout
        self._host, self._port, self._started = host, port, time.time()
        self._rows, self._hash_key = maximum_rows, hash_key
        self._stamp: str | None = None
        self.models: dict[str, LoadedModel] = {}
        self.faults: dict[str, str] = {}
        self.loaded: Callable[[], None] = lambda: None
        """Called after every change."""

    def refresh(self) -> bool:
        """Loads what state.json asks for, when it changed; whether it did. A version that fails leaves the old one."""
        stamp = self._layout.state_stamp()
        if stamp == self._stamp:
            return False
        try:
            wanted = self._layout.read_state().models
        except ModelyardError as error:
            self.faults = dict.fromkeys(self.models, error.problem)
            self._report(stamp)
            return True
        models: dict[str, LoadedModel] = {}
        faults: dict[str, str] = {}
        for name, state in wanted.items():
            before = self.models.get(name)
            try:
                if state.traffic:
                    models[name] = self._load(name, state, state.traffic, before)
            except ModelyardError as error:
                faults[name] = error.problem.rstrip(".")
                if before:
                    models[name] = before
        self.models, self.faults = models, faults
        self.loaded()
        self._report(stamp)
        return True

    def _load(self, name: str, state: Live, traffic: Traffic, before: LoadedModel | None) -> LoadedModel:
        needed = [version for version in (traffic.stable, traffic.candidate) if version]
        versions = {}
        for version, sha256 in state.installed.items():
            known = before.versions.get(version) if before else None
            if known is not None and known.sha256 == sha256:
                versions[version] = known
                continue
            try:
                versions[version] = self._load_version(name, version, sha256)
            except ModelyardError:
                if version in needed:
                    raise
        for version in needed:
            if version not in versions:
                raise ModelyardError(f"{name} {version} is not installed.", "Deploy it again.")
        contracts = [versions[version].manifest.contract for version in needed]
        return LoadedModel(traffic, versions, contracts[0] == contracts[-1])

    def _load_version(self, name: str, version: str, sha256: str) -> LoadedVersion:
        folder = self._layout.version_folder(name, version)
        artifact = folder / "artifact"
        if sha256_of(artifact) != sha256:
            raise ModelyardError(f"the artifact of {name} {version} is not the registered bytes", "Deploy it again.")
        manifest = parse(Model, (folder / "model.yaml").read_bytes(), f"{name}/{version}/model.yaml")
        if manifest.scorer.type != "lightgbm":
            raise ModelyardError(
                f"the local server loads LightGBM models; {name} brings its own command", "Use another target."
            )
        privacy = Privacy(manifest.contract, self._hash_key)
        if privacy.needs_key and self._hash_key is None:
            raise ModelyardError(
                f"{name} {version} has personal columns to hash, and the environment names no log.hash_key",
                "Add log.hash_key to the environment in modelyard.yaml.",
            )
        checked = LightGBMScorer.load(manifest, artifact, threads=1)
        outputs = checked.booster.num_model_per_iteration()
        native = NativeBooster(artifact.read_text(encoding="utf-8"), len(checked.inputs), outputs)
        scorer = replace(checked, booster=native)
        return LoadedVersion(manifest, version, sha256, scorer, ContractCheck(manifest.contract, self._rows), privacy)

    def _report(self, stamp: str) -> None:
        traffic = {name: model.traffic for name, model in self.models.items()}
        self._stamp = stamp
        self._layout.write_report(
            ServerReport(os.getpid(), self._host, self._port, self._started, stamp, traffic, self.faults)
        )
