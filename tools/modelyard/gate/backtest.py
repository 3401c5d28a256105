"""The backtest of a changed policy: its verdicts on registered versions."""

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

_MERGEABLE = ("pass", "waived")


@dataclass(frozen=True)
class Promoted:
    """A registered version: its evidence, its verdict, and the waivers of its day."""

    version: str
    at: int
    """Seconds since 1970."""
    day: date
    verdict: str
    bundle: Bundle
    waivers: tuple[tuple[str, Waiver], ...] = ()


@dataclass(frozen=True)
class BacktestedVersion:
    """The result for one version."""

    model: str
    version: str
    at: int
    before: str
    after: Outcome
    because: tuple[str, ...]
    """Checks that block under the changed policy."""

    @property
    def flips(self) -> bool:
        """Whether the changed policy decides the other way."""
        return (self.before in _MERGEABLE) != (self.after in _MERGEABLE)


@dataclass(frozen=True)
class Backtest:
    """The results for the last versions."""

    policy: str
    versions: tuple[BacktestedVersion, ...]
    """Newest first."""
    changes: tuple[RuleChange, ...]
    """Differences from the policy in force."""

    @property
    def flipped(self) -> tuple[BacktestedVersion, ...]:
        """The versions that the changed policy decides the other way."""
        return tuple(one for one in self.versions if one.flips)

    @property
    def counted(self) -> str:
        """The change in numbers: ``2 looser, 1 stricter; 1 of the last 10 versions would flip``."""
        loose = sum(change.loosens for change in self.changes)
        return (
            f"{loose} looser, {len(self.changes) - loose} stricter; {len(self.flipped)} of the last"
            f" {len(self.versions)} versions would flip"
        )

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        loose = sum(change.loosens for change in self.changes)
        flips = (
            f"The changed policy decides {len(self.flipped)} of the last {len(self.versions)} versions the other way"
        )
        return f"{flips}; {loose} of {len(self.changes)} changes loosen a rule."


def backtest(policy: Policy, lines: Document, promoted: Iterable[Promoted], changes: Sequence[RuleChange]) -> Backtest:
    """The verdicts of ``policy`` on every version, by its evidence and its waivers."""
    found = []
    for one in promoted:
        verdict = judge(policy, lines, one.bundle, one.waivers, one.day)
        because = tuple(check.id for check in verdict.checks if check.blocks)
        found.append(
            BacktestedVersion(
                model=one.bundle.model, version=one.version, at=one.at, before=one.verdict, after=verdict.outcome,
                because=because,
            )
        )  # fmt: skip
    found.sort(key=lambda one: (-one.at, one.model))
    return Backtest(policy.name, tuple(found), tuple(changes))
