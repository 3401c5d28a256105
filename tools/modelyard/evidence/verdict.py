"""Findings, checks and verdicts, as data that every report shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from modelyard.metrics.intervals import Interval

Outcome = Literal["pass", "fail", "inconclusive", "waived", "error"]

# From the worst: the verdict is that of the worst check that can block.
SEVERITY: tuple[Outcome, ...] = ("error", "fail", "inconclusive", "waived", "pass")


@dataclass(frozen=True)
class CheckResult:
    """One rule applied. ``sentence`` says what was found against what was asked."""

    id: str
    kind: str
    level: str
    outcome: Outcome
    sentence: str
    why: str
    """The policy's own reason for the rule."""
    file: str
    line: int
    subject: str = ""
    """The metric or measure that was looked at."""
    champion: float | None = None
    candidate: float | None = None
    difference: float | None = None
    interval: Interval | None = None
    waiver: str = ""
    """The waiver's file, when one applies."""

    @property
    def blocks(self) -> bool:
        """Whether it keeps the candidate from being promoted."""
        return self.level != "advisory" and self.outcome in ("error", "fail", "inconclusive")


@dataclass(frozen=True)
class Verdict:
    """All rules of one policy applied to one candidate."""

    outcome: Outcome
    policy: str
    policy_file: str
    checks: tuple[CheckResult, ...]
    evidence: dict[str, str]
    """Kind → sha256 of the evidence it rests on."""
    notes: tuple[str, ...] = ()
    policy_sha256: str = ""
    """Of the policy's file as it was applied."""

    @property
    def blocking(self) -> tuple[CheckResult, ...]:
        """The checks that stand in the way."""
        return tuple(check for check in self.checks if check.blocks)


def overall(checks: tuple[CheckResult, ...]) -> Outcome:
    """The worst outcome of the checks that can block; a policy without such checks proves nothing."""
    return worst([check.outcome for check in checks if check.level != "advisory"], "inconclusive")


def worst(outcomes: Sequence[Outcome], of_none: Outcome = "pass") -> Outcome:
    """The gravest of them."""
    return next((outcome for outcome in SEVERITY if outcome in outcomes), of_none)


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
