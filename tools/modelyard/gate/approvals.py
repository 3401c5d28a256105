"""Approvals of a change: which of its reviews count, and whether they are enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from modelyard.evidence.approval import RuleResult
from modelyard.manifests.approvals import APPROVALS, ApprovalRule, Approvals


@dataclass(frozen=True)
class Review:
    """One review, as the forge keeps it."""

    author: str
    outcome: Literal["approved", "rejected", "dismissed", "commented"]
    commit: str
    """The head commit that was reviewed; '' in plain git."""
    at: int
    """Seconds since 1970."""
    bot: bool = False
    report: str = ""
    """sha256 of the report that the reviewer saw; '' without a report."""


@dataclass(frozen=True)
class Proposal:
    """The change that needs approvals."""

    author: str
    files: tuple[str, ...]
    head: str = ""
    report: str = ""
    """sha256 of the current report of the head; '' when no report is due."""
    requesters: tuple[str, ...] = ()
    """People who asked for this change: in a comment, or in a waiver. Their approvals do not count."""
    contributors: tuple[str, ...] = ()
    """People who wrote, committed or pushed its commits. Their approvals do not count."""
    pushers_known: bool = True
    """Whether the forge says who pushed its branch. Otherwise no approval counts."""


@dataclass(frozen=True)
class Approval:
    """The judgement of a change's reviews."""

    rules: tuple[RuleResult, ...]
    refused: tuple[str, ...]
    """Sentences: which approvals do not count, and why."""
    rejected_by: tuple[str, ...] = ()

    @property
    def given(self) -> bool:
        """Whether the change has all approvals that it needs, and no request for changes."""
        return not self.rejected_by and all(rule.met for rule in self.rules)

    @property
    def by(self) -> tuple[str, ...]:
        """The people whose approvals count for any rule."""
        return tuple(dict.fromkeys(name for rule in self.rules for name in rule.by))

    @property
    def sentence(self) -> str:
        """The approvals that were given, or those that are missing, in one line."""
        if self.rejected_by:
            return f"changes requested by {', '.join(self.rejected_by)}"
        missing = [rule for rule in self.rules if not rule.met]
        if missing:
            counts = "; ".join(
                f"{rule.id}: {len(rule.by)} of {rule.needed} approvals by {rule.role}" for rule in missing
            )
            return counts + (f" ({self.refused[0]})" if self.refused else "")
        return f"approved by {', '.join(self.by)}" if self.by else "no approval is required"


def approvers(policy: Approvals | None, files: Sequence[str]) -> tuple[str, ...]:
    """Who must approve a change of files, one entry per rule: ``2 of risk (@grace, @acme/risk)``."""
    found = []
    for rule in policy.rules if policy else []:
        if _applies(rule, tuple(files)):
            members = policy.roles.get(rule.role, []) if policy else []
            found.append(f"{rule.count} of {rule.role}" + (f" ({', '.join(members)})" if members else ""))
    return tuple(dict.fromkeys(found))


def judge_approvals(
    policy: Approvals | None,
    proposal: Proposal,
    reviews: Sequence[Review],
    holds_role: Callable[[str, str], bool],
) -> Approval:
    """The judgement by ``policies/approvals.yaml`` of the base branch; ``holds_role(person, role)`` looks roles up.

    Only the last review of each person counts, and only for the head commit and the report that the person saw: a later
    push or another report voids an approval. A request for changes counts only of people who hold a role that the
    change needs, or may write. A change of approvals.yaml itself needs what every rule asks for.
    """
    last = {review.author: review for review in sorted(reviews, key=lambda r: r.at) if review.outcome != "commented"}
    counting, refused = [], []
    for author, review in last.items():
        if review.outcome != "approved":
            continue
        why = _why_not(review, proposal)
        if why:
            refused.append(f"{author} {why}")
        else:
            counting.append(author)
    rules = [rule for rule in (policy.rules if policy else []) if _applies(rule, proposal.files)]
    results = tuple(
        RuleResult(rule.id, rule.role, rule.count, tuple(who for who in counting if holds_role(who, rule.role)))
        for rule in rules
    )
    if not results:
        results = (RuleResult("any", "anybody", 0, tuple(counting)),)
    roles = {rule.role for rule in rules} | {"writers"}
    rejected = tuple(
        who
        for who, review in last.items()
        if review.outcome == "rejected" and not review.bot and any(holds_role(who, role) for role in sorted(roles))
    )
    return Approval(results, tuple(refused), rejected)


def needs_approval(policy: Approvals | None, files: Sequence[str]) -> bool:
    """Whether any rule applies to a change of these files."""
    return policy is not None and any(_applies(rule, files) for rule in policy.rules)


def _why_not(review: Review, proposal: Proposal) -> str:
    if review.bot:
        return "is a bot"
    if _same(review.author, proposal.author):
        return "is the author"
    if any(_same(review.author, requester) for requester in proposal.requesters):
        return "requested the change"
    if any(_same(review.author, person) for person in proposal.contributors):
        return "committed or pushed to the branch"
    if not proposal.pushers_known:
        return "cannot be told from those who pushed to the branch"
    if proposal.head and review.commit != proposal.head:
        return f"approved {review.commit[:7]}, before the last push"
    if review.report != proposal.report:
        return "approved another report" if review.report else "approved before the first report"
    return ""


def _applies(rule: ApprovalRule, files: Sequence[str]) -> bool:
    return any(path == APPROVALS or fnmatchcase(path, pattern) for path in files for pattern in rule.paths)


def _same(one: str, other: str) -> bool:
    return one.removeprefix("@").lower() == other.removeprefix("@").lower()
