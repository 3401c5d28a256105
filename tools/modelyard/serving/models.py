"""The loaded versions of a server. They are replaced as a whole, so no request sees half a change."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from modelyard.errors import ModelyardError
from modelyard.files import sha256_of
from modelyard.flavors.probe import Probe
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.predictions.layout import PROBE, Layout, ServerReport, artifact_in
from modelyard.predictions.writer import Privacy
from modelyard.rollout.plan import Live, Traffic
from modelyard.scoring.probe import ask, require_same
from modelyard.scoring.scorer import LoadedArtifact, try_artifact
from modelyard.scoring.signature import flavor_of, require_host
from modelyard.serving.tensors import ContractCheck


@dataclass(frozen=True)
class LoadedVersion:
    """One version, ready to answer."""

    manifest: Model
    version: str
    sha256: str
    loaded: LoadedArtifact
    probe: str
    """How many probe rows got the registered scores, such as 100/100; '' without probe rows."""
    check: ContractCheck
    privacy: Privacy


@dataclass(frozen=True)
class LoadedModel:
    """One model: its traffic, and every version that can be called by number."""

    traffic: Traffic
    versions: dict[str, LoadedVersion]
    alike: bool = False
    """Whether each request that fits the champion's contract also fits the candidate's."""

    @property
    def serving(self) -> str:
        """The version with the most traffic."""
        return Live(self.traffic).serving or ""


class ModelTable:
    """The served models. ``models`` is replaced, never changed, so a request keeps the versions that it began with."""

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
        """Loads state.json if it changed; returns whether it did. If a version fails, the old one stays."""
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
        gone = [version for model in self.models.values() for version in model.versions.values()]
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
        self._close(gone)
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
        manifest = parse(Model, (folder / "model.yaml").read_bytes(), f"{name}/{version}/model.yaml")
        artifact = artifact_in(folder, manifest.files.artifact)
        if sha256_of(artifact) != sha256:
            raise ModelyardError(
                f"the artifact of {name} {version} has other bytes than the registered ones", "Deploy it again."
            )
        require_host(manifest, "local")
        privacy = Privacy(manifest.contract, self._hash_key)
        if privacy.needs_key and self._hash_key is None:
            raise ModelyardError(
                f"{name} {version} has personal columns to hash, but the environment has no log.hash_key",
                "Add log.hash_key to the environment in modelyard.yaml.",
            )
        if not flavor_of(manifest).checks_files:  # otherwise ``load`` tells an unsafe file
            try_artifact(manifest, artifact, folder)
        loaded = LoadedArtifact.load(manifest, artifact, folder, version, threads=1)
        try:
            probe = _probed(loaded, folder, f"{name} {version}")
        except ModelyardError:
            loaded.close()
            raise
        check = ContractCheck(manifest.contract, self._rows)
        return LoadedVersion(manifest, version, sha256, loaded, probe, check, privacy)

    def close(self) -> None:
        """Ends the versions' processes."""
        for model in self.models.values():
            for version in model.versions.values():
                version.loaded.close()

    def _close(self, before: list[LoadedVersion]) -> None:
        """Ends versions that are no longer served."""
        kept = {id(version) for model in self.models.values() for version in model.versions.values()}
        for version in before:
            if id(version) not in kept:
                version.loaded.close()

    def _report(self, stamp: str) -> None:
        self._stamp = stamp
        models = self.models.items()
        report = ServerReport(
            pid=os.getpid(),
            host=self._host,
            port=self._port,
            started=self._started,
            state_read=stamp,
            traffic={name: model.traffic for name, model in models},
            faults=self.faults,
            probes={name: {v.version: v.probe for v in model.versions.values()} for name, model in models},
        )
        self._layout.write_report(report)


def _probed(loaded: LoadedArtifact, folder: Path, what: str) -> str:
    """The result of the probe rows beside the artifact; ModelyardError when a score differs from the registered one."""
    path = folder / PROBE
    if not path.is_file():
        return ""
    found = ask(loaded, Probe.from_json(msgspec.json.decode(path.read_bytes())))
    require_same(found, what)
    return f"{found.same}/{found.rows}"
