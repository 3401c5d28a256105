"""The approvals of a change: who gave them, for which report, and by which rules."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RuleResult:
    """The result of one approval rule that applies to the change's files."""

    id: str
    role: str
    needed: int
    by: tuple[str, ...]
    """The people whose approvals count."""

    @property
    def met(self) -> bool:
        """Whether enough approvals count."""
        return len(self.by) >= self.needed


@dataclass(frozen=True)
class ApprovalRecord:
    """One merged change, and the judgement of its reviews at registration or deployment."""

    commit: str
    base: str
    """The commit it was merged into. The approval rules are read there."""
    pull: int
    subject: str
    author: str
    report: str
    """sha256 of the report of the head commit; '' without a report."""
    by: tuple[str, ...]
    rules: tuple[RuleResult, ...]
    refused: tuple[str, ...]
    policy_sha256: str
    """sha256 of policies/approvals.yaml at ``base``; '' without that file."""
