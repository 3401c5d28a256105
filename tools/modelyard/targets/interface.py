"""The contract of a target, and how one is found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

from modelyard.errors import ModelyardError, near_match
from modelyard.manifests.configuration import Environment
from modelyard.manifests.deployment import Analysis, Strategy
from modelyard.rollout.plan import Action, Live
from modelyard.secrets.interface import Secrets

if TYPE_CHECKING:
    from modelyard.outcomes.known import Outcomes
    from modelyard.rollout.analysis import Samples


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

    strategies: tuple[Strategy, ...]
    """How traffic can move here."""

    def observe(self) -> dict[str, Live]:
        """What every model's live state is now; never raises for a model that is not there."""

    def health(self, model: str, version: str) -> Health:
        """Whether a version works."""

    def samples(self, model: str, since: float, analysis: Analysis, outcomes: Outcomes | None) -> Mapping[str, Samples]:
        """Version → what it did since a moment (seconds since 1970); empty where the target keeps no such records.

        ``outcomes`` are what is known by now; None where nobody told.
        """

    def apply(self, model: str, action: Action, package: Package | None) -> None:
        """Makes one action true; doing it again changes nothing. ModelyardError when it could not.

        The package is the version's that an ``install`` lays ready; the other actions need none.
        """


def open_target(environment: Environment, root: Path, secrets: Secrets) -> Target:
    """The target of an environment, by the entry point that its manifest names."""
    if environment.target == "local":  # without the scan of every installed package that entry points cost
        from modelyard.targets.local import LocalTarget

        return LocalTarget(environment, root, secrets)
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group="modelyard.targets")}
    if environment.target not in found:
        raise ModelyardError(
            f"Environment {environment.name} asks for the target {environment.target!r}, which is not installed.",
            near_match(environment.target, found),
        )
    target: Target = found[environment.target].load()(environment, root, secrets)
    return target
