"""A merge alone deploys nothing: approvals are judged again, and a bypassed rule is kept on record."""

from __future__ import annotations

import json
from collections.abc import Iterable

from modelyard.delivery.evidence_branch import append
from modelyard.errors import Refused
from modelyard.evidence.approval import ApprovalRecord
from modelyard.forges.interface import DEPLOY, Change, Forge, Status
from modelyard.gate.approvals import Approval
from modelyard.git import Git
from modelyard.review.approval import approval_of_change, record_of


def require_approved(
    git: Git, forge: Forge, environment: str, model: str, changes: Iterable[Change | None]
) -> tuple[ApprovalRecord, ...]:
    """The approvals of the changes behind a delivery. Refused, and recorded, when one lacks any."""
    given: list[ApprovalRecord] = []
    for change in changes:
        if change is None:
            continue
        approval = approval_of_change(git, forge, change)
        if not approval.given:
            _record(git, forge, environment, model, change, approval)
            what = f"Pull request {change.pull}" if change.pull else f"Commit {change.commit[:12]}"
            raise Refused(
                f"{what} ({change.subject}) was merged without the approvals it needs: {approval.sentence}.",
                f"{model} in {environment} keeps what it serves. Have it approved in a new pull request, or revert it.",
            )
        given.append(record_of(git, change, approval))
    return tuple(given)


def _record(git: Git, forge: Forge, environment: str, model: str, change: Change, approval: Approval) -> None:
    said = {
        "commit": change.commit,
        "pull": change.pull,
        "subject": change.subject,
        "author": change.author,
        "missing": approval.sentence,
        "refused": list(approval.refused),
    }
    content = json.dumps(said, indent=1, sort_keys=True).encode() + b"\n"
    path = f"refused/{environment}/{model}/{change.commit}.json"
    append(git, {path: content}, f"{model} in {environment}: deployment refused, not approved")
    set_status = getattr(forge, "set_status", None)  # plain git keeps no statuses
    if set_status is not None:
        set_status(change.commit, Status(DEPLOY, "failure", f"refused: {approval.sentence}"[:140]))
