"""A claim about a rate, and what was observed of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

Trial = Callable[[np.random.Generator], Sequence[bool]]
"""One simulated run: for each chance there was, whether the event happened."""

UNLIKELY = 0.001


@dataclass(frozen=True)
class Observed:
    """Events among chances."""

    events: int
    chances: int

    @property
    def rate(self) -> float:
        """Share of the chances."""
        return self.events / self.chances if self.chances else 0.0

    @property
    def error(self) -> float:
        """Monte-Carlo standard error of the rate (of (x + 1) / (n + 2), so that it is never 0)."""
        share = (self.events + 1) / (self.chances + 2)
        return float((share * (1 - share) / max(self.chances, 1)) ** 0.5)

    def __str__(self) -> str:
        """The last cell of a line of the table."""
        return f"{self.rate * 100:.1f} ± {self.error * 100:.1f} % |" if self.chances else "said nothing |"


@dataclass(frozen=True)
class Claim:
    """A rule's rate of an event in one situation: false alarms "at most", detections and coverage "at least"."""

    part: str
    what: str
    side: Literal["at most", "at least"]
    nominal: float
    trial: Trial
    runs: int
    """Of the benchmark."""
    few: int
    """Of the test that runs with every change; 0 leaves the claim to the benchmark."""

    def observe(self, runs: int) -> Observed:
        """What that many seeded runs give; the seed is of the claim's words, so that claims do not share chance."""
        rng = np.random.default_rng(zlib.crc32(f"{self.part}: {self.what}".encode()))
        found = [event for _ in range(runs) for event in self.trial(rng)]
        return Observed(int(sum(found)), len(found))

    def refuted(self, observed: Observed) -> bool:
        """Whether chance alone would show this, or worse, less than once in a thousand times (exact binomial)."""
        if self.side == "at most":
            return bool(stats.binom.sf(observed.events - 1, observed.chances, self.nominal) < UNLIKELY)
        return bool(stats.binom.cdf(observed.events, observed.chances, self.nominal) < UNLIKELY)


def row(claim: Claim) -> str:
    """The beginning of its line in the table of docs/measurements.md."""
    wanted = f"{'≤' if claim.side == 'at most' else '≥'} {claim.nominal * 100:.3g} %"
    return f"| {claim.part} | {claim.what} | {wanted} |"
