"""The evidence of one window: what was measured, and how it was judged."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct

from modelyard.gate.verdict import Outcome, Verdict
from modelyard.measure.monitoring import Monitoring


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
    """What outcomes said."""

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
        """A metric's realised value, where outcomes were enough."""
        known = self.monitoring.realised.metrics if self.monitoring.realised else ()
        return next((one.candidate for one in known if one.name == metric), None)
