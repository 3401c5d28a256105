"""The plan for removing stored objects that nothing needs."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Protocol

from msgspec import Struct


class Kept(Protocol):
    """A stored object, such as ``dvc.Stored``."""

    @property
    def size(self) -> int:
        """Its size in bytes."""

    @property
    def since(self) -> float | None:
        """When it was stored, in seconds since 1970; None if not recorded."""


class StoragePlan(Struct, frozen=True):
    """What to remove from one storage, and what stays."""

    where: str
    kept: int
    kept_bytes: int
    young: int
    """Number of unneeded objects that are recent or of unknown age, which a running job may still refer to."""
    remove: tuple[str, ...]
    remove_bytes: int


def plan_removal(where: str, stored: Mapping[str, Kept], needed: Set[str], before: float) -> StoragePlan:
    """Plans to remove objects that are not needed and were stored before a time (seconds since 1970).

    ``stored`` maps md5s to objects; ``needed`` are the md5s that something refers to.
    """
    unneeded = {md5: kept for md5, kept in stored.items() if md5 not in needed}
    old = {md5: kept for md5, kept in unneeded.items() if kept.since is not None and kept.since < before}
    return StoragePlan(
        where,
        len(stored) - len(unneeded),
        sum(kept.size for md5, kept in stored.items() if md5 not in unneeded),
        len(unneeded) - len(old),
        tuple(sorted(old)),
        sum(kept.size for kept in old.values()),
    )
