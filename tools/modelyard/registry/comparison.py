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
    """One metric of two versions. There is a difference only where both were measured on the same held-out rows."""

    name: str
    before: float | None
    after: float | None
    difference: float | None = None
    """After − before."""
    interval: tuple[float, float] | None = None
    """95 % interval of the paired difference, as it was filed at the registration."""


class VersionDifference(Struct, frozen=True):
    """All differences between two versions: metrics first, then their causes."""

    model: str
    before: Version
    after: Version
    same_bytes: bool
    metrics: tuple[MetricChange, ...]
    measured: str
    """On which held-out rows the metrics were measured, in a sentence or two; '' without metrics."""
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
    metrics, measured = _metrics(before, after)
    return VersionDifference(
        model=model,
        before=before.version,
        after=after.version,
        same_bytes=bool(old.artifact) and old.artifact == new.artifact,
        metrics=metrics,
        measured=measured,
        params=differences(old.params, new.params),
        data=differences(old.data, new.data),
        features=contract_changes(*contracts) if contracts else ("a version without a manifest cannot be compared",),
        environment=differences(*packages),
        files=tuple(files),
    )


def held_out_of(version: RegisteredVersion) -> str:
    """The name of the rows that a version's metrics were measured on."""
    name = version.record.held_out_name if version.record else ""
    return name or f"the rows held out for {version.version}"


def _metrics(before: RegisteredVersion, after: RegisteredVersion) -> tuple[tuple[MetricChange, ...], str]:
    """The metrics of two versions, and the rows they were measured on.

    The comparison that one of the two filed at its registration is used where there is one: it is paired, on the same
    rows. Else the values are those of each registration, and are subtracted only where the held-out rows were the same.
    """
    old, new = before.record or VersionRecord(""), after.record or VersionRecord("")
    names = dict.fromkeys([*old.metrics, *new.metrics])
    if not names:
        return (), ""
    if new.champion == before.version and new.against:
        filed = tuple(_filed(name, new, forward=True) for name in names if name in new.metrics)
        return filed, _on_rows_of(after)
    if old.champion == after.version and old.against:
        filed = tuple(_filed(name, old, forward=False) for name in names if name in old.metrics)
        return filed, _on_rows_of(before)
    same = before.version == after.version or (bool(old.held_out) and old.held_out == new.held_out)
    own = tuple(_own(name, old.metrics.get(name), new.metrics.get(name), same) for name in names)
    if same:
        return own, f"Both were measured on {held_out_of(after)}, at their own registrations."
    return own, (
        f"{before.version} was measured on {held_out_of(before)}, {after.version} on {held_out_of(after)}. These are"
        " different rows, so the values are not subtracted."
    )


def _filed(name: str, record: VersionRecord, forward: bool) -> MetricChange:
    """The change that a version filed against its champion; backward it is seen from the champion's successor."""
    candidate = record.metrics[name]
    if name not in record.against:
        return MetricChange(name, None, candidate) if forward else MetricChange(name, candidate, None)
    difference, low, high = record.against[name]
    champion = round(candidate - difference, 6)
    if forward:
        return MetricChange(name, champion, candidate, difference, (low, high))
    return MetricChange(name, candidate, champion, -difference, (-high, -low))


def _own(name: str, before: float | None, after: float | None, same: bool) -> MetricChange:
    known = same and before is not None and after is not None
    return MetricChange(name, before, after, round((after or 0.0) - (before or 0.0), 6) if known else None)


def _on_rows_of(version: RegisteredVersion) -> str:
    return (
        f"Both were measured on the same rows when {version.version} was registered ({held_out_of(version)});"
        " [95 %] is the interval of the paired difference."
    )
