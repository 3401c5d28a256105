"""Who let a change through, on what they had seen, by which rules: what an auditor asks for first."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.gate.approvals import RuleResult


@dataclass(frozen=True)
class ApprovalRecord:
    """One merged change and the judgement on its reviews, as it was made when it was delivered."""

    commit: str
    base: str
    """What it was merged into: the rules are of there."""
    pull: int
    subject: str
    author: str
    report: str
    """sha256 of the report that stood on the head; '' where there was none."""
    by: tuple[str, ...]
    rules: tuple[RuleResult, ...]
    refused: tuple[str, ...]
    policy_sha256: str
    """Of policies/approvals.yaml at ``base``; '' when there was none."""
