"""Approvals of a change: the forge's reviews, judged by ``policies/approvals.yaml`` of the base commit."""

from __future__ import annotations

import hashlib
import posixpath

from modelyard.checkout.rules import approvals_at
from modelyard.errors import ModelyardError
from modelyard.evidence.approval import ApprovalRecord
from modelyard.forges.interface import APPROVAL, Change, Forge, PullForge, Status, report_at, shortened
from modelyard.gate.approvals import Approval, Proposal, judge_approvals
from modelyard.git import EMPTY_TREE, Git
from modelyard.manifests.approvals import Approvals
from modelyard.manifests.conversion import parse
from modelyard.manifests.document import ManifestErrors, parse_document
from modelyard.manifests.model import Model
from modelyard.manifests.repository import APPROVALS, model_file
from modelyard.review.pull_requests import REQUESTED
from modelyard.review.subject import Subject


def approval_of_change(git: Git, forge: Forge, change: Change, base: str, more: tuple[str, ...] = ()) -> Approval:
    """The approvals of a merged change, by the rules of the commit ``base`` ('' for none).

    ``more`` are files that the change answers for besides its own.
    """
    files = tuple(dict.fromkeys((*change.files, *more)))
    contribution = change.contribution
    proposal = Proposal(
        author=change.author,
        files=files,
        head=change.head,
        report=change.report,
        requesters=(*_requesters(git, change.commit, change.files), *_asked(contribution.messages)),
        contributors=contribution.people,
        pushers_known=contribution.pushers_known,
    )
    base = base or EMPTY_TREE
    policy = approvals_at(git, base)
    return judge_approvals(
        policy, proposal, change.reviews, _Roles(git, forge, base, change.commit, files, policy).holds
    )


def record_of(git: Git, change: Change, approval: Approval, base: str) -> ApprovalRecord:
    """The record of a merged change and its approvals by the rules of ``base``, for the evidence branch."""
    rules = git.file_at(base, APPROVALS) if base else None
    digest = hashlib.sha256(rules).hexdigest() if rules is not None else ""
    return ApprovalRecord(
        commit=change.commit, base=base, pull=change.pull or 0, subject=change.subject, author=change.author,
        report=change.report, by=approval.by, rules=approval.rules, refused=approval.refused, policy_sha256=digest,
    )  # fmt: skip


def approval_of_pull(git: Git, forge: PullForge, subject: Subject, base: str) -> Approval:
    """The approvals of an open pull request, by the rules of the commit ``base``."""
    pull = subject.pull
    files = tuple(forge.changed_files(pull.number))
    report = report_at(forge.statuses(subject.head))
    contribution = forge.contribution(pull.number)
    proposal = Proposal(
        author=f"@{pull.author}",
        files=files,
        head=subject.head,
        report=report,
        requesters=(*_requesters(git, subject.head, files), *_asked(contribution.messages)),
        contributors=contribution.people,
        pushers_known=contribution.pushers_known,
    )
    policy = approvals_at(git, base)
    roles = _Roles(git, forge, base, subject.head, files, policy)
    return judge_approvals(policy, proposal, forge.reviews(pull.number), roles.holds)


def approval_status(approval: Approval, url: str) -> Status:
    """The commit status ``modelyard/approval``, which branch protection can require."""
    return Status(APPROVAL, "success" if approval.given else "pending", shortened(approval.sentence), url)


class _Roles:
    """The roles of people for one change. Owners are those of the changed models, at the base commit."""

    def __init__(
        self, git: Git, forge: Forge, base: str, head: str, files: tuple[str, ...], policy: Approvals | None
    ) -> None:
        self._forge = forge
        self._named = dict(policy.roles) if policy else {}
        self._owned = (git, base, head, files)
        self._owners: list[str] | None = None
        self._known: dict[tuple[str, str], bool] = {}

    def holds(self, person: str, role: str) -> bool:
        """Whether a person has a role; everybody with write permission is a writer. Each answer is kept."""
        if (person, role) not in self._known:
            self._known[person, role] = self._look(person, role)
        return self._known[person, role]

    def _look(self, person: str, role: str) -> bool:
        if role == "writers":
            return self._forge.permission(person) in ("write", "admin")
        if role == "owners":
            if self._owners is None:
                self._owners = _owners(*self._owned)
            self._named["owners"] = self._owners  # no role of that name in the rules stands in for the manifests'
        members = self._named.get(role)
        if members is None:
            raise ModelyardError(
                f"policies/approvals.yaml uses the role {role!r} but does not declare it.",
                "Declare the role under roles.",
            )
        plain = {member.removeprefix("@").lower() for member in members if "/" not in member}
        if person.removeprefix("@").lower() in plain:
            return True
        return any(self._forge.is_member(person, member) for member in members if "/" in member)


def _asked(messages: tuple[str, ...]) -> tuple[str, ...]:
    """The people for whom a bot made the commits: the lines ``Requested-by: @ada`` of their messages."""
    return tuple(found for message in messages for found in REQUESTED.findall(message))


def _owners(git: Git, base: str, head: str, files: tuple[str, ...]) -> list[str]:
    """The owners, at the base commit, of the models that changed files are about by what stands in them."""
    names: set[str] = set()
    for path in files:
        folder = path.partition("/")[0]
        if folder == "models" and path.count("/") > 1:
            names.add(path.split("/")[1])
        elif folder in ("deployments", "waivers"):
            said = {_named(git, revision, path, "model") for revision in (base, head)} - {""}
            names |= said or {posixpath.splitext(posixpath.basename(path))[0]}
    manifests = [model_file(name) for name in sorted(names)]
    policies = {posixpath.splitext(path)[0].removeprefix("policies/") for path in files if path.startswith("policies/")}
    if policies:
        every = [path for path in git.files_at(base, "models/") if path == model_file(path.split("/")[1])]
        manifests += [path for path in every if path not in manifests and _named(git, base, path, "policy") in policies]
    owners: list[str] = []
    for manifest in manifests:
        content = git.file_at(base, manifest)
        if content is not None:
            try:
                owners += parse(Model, content, manifest).owners
            except ManifestErrors:
                continue
    return owners


def _named(git: Git, revision: str, path: str, field: str) -> str:
    """The name in a field of a file at a revision; '' where there is none."""
    content = git.file_at(revision, path)
    try:
        value = parse_document(content or b"", path).value
    except ManifestErrors:
        return ""
    name = value.get(field) if isinstance(value, dict) else None
    return name if isinstance(name, str) else ""


def _requesters(git: Git, revision: str, files: tuple[str, ...]) -> tuple[str, ...]:
    waivers = [path for path in files if path.startswith("waivers/") and path.endswith(".yaml")]
    found = [_named(git, revision, path, "requested_by") for path in waivers]
    return tuple(name for name in found if name)
