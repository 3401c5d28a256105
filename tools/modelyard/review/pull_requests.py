"""The pull requests that modelyard opens: their files, titles and texts, and the push of their branches."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from modelyard.errors import ModelyardError, Refused
from modelyard.forges.interface import Draft, Pull, PullForge
from modelyard.gate.waivers import WaiverState
from modelyard.git import Git, Push, PushRefused, RefRejected
from modelyard.manifests.approvals import Waiver
from modelyard.manifests.conversion import parse
from modelyard.manifests.deployment import Cleared, Deployment
from modelyard.manifests.repository import deployment_file
from modelyard.report.markdown.safe import table, text

_VERSION_LINE = re.compile(rb"^version:[^\n#]*?(?=\s*(?:#[^\n]*)?$)", re.MULTILINE)
_CLEARED_LINE = re.compile(rb"^  cleared:[^\n]*", re.MULTILINE)
REQUESTED = re.compile(r"^Requested-by: *(\S.*?)\s*$", re.MULTILINE)
_ROLLOUT_LINE = re.compile(rb"^rollout:[^\n{]*$", re.MULTILINE)


@dataclass(frozen=True)
class Proposed:
    """The content of a pull request: files on a branch, title and text."""

    branch: str
    title: str
    body: str
    files: Mapping[str, bytes | None]
    """Path → content; None removes the file."""
    touches: str = "no model is affected"
    """Text of the verdict's status: why there is nothing to evaluate."""
    requested_by: str = ""
    """Who asked for it, whose approval does not count; '' where nobody did."""

    @property
    def message(self) -> str:
        """The message of its commit, which names who asked for it."""
        who = " ".join(self.requested_by.split())
        return f"{self.title}\n\nRequested-by: {who}\n" if who else self.title


@dataclass(frozen=True)
class VersionChange:
    """A change of the desired version of a model in an environment: who asked for it, and why."""

    model: str
    environment: str
    version: str
    who: str
    why: str
    verb: Literal["promote", "rollback", "clear"]


def deployment_change(git: Git, base: str, change: VersionChange) -> Proposed:
    """The pull request that changes a desired version. Refused when main has that version already."""
    model, environment, version = change.model, change.environment, change.version
    file = deployment_file(environment, model)
    content = git.file_at(base, file)
    if content is None:
        before, after = "nothing", f"model: {model}\nversion: {version}\n".encode()
    else:
        before = parse(Deployment, content, file).version
        after = _VERSION_LINE.sub(f"version: {version}".encode(), content, count=1)
    if before == version:
        raise Refused(f"{environment} already has the desired version {version} of {model}.", "No change is needed.")
    if parse(Deployment, after, file).version != version:
        raise ModelyardError(f"The version in {file} could not be changed.", "Edit the file by hand.")
    verb = {"promote": "Promote", "rollback": "Roll back"}[change.verb]
    title = f"{verb} {model} to {version} in {environment}"
    rows = [["model", text(model)], ["environment", text(environment)], ["now", text(before)], ["then", text(version)]]
    body = pull_body(
        f"{text(verb)} {text(model)} in {text(environment)}: {text(before)} → **{text(version)}**",
        f"Requested by {text(change.who)}. {text(change.why)}",
        table(["", ""], rows),
        "The version is deployed.",
        f"{text(environment)} keeps {text(before)}, and this pull request stays open. A closed one is opened"
        " again only on"
        " request.",
    )
    branch = f"modelyard/{change.verb}/{environment}/{model}"
    return Proposed(branch, title, body, {file: after}, requested_by=_person(change))


def clearing_change(git: Git, base: str, change: VersionChange, weight: float) -> Proposed:
    """The pull request that opens the manual gates of a rollout up to ``weight`` percent.

    Refused when they are open.
    """
    model, environment, version = change.model, change.environment, change.version
    file = deployment_file(environment, model)
    content = git.file_at(base, file) or b""
    before = parse(Deployment, content, file).rollout.cleared
    if before and before.version == version and before.weight >= weight:
        raise Refused(f"The gates of {version} are already open up to {before.weight:g} %.", "No change is needed.")
    line = f"  cleared: {{version: {version}, weight: {weight:g}}}".encode()
    if _CLEARED_LINE.search(content):
        after = _CLEARED_LINE.sub(line, content, count=1)
    else:
        after = _ROLLOUT_LINE.sub(rb"\g<0>\n" + line, content, count=1)
    if parse(Deployment, after, file).rollout.cleared != Cleared(version=version, weight=weight):
        raise ModelyardError(
            f"The rollout in {file} could not be changed.", f"Add this line below rollout: {line.decode().strip()}"
        )
    title = f"Clear {model} {version} up to {weight:g} % in {environment}"
    body = pull_body(
        f"Open the gates of {text(model)} {text(version)} up to {weight:g} % in {text(environment)}",
        f"Requested by {text(change.who)}. {text(change.why)}",
        table(["", ""], [["version", text(version)], ["gates open up to", f"{weight:g} %"]]),
        "The rollout takes its next step when the hold time is over and the analysis passes.",
        "The rollout waits at its gate until its deadline. Then it is rolled back.",
    )
    branch = f"modelyard/clear/{environment}/{model}"
    return Proposed(branch, title, body, {file: after}, requested_by=_person(change))


def waiver_change(waiver: Waiver, why: str) -> Proposed:
    """The pull request that adds a waiver. The requester's approval does not count."""
    import json

    lines = [f"{key}: {json.dumps(getattr(waiver, key), ensure_ascii=False)}"
             for key in ("model", "check", "artifact", "reason", "requested_by", "expires")]  # fmt: skip
    file = f"waivers/{waiver.model}-{waiver.check}-{waiver.artifact[:8]}.yaml"
    body = pull_body(
        f"Waive {text(waiver.check)} for {text(waiver.model)} until {text(waiver.expires)}",
        f"Requested by {text(waiver.requested_by)}, whose approval does not count. {text(why)}",
        table(["", ""], [["artifact", f"`{waiver.artifact[:16]}`"], ["reason", text(waiver.reason)]]),
        "This artifact passes this check until that day. No other artifact does.",
        "The check still fails. Close this pull request to refuse the waiver.",
    )
    branch = f"modelyard/waive/{waiver.model}/{waiver.check}"
    title = f"Waive {waiver.check} for {waiver.model} until {waiver.expires}"
    content = "\n".join([*lines, ""]).encode()
    return Proposed(branch, title, body, {file: content}, requested_by=waiver.requested_by)


def expired_change(expired: Sequence[WaiverState]) -> Proposed:
    """The pull request that removes waivers after their last day."""
    rows = [[f"`{w.file}`", text(w.check), text(w.model), text(w.expires)] for w in expired]
    files = "waiver" if len(expired) == 1 else "waivers"
    body = pull_body(
        f"Remove {len(expired)} expired {files}",
        "An expired waiver has no effect, so its file is misleading.",
        table(["file", "check", "model", "last day"], rows),
        "The files are removed. Git's history and the evidence keep what they waived.",
        "The waivers stay without effect, and every report mentions them.",
    )
    dropped: dict[str, bytes | None] = {w.file: None for w in expired}
    return Proposed("modelyard/expired-waivers", f"Remove {len(expired)} expired {files}", body, dropped)


def pull_body(headline: str, why: str, facts: list[str], then: str, otherwise: str) -> str:
    """The text of a pull request of ours: what it does and why, what follows from a merge, and from none."""
    lines = [
        f"## {headline}", "", why, "", *facts, "",
        f"**If it is merged:** {then}", "",
        f"**If nobody acts:** {otherwise}", "",
        "<sub>Opened by modelyard. The next update overwrites edits of this text.</sub>", "",
    ]  # fmt: skip
    return "\n".join(lines)


def open_proposed(
    git: Git, forge: PullForge, base_branch: str, base: str, proposed: Proposed
) -> tuple[Pull, bool, str]:
    """Pushes the branch, and opens or updates its pull request. The pull request, whether it is new, its head.

    A branch with the same changes is not pushed again, so a second run changes nothing.
    """
    head = push_proposed(git, base, proposed)
    pull, new = forge.open_or_refresh(Draft(proposed.branch, base_branch, proposed.title, proposed.body))
    return pull, new, head


def push_proposed(git: Git, base: str, proposed: Proposed) -> str:
    """The head of the branch with the proposed changes, which is pushed unless it has them already.

    In a clone without a remote, which only plain git has, it is a branch of the clone.
    """
    before = remote_head(git, proposed.branch)
    if unchanged(git, before, base, proposed):
        return before
    kept = {path: content for path, content in proposed.files.items() if content is not None}
    head = git.commit_on(base, kept, proposed.message, frozenset(proposed.files.keys() - kept.keys()))
    if git.remote() is None:
        git.set_ref(f"refs/heads/{proposed.branch}", head)
    else:
        push_commit(git, head, proposed.branch, before)
    return head


def _person(change: VersionChange) -> str:
    return "" if change.who == "modelyard" else change.who


def unchanged(git: Git, head: str, base: str, proposed: Proposed) -> bool:
    """Whether a branch at ``head`` ('' for none) has exactly the proposed changes since its merge base with base."""
    if not head:
        return False
    if not git.has_commit(head):
        git.fetch(git.remote() or "origin", head)
    if set(git.changed_files(base, head)) != set(proposed.files):
        return False
    return all(git.file_at(head, path) == content for path, content in proposed.files.items())


def push_commit(git: Git, commit: str, branch: str, expected: str) -> None:
    """Moves a remote branch from ``expected`` ('' for a new branch) to ``commit``.

    ModelyardError when the branch is at another commit, and when the remote refuses the push.
    """
    remote = git.remote()
    if remote is None:
        raise ModelyardError("This clone has no remote, so nothing was pushed.", "Add the remote origin.")
    try:
        git.push(remote, Push(f"refs/heads/{branch}", commit, expected, lease=True))
    except RefRejected as error:
        raise ModelyardError(
            f"The branch {branch} was changed by another push, so nothing was pushed.", "Run the command again."
        ) from error
    except PushRefused as error:
        raise ModelyardError(
            error.problem, f"{error.remedy} In CI the job needs permissions: contents: write, or a MODELYARD_TOKEN."
        ) from error


def remote_head(git: Git, branch: str) -> str:
    """The commit of a remote branch, or of the clone's own where it has no remote; '' for a missing branch."""
    ref, remote = f"refs/heads/{branch}", git.remote()
    if remote is None:
        return git.ref(ref) or ""
    return git.remote_refs(remote, ref).get(ref, "")
