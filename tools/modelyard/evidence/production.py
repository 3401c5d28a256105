"""Evidence from production: monitoring windows, joined labels, erasures."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct

from modelyard.evidence.verdict import Outcome, Verdict
from modelyard.metrics.window import Monitoring


@dataclass(frozen=True)
class WindowRecord:
    """The predicate of a ``monitoring`` document: one window."""

    monitoring: Monitoring
    verdict: Verdict


class ShownMetric(Struct, frozen=True):
    """The value of one realised metric."""

    name: str
    candidate: float | None


class ShownRealised(Struct, frozen=True):
    """Realised quality, by labels."""

    labelled: int
    metrics: tuple[ShownMetric, ...]


class ShownMonitoring(Struct, frozen=True):
    """The measurements that a list of windows shows."""

    environment: str
    version: str
    since: str
    until: str
    rows: int
    realised: ShownRealised | None
    accepted: dict[str, float]


class ShownCheck(Struct, frozen=True):
    """The result of one watch."""

    id: str
    level: str
    outcome: Outcome


class ShownVerdict(Struct, frozen=True):
    """A verdict without sentences."""

    outcome: Outcome
    checks: tuple[ShownCheck, ...]


class ShownWindow(Struct, frozen=True):
    """A window record without columns, bins and slices."""

    monitoring: ShownMonitoring
    verdict: ShownVerdict

    @property
    def failed(self) -> tuple[str, ...]:
        """Ids of the failed watches that are not advisory."""
        return tuple(c.id for c in self.verdict.checks if c.outcome in ("fail", "error") and c.level != "advisory")

    def realised(self, metric: str) -> float | None:
        """The realised value of a metric; None without enough labels."""
        known = self.monitoring.realised.metrics if self.monitoring.realised else ()
        return next((one.candidate for one in known if one.name == metric), None)


@dataclass(frozen=True)
class Joined:
    """How the predictions of a window were joined to labels. Each prediction and each label is in exactly one count."""

    predictions: int
    """Answered predictions, without those of shadow versions."""
    labelled: int
    """Rows of the labelled increment: new or corrected."""
    corrected: int
    """Rows among them that an earlier increment has with another label."""
    known: int
    """Rows that an earlier increment has with the same label."""
    repeated: int
    """Predictions whose label was joined to a newer prediction of the same id."""
    waiting: int
    """Predictions without a label yet."""
    delivered: int
    """Labels as they were delivered."""
    duplicates: int
    changed: int
    contradicting: int
    """Ids with contradicting labels."""
    unreadable: int
    unknown: int
    """Ids of labels without a prediction in the window."""
    lacking: tuple[str, ...] = ()
    """Personal inputs, which the log holds as digests or not at all."""


@dataclass(frozen=True)
class Rewritten:
    """A labelled increment from which rows of the id were removed."""

    path: str
    md5: str
    """md5 of the increment before the removal."""
    rows: int


@dataclass(frozen=True)
class Erasure:
    """The predicate of an ``erasure`` document: the record of an erased id."""

    at: float
    """Seconds since 1970."""
    digest: str
    """HMAC-SHA256 of the id under the prediction log's key; SHA-256 without a key."""
    logs: dict[str, int]
    """Environment → number of predictions erased from its log."""
    waiting: dict[str, int]
    """Environment → number of predictions in a segment that is still open."""
    unreached: tuple[str, ...]
    """Environments whose log modelyard cannot change."""
    increments: tuple[Rewritten, ...]
    trained: tuple[str, ...]
    """Versions that were trained on rows of this id."""
    judged: tuple[str, ...]
    """Versions whose held-out rows contain the id."""
    unknown: tuple[str, ...]
    """Versions whose training data no longer exist."""
    evidence: tuple[str, ...] = ()
    """Files of the append-only evidence branch that contain the id."""

    @property
    def complete(self) -> bool:
        """Whether no known place holds the id once the increments are merged."""
        return not self.unreached and not self.evidence and not any(self.waiting.values())
