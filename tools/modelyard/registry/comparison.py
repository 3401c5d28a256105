"""Differences between two registered versions."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from modelyard.evidence.training import Difference, differences
from modelyard.manifests.model import Contract
from modelyard.manifests.names import Version
from modelyard.registry.history import RegisteredVersion
from modelyard.registry.numbering import contract_changes
from modelyard.registry.tags import VersionRecord


class MetricChange(Struct, frozen=True):
    """One metric of two versions, each measured on the held-out rows of its own registration."""

    name: str
    before: float | None
    after: float | None


class VersionDifference(Struct, frozen=True):
    """All differences between two versions: metrics first, then their causes."""

    model: str
    before: Version
    after: Version
    same_bytes: bool
    metrics: tuple[MetricChange, ...]
    params: tuple[Difference, ...]
    data: tuple[Difference, ...]
    features: tuple[str, ...]
    """Sentences on changes of the contract."""
    environment: tuple[Difference, ...]
    """Packages of the training environment."""
    files: tuple[str, ...]
    """Changed files of the model's folder."""


def compare_versions(
    model: str,
    before: RegisteredVersion,
    after: RegisteredVersion,
    contracts: tuple[Contract, Contract] | None,
    packages: tuple[dict[str, str], dict[str, str]],
    files: Sequence[str],
) -> VersionDifference:
    """Compares two versions. ``contracts`` is None when one of them has no readable manifest at its commit.

    ``packages`` and ``contracts`` are pairs (before, after); ``files`` are the changed files.
    """
    old, new = before.record or VersionRecord(""), after.record or VersionRecord("")
    names = dict.fromkeys([*old.metrics, *new.metrics])
    return VersionDifference(
        model=model,
        before=before.version,
        after=after.version,
        same_bytes=bool(old.artifact) and old.artifact == new.artifact,
        metrics=tuple(MetricChange(name, old.metrics.get(name), new.metrics.get(name)) for name in names),
        params=differences(old.params, new.params),
        data=differences(old.data, new.data),
        features=contract_changes(*contracts) if contracts else ("a version without a manifest cannot be compared",),
        environment=differences(*packages),
        files=tuple(files),
    )
