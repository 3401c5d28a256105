"""The ``bentoml`` target: builds a Bento from each version, and links the one to serve.

BentoML runs in an environment of its own. The user keeps ``bentoml serve <folder>/<model>/current`` running. The
command ``reload`` makes it read the link again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import yaml
from msgspec import Struct

from modelyard.documents import encode
from modelyard.errors import ModelyardError, UsageError
from modelyard.files import write_whole
from modelyard.flavors.probe import Probe
from modelyard.flavors.served import CONTRACT
from modelyard.flavors.signature import Signature
from modelyard.flavors.values import spelled
from modelyard.manifests.configuration import Environment
from modelyard.manifests.deployment import Analysis, Strategy
from modelyard.rollout.plan import Action, Live, Traffic
from modelyard.scoring.probe import Probed, compared
from modelyard.secrets.interface import Secrets
from modelyard.targets.folder import lay_out, pinned
from modelyard.targets.http import Http
from modelyard.targets.interface import Health, Package, settings_of

if TYPE_CHECKING:
    from modelyard.ground_truth.labels import GroundTruth
    from modelyard.rollout.analysis import Samples

_STATE = "modelyard.json"
_SERVICE = '''\
"""Serves one version; rendered by modelyard."""

from __future__ import annotations

from pathlib import Path

import bentoml
from {runtime}.served import Refused, Served

SERVED = Served.open(Path(__file__).parent)


@bentoml.service(name="{name}", resources={{"cpu": "1"}}, traffic={{"timeout": 60}})
class Service:
    """Scores rows that are given column by column, as the contract names them."""

    @bentoml.api
    def predict(self, inputs: dict[str, list]) -> dict:
        """One score for each row, and the version that gave them."""
        try:
            scores = SERVED.answer(inputs)
        except Refused as error:
            raise bentoml.exceptions.InvalidArgument(str(error)) from error
        return {{"model_version": SERVED.signature.version, "scores": scores.tolist()}}
'''


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings: the interpreter with BentoML, and the URL of the service."""

    python: str
    url: str = ""
    reload: tuple[str, ...] = ()


class Kept(Struct, frozen=True):
    """The content of ``modelyard.json``: the built versions and the linked one."""

    live: Live = msgspec.field(default_factory=Live)


class BentoMLTarget:
    """Bentos in a folder of this machine."""

    strategies: tuple[Strategy, ...] = ("all-at-once", "blue-green")

    def __init__(self, environment: Environment, root: Path, secrets: Secrets) -> None:
        self._settings = settings_of(environment, Settings)
        if not environment.folder:
            raise UsageError(
                f"The environment {environment.name} has no folder for its Bentos.",
                "Add folder: to it in modelyard.yaml.",
            )
        self._folder = root / Path(environment.folder).expanduser()

    def observe(self) -> dict[str, Live]:
        """The built versions, and the linked one."""
        return {path.parent.name: _read(path).live for path in sorted(self._folder.glob(f"*/{_STATE}"))}

    def health(self, model: str, version: str) -> Health:
        """Whether the service answers."""
        if not self._settings.url:
            return Health("unknown", "the environment has no url")
        ready = Http(self._settings.url, "BentoML").reachable("/readyz")
        if ready is None:
            return Health("down", f"no answer from {self._settings.url}")
        return Health("healthy") if ready else Health("failed", "the service is not ready")

    def probe(self, model: str, version: str, probe: Probe) -> Probed | None:
        """Scores the probe rows; None if another version answers, or without a url."""
        if not self._settings.url or self.health(model, version).state != "healthy":
            return None
        said = msgspec.json.decode((self._contract(model, version)).read_bytes())
        signature = Signature.from_json(said["signature"])
        columns = probe.columns(signature)
        inputs = {c.name: spelled(c, columns[c.name]) for c in signature.inputs}
        answer = Http(self._settings.url, "BentoML").call("POST", "/predict", {"inputs": inputs})
        if answer["model_version"] != version:
            return None
        return compared(probe, np.array(answer["scores"], dtype=np.float64))

    def _contract(self, model: str, version: str) -> Path:
        return self._folder / model / version / "src" / CONTRACT

    def samples(
        self, model: str, since: float, analysis: Analysis, ground_truth: GroundTruth | None
    ) -> Mapping[str, Samples]:
        """No samples: BentoML keeps none that can be read."""
        return {}

    def apply(self, model: str, action: Action, package: Package | None) -> None:
        """Builds, links or deletes a Bento."""
        folder = self._folder / model
        live = _read(folder / _STATE).live
        installed = dict(live.installed)
        if action.do == "install" and package is not None:
            self._build(folder, package)
            live = Live(live.traffic, {**installed, package.version: package.sha256})
        elif action.do == "remove":
            installed.pop(action.version, None)
            shutil.rmtree(folder / action.version, ignore_errors=True)
            live = Live(live.traffic, installed)
        elif action.traffic is not None:
            self._link(folder, action.traffic)
            live = Live(action.traffic if action.traffic.stable else None, installed)
        write_whole(folder / _STATE, encode(Kept(live), order="sorted"))

    def _build(self, folder: Path, package: Package) -> None:
        # BentoML does not read hidden folders.
        source, target = folder / f"building-{package.version}", folder / package.version
        shutil.rmtree(source, ignore_errors=True)
        runtime = lay_out(source, package)
        name = package.model.lower()
        described = {
            "service": "service:Service", "name": name, "include": ["*"],
            "labels": {"modelyard.version": package.version, "modelyard.sha256": package.sha256[:63]},
            "python": {"packages": pinned(package), "lock_packages": False},
        }  # fmt: skip
        write_whole(source / "service.py", _SERVICE.format(runtime=runtime, name=name).encode())
        write_whole(source / "bentofile.yaml", yaml.safe_dump(described).encode())
        tag = package.version.replace("+", "-")
        self._bento(
            "build", "--version", tag, "--output", "tag", ".", folder=source, store=folder / f"store-{package.version}"
        )
        shutil.rmtree(target, ignore_errors=True)
        (folder / f"store-{package.version}" / "bentos" / name / tag).rename(target)
        shutil.rmtree(folder / f"store-{package.version}")
        shutil.rmtree(source)

    def _bento(self, *arguments: str, folder: Path, store: Path) -> None:
        store.mkdir(parents=True)
        command = [self._settings.python, "-m", "bentoml", *arguments]
        environment = os.environ | {"BENTOML_HOME": str(store), "BENTOML_DO_NOT_TRACK": "True"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
            raise ModelyardError(
                f"BentoML could not build it: {last}",
                f"To see the whole output, run: {self._settings.python} -m bentoml build.",
            )

    def _link(self, folder: Path, traffic: Traffic) -> None:
        link, fresh = folder / "current", folder / ".current"
        version = traffic.candidate if traffic.weight >= 100 else traffic.stable
        fresh.unlink(missing_ok=True)
        if version:
            fresh.symlink_to(version)
            fresh.replace(link)
        else:
            link.unlink(missing_ok=True)
        if self._settings.reload:
            done = subprocess.run(self._settings.reload, capture_output=True, text=True, check=False)
            if done.returncode:
                raise ModelyardError(
                    f"{self._settings.reload[0]} failed: {(done.stderr.strip() or 'no message').splitlines()[-1]}",
                    "Correct settings.reload of the environment in modelyard.yaml.",
                )


def _read(path: Path) -> Kept:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Kept)
    except FileNotFoundError:
        return Kept()
    except (OSError, msgspec.MsgspecError) as error:
        raise ModelyardError(f"{path} cannot be read: {error}.", "Remove the file and deploy again.") from error
