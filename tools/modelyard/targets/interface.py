"""The interface of a target, its settings, and the note it keeps on its own objects."""

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

if TYPE_CHECKING:  # these import NumPy, which `status` must not
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
    """Probe rows with the scores that every server must give; None if none were registered."""
    files: dict[str, bytes] = field(default_factory=dict)
    """Path → content of the model's own scorer, if its flavor has one."""
    packages: dict[str, str] = field(default_factory=dict)
    """Package → version, from the measurement of the version."""


class Health(Struct, frozen=True):
    """Whether a served version works."""

    state: Literal["healthy", "down", "failed", "unknown"]
    reason: str = ""


class Target(Protocol):
    """One environment of one kind of serving."""

    strategies: tuple[Strategy, ...]
    """The strategies that this target supports."""

    def observe(self) -> dict[str, Live]:
        """The live state of each model; a model that is not there raises nothing."""

    def health(self, model: str, version: str) -> Health:
        """The health of a version."""

    def probe(self, model: str, version: str, probe: Probe) -> Probed | None:
        """The result of the probe rows from the served version; None if the target cannot be asked."""

    def samples(
        self, model: str, since: float, analysis: Analysis, ground_truth: GroundTruth | None
    ) -> Mapping[str, Samples]:
        """Version → its samples since a moment (seconds since 1970); empty if the target keeps no records.

        ``ground_truth`` has the labels that have arrived; None without any source.
        """

    def apply(self, model: str, action: Action, package: Package | None) -> None:
        """Carries out one action. Repeating it changes nothing. ModelyardError when it fails.

        ``install`` needs the package of its version; the other actions need none.
        """


def settings_of(environment: Environment, kind: type[S]) -> S:
    """The environment's ``settings`` as the target's type; a UsageError that names the wrong key."""
    try:
        return msgspec.convert(environment.settings, kind)
    except msgspec.ValidationError as error:
        known = ", ".join(msgspec.json.schema(kind)["$defs"][kind.__name__].get("properties", {}))
        raise UsageError(
            f"modelyard.yaml: environments: {environment.name}: settings: {error}.",
            f"The target {environment.target} has the settings {known}; see docs/targets.md.",
        ) from error


def write_traffic(traffic: Traffic) -> str:
    """Traffic as text for a label, an annotation or a tag."""
    return encode(traffic, order="sorted").decode()


def read_traffic(text: str | None) -> Traffic | None:
    """The traffic in such a text; None for a text that modelyard did not write."""
    try:
        return msgspec.json.decode(text, type=Traffic) if text else None
    except msgspec.MsgspecError:
        return None
