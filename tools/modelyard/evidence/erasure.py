"""That something was erased, without saying what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rewritten:
    """An increment that held the id."""

    path: str
    md5: str
    """Of the bytes that held it."""
    rows: int


@dataclass(frozen=True)
class Erasure:
    """The predicate of an ``erasure`` document: the tombstone."""

    at: float
    """Seconds since 1970."""
    digest: str
    """Of the id: HMAC-SHA256 under the prediction log's key where there is one, else SHA-256."""
    logs: dict[str, int]
    """Environment → predictions erased from its log."""
    waiting: dict[str, int]
    """Environment → predictions in a segment that is being written."""
    unreached: tuple[str, ...]
    """Environments whose log somebody else keeps."""
    increments: tuple[Rewritten, ...]
    trained: tuple[str, ...]
    """Versions that learnt from rows of this id."""
    judged: tuple[str, ...]
    """Versions whose held-out rows have it."""
    unknown: tuple[str, ...]
    """Versions whose training data are nowhere any more."""
    evidence: tuple[str, ...] = ()
    """Files on the evidence branch, to which things are only added, that name it."""

    @property
    def complete(self) -> bool:
        """Whether nothing that could be reached holds it still, as soon as the increments are merged."""
        return not self.unreached and not self.evidence and not any(self.waiting.values())
