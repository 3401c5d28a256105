"""Findings, check results and verdicts: the data of every report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from modelyard.metrics.intervals import Interval

Outcome = Literal["pass", "fail", "inconclusive", "waived", "error"]

# Worst first: a verdict has the outcome of its worst check that can block.
SEVERITY: tuple[Outcome, ...] = ("error", "fail", "inconclusive", "waived", "pass")


@dataclass(frozen=True)
class CheckResult:
    """The result of one check. ``sentence`` gives the measured value and the limit."""

    id: str
    kind: str
    level: str
    outcome: Outcome
    sentence: str
    why: str
    """The policy's reason for the check."""
    file: str
    line: int
    subject: str = ""
    """The metric or measure that was judged."""
    champion: float | None = None
    candidate: float | None = None
    difference: float | None = None
    interval: Interval | None = None
    waiver: str = ""
    """The file of the waiver that applies; '' without one."""
    limit: str = ""
    """What the rule allows, with its unit: ``≤ 0.85``, ``margin 0.01``; '' where it is no number."""
    reason: str = ""
    """The finding in a few words for a headline, names in backticks; '' where the sentence has to do."""
    settled_by: str = ""
    """What would decide an inconclusive check; '' where the sentence says it."""
    applicable: bool = True
    """False for a check that needs a champion, on a first version. It does not block, and is not counted as passed."""

    @property
    def blocks(self) -> bool:
        """Whether the result blocks the merge."""
        return self.level != "advisory" and self.outcome in ("error", "fail", "inconclusive")


@dataclass(frozen=True)
class Verdict:
    """The results of all checks of one policy for one candidate."""

    outcome: Outcome
    policy: str
    policy_file: str
    checks: tuple[CheckResult, ...]
    evidence: dict[str, str]
    """Kind → sha256 of the evidence that was judged."""
    notes: tuple[str, ...] = ()
    policy_sha256: str = ""
    """sha256 of the policy's file."""

    @property
    def blocking(self) -> tuple[CheckResult, ...]:
        """The check results that block the merge."""
        return tuple(check for check in self.checks if check.blocks)


def overall(checks: tuple[CheckResult, ...]) -> Outcome:
    """The worst outcome of the checks that can block; ``inconclusive`` for a policy without such checks."""
    return worst([check.outcome for check in checks if check.level != "advisory"], "inconclusive")


def worst(outcomes: Sequence[Outcome], of_none: Outcome = "pass") -> Outcome:
    """The worst of several outcomes; ``of_none`` without any."""
    return next((outcome for outcome in SEVERITY if outcome in outcomes), of_none)


@dataclass(frozen=True)
class Finding:
    """The result of a check before its level and the waivers are applied."""

    outcome: Outcome
    sentence: str
    subject: str = ""
    champion: float | None = None
    candidate: float | None = None
    difference: float | None = None
    interval: Interval | None = None
    limit: str = ""
    reason: str = ""
    settled_by: str = ""
    applicable: bool = True


def named(name: str) -> str:
    """A name in backticks, as reasons have it. Backticks inside become apostrophes."""
    return "`" + name.replace("`", "'") + "`"
