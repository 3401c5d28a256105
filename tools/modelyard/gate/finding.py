"""What one check found, before levels and waivers."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.gate.verdict import Outcome
from modelyard.measure.intervals import Interval


@dataclass(frozen=True)
class Finding:
    """What a check found, before levels and waivers."""

    outcome: Outcome
    sentence: str
    subject: str = ""
    champion: float | None = None
    candidate: float | None = None
    difference: float | None = None
    interval: Interval | None = None
