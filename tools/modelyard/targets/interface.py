"""The contract of a target, and how one is found."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

from msgspec import Struct

from modelyard.errors import ModelyardError
from modelyard.manifests.problems import near_match
from modelyard.manifests.schema import Environment
from modelyard.rollout.plan import Action, Live


class Package(Struct, frozen=True):
    """The bytes of one version, checked, and the manifest they were registered with."""

    model: str
    version: str
    artifact: Path
    sha256: str
    manifest: bytes
    """``model.yaml`` of the version."""


class Health(Struct, frozen=True):
    """Whether what serves works. ``state`` is data that every screen can show."""

    state: Literal["healthy", "down", "failed", "unknown"]
    reason: str = ""


class Target(Protocol):
    """One environment of one kind of serving."""

    def observe(self) -> dict[str, Live]:
        """What every model's live state is now; never raises for a model that is not there."""

    def health(self, model: str, version: str) -> Health:
        """Whether a version answers."""

    def apply(self, action: Action, package: Package) -> None:
        """Makes one action true; doing it again changes nothing. ModelyardError when it could not."""


def open_target(environment: Environment, root: Path) -> Target:
    """The target of an environment, by the entry point that its manifest names."""
    if environment.target == "local":  # without the scan of every installed package that entry points cost
        from modelyard.targets.local import LocalTarget

        return LocalTarget(environment, root)
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group="modelyard.targets")}
    if environment.target not in found:
        raise ModelyardError(
            f"Environment {environment.name} asks for the target {environment.target!r}, which is not installed.",
            near_match(environment.target, found),
        )
    target: Target = found[environment.target].load()(environment, root)
    return target
