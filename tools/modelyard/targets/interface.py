"""The contract of a target, its settings, and what it keeps on its own objects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

import msgspec
from msgspec import Struct, field

from modelyard.documents import encode
from modelyard.errors import UsageError
from modelyard.manifests.configuration import Environment
from modelyard.manifests.deployment import Analysis, Strategy
from modelyard.rollout.plan import Action, Live, Traffic

if TYPE_CHECKING:  # these take NumPy along, which `status` does without
    from modelyard.flavors.probe import Probe
    from modelyard.ground_truth.labels import GroundTruth
    from modelyard.rollout.analysis import Samples
    from modelyard.scoring.probe import Probed


S = TypeVar("S", bound=Struct)
PREFIX = "modelyard"


class Package(Struct, frozen=True):
    """The bytes of one version, checked, and the manifest they were registered with."""

    model: str
    version: str
    artifact: Path
    sha256: str
    manifest: bytes
    """``model.yaml`` of the version."""
    probe: Probe | None = None
    """Rows and scores that whoever loads it must give; None where none were registered."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Path → content of the model's own scorer, where its flavor has one."""
    packages: dict[str, str] = field(default_factory=dict)
    """Package → version, as they were when the version was measured."""


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

    def probe(self, model: str, version: str, probe: Probe) -> Probed | None:
        """How what serves answers the probe rows; None where it cannot be asked."""

    def samples(
        self, model: str, since: float, analysis: Analysis, ground_truth: GroundTruth | None
    ) -> Mapping[str, Samples]:
        """Version → what it did since a moment (seconds since 1970); empty where the target keeps no such records.

        ``ground_truth`` are what is known by now; None where nobody told.
        """

    def apply(self, model: str, action: Action, package: Package | None) -> None:
        """Makes one action true; doing it again changes nothing. ModelyardError when it could not.

        The package is the version's that an ``install`` lays ready; the other actions need none.
        """


def settings_of(environment: Environment, kind: type[S]) -> S:
    """The environment's ``settings`` as the target's own type; a UsageError that names the key otherwise."""
    try:
        return msgspec.convert(environment.settings, kind)
    except msgspec.ValidationError as error:
        known = ", ".join(msgspec.json.schema(kind)["$defs"][kind.__name__].get("properties", {}))
        raise UsageError(
            f"modelyard.yaml: environments: {environment.name}: settings: {error}.",
            f"The target {environment.target} reads: {known}; see docs/targets.md.",
        ) from error


def write_traffic(traffic: Traffic) -> str:
    """Traffic as text that a label, an annotation or a tag can hold."""
    return encode(traffic, order="sorted").decode()


def read_traffic(text: str | None) -> Traffic | None:
    """The same read back; None for what we did not write."""
    try:
        return msgspec.json.decode(text, type=Traffic) if text else None
    except msgspec.MsgspecError:
        return None
