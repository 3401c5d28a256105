"""Evidence from production: windows, joined labels, erasures."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct

from modelyard.evidence.verdict import Outcome, Verdict
from modelyard.metrics.window import Monitoring


@dataclass(frozen=True)
class WindowRecord:
    """The predicate of a ``monitoring`` document."""

    monitoring: Monitoring
    verdict: Verdict


class ShownMetric(Struct, frozen=True):
    """A realised metric."""

    name: str
    candidate: float | None


class ShownRealised(Struct, frozen=True):
    """What labels said."""

    labelled: int
    metrics: tuple[ShownMetric, ...]


class ShownMonitoring(Struct, frozen=True):
    """Of a window's measurements, what a list of windows shows."""

    environment: str
    version: str
    since: str
    until: str
    rows: int
    realised: ShownRealised | None
    accepted: dict[str, float]


class ShownCheck(Struct, frozen=True):
    """A watch and what it found."""

    id: str
    level: str
    outcome: Outcome


class ShownVerdict(Struct, frozen=True):
    """The verdict in short."""

    outcome: Outcome
    checks: tuple[ShownCheck, ...]


class ShownWindow(Struct, frozen=True):
    """The same predicate without columns, bins and slices."""

    monitoring: ShownMonitoring
    verdict: ShownVerdict

    @property
    def failed(self) -> tuple[str, ...]:
        """Watches that failed and are not advisory."""
        return tuple(c.id for c in self.verdict.checks if c.outcome in ("fail", "error") and c.level != "advisory")

    def realised(self, metric: str) -> float | None:
        """A metric's realised value, where labels were enough."""
        known = self.monitoring.realised.metrics if self.monitoring.realised else ()
        return next((one.candidate for one in known if one.name == metric), None)


@dataclass(frozen=True)
class Joined:
    """What became of the window's predictions and of the labels. Every one of both is in exactly one count."""

    predictions: int
    """Answered ones, without shadows'."""
    labelled: int
    """Rows of the increment: new, or corrected."""
    corrected: int
    """Of those: rows that an earlier increment holds with another outcome."""
    known: int
    """Rows that an earlier increment holds as they are."""
    repeated: int
    """Predictions whose outcome went to a newer prediction of the same id."""
    waiting: int
    """Predictions without an outcome yet."""
    ground_truth: int
    """As delivered."""
    duplicates: int
    changed: int
    contradicting: int
    """Ids."""
    unreadable: int
    unknown: int
    """Ids of labels for which nothing was predicted in the window."""
    lacking: tuple[str, ...] = ()
    """Inputs that are not in the log as they were sent, for they are personal."""


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
