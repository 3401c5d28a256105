"""Who approved a change, on what they had seen, and by which rules."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RuleResult:
    """One rule that the change's files call for."""

    id: str
    role: str
    needed: int
    by: tuple[str, ...]
    """Whose approval counts."""

    @property
    def met(self) -> bool:
        """Whether there are enough."""
        return len(self.by) >= self.needed


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
