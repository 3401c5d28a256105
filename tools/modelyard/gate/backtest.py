"""What a changed policy would have said of past candidates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from modelyard.evidence.bundle import Bundle
from modelyard.evidence.verdict import Outcome
from modelyard.gate.judge import judge
from modelyard.gate.rule_changes import RuleChange
from modelyard.manifests.approvals import Waiver
from modelyard.manifests.document import Document
from modelyard.manifests.policy import Policy

_MAY = ("pass", "waived")


@dataclass(frozen=True)
class Promoted:
    """A version that was registered: its evidence, the verdict it got, and the waivers of that day."""

    version: str
    at: int
    """Seconds since 1970."""
    day: date
    verdict: str
    bundle: Bundle
    waivers: tuple[tuple[str, Waiver], ...] = ()


@dataclass(frozen=True)
class BacktestedVersion:
    """One version judged by the changed policy."""

    model: str
    version: str
    at: int
    before: str
    after: Outcome
    because: tuple[str, ...]
    """Checks that stand in the way now."""

    @property
    def flips(self) -> bool:
        """Whether it would have been decided the other way."""
        return (self.before in _MAY) != (self.after in _MAY)


@dataclass(frozen=True)
class Backtest:
    """A changed policy against the last promotions."""

    policy: str
    versions: tuple[BacktestedVersion, ...]
    """Newest first."""
    changes: tuple[RuleChange, ...]
    """Against the policy in force; which of them loosen is marked."""

    @property
    def flipped(self) -> tuple[BacktestedVersion, ...]:
        """The versions it would decide the other way."""
        return tuple(one for one in self.versions if one.flips)

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        loose = sum(change.loosens for change in self.changes)
        said = f"Of the last {len(self.versions)} versions, {len(self.flipped)} would have been decided the other way"
        return f"{said}; {loose} of {len(self.changes)} changes loosen a rule."


def backtest(policy: Policy, lines: Document, promoted: Iterable[Promoted], changes: Sequence[RuleChange]) -> Backtest:
    """Judges every version again, on the evidence of its day."""
    found = []
    for one in promoted:
        verdict = judge(policy, lines, one.bundle, one.waivers, one.day)
        because = tuple(check.id for check in verdict.checks if check.blocks)
        found.append(BacktestedVersion(one.bundle.model, one.version, one.at, one.verdict, verdict.outcome, because))
    found.sort(key=lambda one: (-one.at, one.model))
    return Backtest(policy.name, tuple(found), tuple(changes))
