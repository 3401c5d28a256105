"""Which stored bytes nothing needs any more."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Protocol

from msgspec import Struct


class Kept(Protocol):
    """Bytes that are stored; ``dvc.Stored`` is one."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def since(self) -> float | None:
        """Seconds since 1970; None where the storage does not say."""


class StoragePlan(Struct, frozen=True):
    """What would go from one place, and what stays."""

    where: str
    kept: int
    kept_bytes: int
    young: int
    """Unneeded, but stored so recently (or at an unknown time) that a run may be about to name them."""
    remove: tuple[str, ...]
    remove_bytes: int


def plan_removal(where: str, stored: Mapping[str, Kept], needed: Set[str], before: float) -> StoragePlan:
    """``needed``: md5s that something names. Only what is not needed and was stored before a moment goes."""
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
