"""The evidence of one window: what was measured, and how it was judged."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.gate.verdict import Verdict
from modelyard.measure.monitoring import Monitoring


@dataclass(frozen=True)
class WindowRecord:
    """The predicate of a ``monitoring`` document."""

    monitoring: Monitoring
    verdict: Verdict
