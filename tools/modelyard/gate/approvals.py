"""Whether enough of the right people approved a change, after seeing the report it has now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from modelyard.evidence.approval import RuleResult
from modelyard.manifests.approvals import ApprovalRule, Approvals


@dataclass(frozen=True)
class Review:
    """One review as the forge keeps it."""

    author: str
    outcome: Literal["approved", "rejected", "dismissed", "commented"]
    commit: str
    """The head it was given on; '' in plain git."""
    at: int
    """Seconds since 1970."""
    bot: bool = False
    report: str = ""
    """sha256 of the report that stood there at that time; '' when there was none."""


@dataclass(frozen=True)
class Proposal:
    """What is to be approved."""

    author: str
    files: tuple[str, ...]
    head: str = ""
    report: str = ""
    """sha256 of the report that stands on the head now; '' when none is due."""
    requesters: tuple[str, ...] = ()
    """Who asked for a waiver in it: they may not approve it either."""


@dataclass(frozen=True)
class Approval:
    """The judgement on a change's reviews."""

    rules: tuple[RuleResult, ...]
    refused: tuple[str, ...]
    """Sentences: whose approval does not count, and why."""
    rejected_by: tuple[str, ...] = ()

    @property
    def given(self) -> bool:
        """Whether the change may be merged as far as people are concerned."""
        return not self.rejected_by and all(rule.met for rule in self.rules)

    @property
    def by(self) -> tuple[str, ...]:
        """Everybody whose approval counts for a rule."""
        return tuple(dict.fromkeys(name for rule in self.rules for name in rule.by))

    @property
    def sentence(self) -> str:
        """What is there and what is missing, in one line."""
        if self.rejected_by:
            return f"changes requested by {', '.join(self.rejected_by)}"
        missing = [rule for rule in self.rules if not rule.met]
        if missing:
            said = "; ".join(f"{rule.id}: {len(rule.by)} of {rule.needed} by {rule.role}" for rule in missing)
            return said + (f" ({self.refused[0]})" if self.refused else "")
        return f"approved by {', '.join(self.by)}" if self.by else "no approval is required"


def judge_approvals(
    policy: Approvals | None,
    proposal: Proposal,
    reviews: Sequence[Review],
    holds_role: Callable[[str, str], bool],
) -> Approval:
    """Applies ``policies/approvals.yaml`` of the base branch; ``holds_role(person, role)`` knows who is who.

    Of each person the last word counts. It counts for the head it was given on, and for the report that was seen: any
    later push, and any other report, voids it.
    """
    last = {review.author: review for review in sorted(reviews, key=lambda r: r.at) if review.outcome != "commented"}
    counting, refused = [], []
    for author, review in last.items():
        if review.outcome != "approved":
            continue
        why = _why_not(review, proposal)
        if why:
            refused.append(f"{author}: {why}")
        else:
            counting.append(author)
    rules = [rule for rule in (policy.rules if policy else []) if _applies(rule, proposal.files)]
    results = tuple(
        RuleResult(rule.id, rule.role, rule.count, tuple(who for who in counting if holds_role(who, rule.role)))
        for rule in rules
    )
    if not results:
        results = (RuleResult("any", "anybody", 0, tuple(counting)),)
    rejected = tuple(who for who, review in last.items() if review.outcome == "rejected" and not review.bot)
    return Approval(results, tuple(refused), rejected)


def _why_not(review: Review, proposal: Proposal) -> str:
    if review.bot:
        return "a bot"
    if _same(review.author, proposal.author):
        return "the author"
    if any(_same(review.author, requester) for requester in proposal.requesters):
        return "asked for the waiver"
    if proposal.head and review.commit != proposal.head:
        return f"given on {review.commit[:7]}, before the last push"
    if review.report != proposal.report:
        return "given on another report" if review.report else "given before there was a report"
    return ""


def _applies(rule: ApprovalRule, files: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for path in files for pattern in rule.paths)


def _same(one: str, other: str) -> bool:
    return one.removeprefix("@").lower() == other.removeprefix("@").lower()
