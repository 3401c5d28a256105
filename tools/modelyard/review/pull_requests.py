"""The pull requests the bot opens: commits without a checkout, and a body that says what happens if nobody acts."""

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
_ROLLOUT_LINE = re.compile(rb"^rollout:[^\n{]*$", re.MULTILINE)


@dataclass(frozen=True)
class Proposed:
    """A pull request the bot wants: files on a branch, title and body."""

    branch: str
    title: str
    body: str
    files: Mapping[str, bytes | None]
    """Path → content; None for a file that goes."""
    touches: str = "no model is touched"
    """Why there is nothing to measure: the words beside its verdict."""


@dataclass(frozen=True)
class Wish:
    """A version of a model that somebody wants in an environment, and why."""

    model: str
    environment: str
    version: str
    who: str
    why: str
    verb: Literal["promote", "rollback", "clear"]


def deployment_change(git: Git, base: str, wish: Wish) -> Proposed:
    """Moves a model's desired version in an environment. Refused when main says so already."""
    model, environment, version = wish.model, wish.environment, wish.version
    file = deployment_file(environment, model)
    content = git.file_at(base, file)
    if content is None:
        before, after = "nothing", f"model: {model}\nversion: {version}\n".encode()
    else:
        before = parse(Deployment, content, file).version
        after = _VERSION_LINE.sub(f"version: {version}".encode(), content, count=1)
    if before == version:
        raise Refused(f"main already says {version} for {model} in {environment}.", "There is nothing to change.")
    if parse(Deployment, after, file).version != version:
        raise ModelyardError(f"{file} could not be edited.", "Edit its version by hand.")
    verb = {"promote": "Promote", "rollback": "Roll back"}[wish.verb]
    title = f"{verb} {model} to {version} in {environment}"
    rows = [["model", text(model)], ["environment", text(environment)], ["now", text(before)], ["then", text(version)]]
    body = _body(
        f"{text(verb)} {text(model)} in {text(environment)}: {text(before)} → **{text(version)}**",
        f"Asked for by {text(wish.who)}. {text(wish.why)}",
        table(["", ""], rows),
        "Merging deploys it.",
        f"{text(environment)} keeps {text(before)}; this pull request stays open. Close it and it is not opened again"
        " unless somebody asks.",
    )
    return Proposed(f"modelyard/{wish.verb}/{environment}/{model}", title, body, {file: after})


def clearing_change(git: Git, base: str, wish: Wish, weight: float) -> Proposed:
    """Opens the manual gates of one version's rollout up to a weight. Refused when they are open already."""
    model, environment, version = wish.model, wish.environment, wish.version
    file = deployment_file(environment, model)
    content = git.file_at(base, file) or b""
    before = parse(Deployment, content, file).rollout.cleared
    if before and before.version == version and before.weight >= weight:
        raise Refused(f"main says already that {version} may pass {before.weight:g} %.", "There is nothing to change.")
    line = f"  cleared: {{version: {version}, weight: {weight:g}}}".encode()
    if _CLEARED_LINE.search(content):
        after = _CLEARED_LINE.sub(line, content, count=1)
    else:
        after = _ROLLOUT_LINE.sub(rb"\g<0>\n" + line, content, count=1)
    if parse(Deployment, after, file).rollout.cleared != Cleared(version=version, weight=weight):
        raise ModelyardError(f"{file} could not be edited.", f"Write by hand, below rollout: {line.decode().strip()}")
    title = f"Clear {model} {version} up to {weight:g} % in {environment}"
    body = _body(
        f"Let {text(model)} {text(version)} go beyond {weight:g} % in {text(environment)}",
        f"Asked for by {text(wish.who)}. {text(wish.why)}",
        table(["", ""], [["version", text(version)], ["gates open up to", f"{weight:g} %"]]),
        "The rollout takes its next step when its time and its analysis allow it.",
        "The rollout waits at its gate until its deadline, and then goes back.",
    )
    return Proposed(f"modelyard/clear/{environment}/{model}", title, body, {file: after})


def waiver_change(waiver: Waiver, why: str) -> Proposed:
    """Adds a waiver file. Who asked for it can not approve it."""
    import json

    lines = [f"{key}: {json.dumps(getattr(waiver, key), ensure_ascii=False)}"
             for key in ("model", "check", "artifact", "reason", "requested_by", "expires")]  # fmt: skip
    file = f"waivers/{waiver.model}-{waiver.check}-{waiver.artifact[:8]}.yaml"
    body = _body(
        f"Waive {text(waiver.check)} for {text(waiver.model)} until {text(waiver.expires)}",
        f"Asked for by {text(waiver.requested_by)}, who can not approve it. {text(why)}",
        table(["", ""], [["artifact", f"`{waiver.artifact[:16]}`"], ["reason", text(waiver.reason)]]),
        "Merging lets this one artifact pass this one check until that day. Other bytes are not waived.",
        "The check keeps failing. Close this pull request to refuse the waiver.",
    )
    branch = f"modelyard/waive/{waiver.model}/{waiver.check}"
    title = f"Waive {waiver.check} for {waiver.model} until {waiver.expires}"
    return Proposed(branch, title, body, {file: "\n".join([*lines, ""]).encode()})


def expired_change(expired: Sequence[WaiverState]) -> Proposed:
    """Removes waivers whose last day is past."""
    rows = [[f"`{w.file}`", text(w.check), text(w.model), text(w.expires)] for w in expired]
    files = "waiver" if len(expired) == 1 else "waivers"
    body = _body(
        f"Remove {len(expired)} expired {files}",
        "An expired waiver lets nothing pass any more; its file only misleads.",
        table(["file", "check", "model", "last day"], rows),
        "The files go; git's history and the evidence of what they let pass stay.",
        "They keep not counting, and every report keeps saying so.",
    )
    dropped: dict[str, bytes | None] = {w.file: None for w in expired}
    return Proposed("modelyard/expired-waivers", f"Remove {len(expired)} expired {files}", body, dropped)


def open_proposed(
    git: Git, forge: PullForge, base_branch: str, base: str, proposed: Proposed
) -> tuple[Pull, bool, str]:
    """Pushes the branch and opens or refreshes its one pull request; the pull, whether it is new, its head.

    A branch that holds the same files on the same base is left as it is, so that a second run changes nothing.
    """
    before = remote_head(git, proposed.branch)
    head = before
    if not unchanged(git, before, base, proposed):
        kept = {path: content for path, content in proposed.files.items() if content is not None}
        head = git.commit_on(base, kept, proposed.title, frozenset(proposed.files.keys() - kept.keys()))
        push_commit(git, head, proposed.branch, before)
    pull, new = forge.open_or_refresh(Draft(proposed.branch, base_branch, proposed.title, proposed.body))
    return pull, new, head


def unchanged(git: Git, head: str, base: str, proposed: Proposed) -> bool:
    """Whether a branch at ``head`` ('' for none) holds this very proposal and nothing else."""
    if not head:
        return False
    if not git.has_commit(head):
        git.fetch(git.remote() or "origin", head)
    if set(git.changed_files(base, head)) != set(proposed.files):
        return False
    return all(git.file_at(head, path) == content for path, content in proposed.files.items())


def push_commit(git: Git, commit: str, branch: str, expected: str) -> None:
    """Moves a remote branch from ``expected`` ('' when it is new) to ``commit``.

    ModelyardError when it is elsewhere by now, and when the remote refuses it.
    """
    remote = git.remote()
    if remote is None:
        raise ModelyardError("There is no remote to push to.", "Add the remote origin.")
    try:
        git.push(remote, Push(f"refs/heads/{branch}", commit, expected, lease=True))
    except RefRejected as error:
        raise ModelyardError(f"Somebody pushed to {branch} meanwhile; nothing was pushed.", "Run it again.") from error
    except PushRefused as error:
        raise ModelyardError(
            error.problem, f"{error.remedy} In CI the job needs permissions: contents: write, or a MODELYARD_TOKEN."
        ) from error


def remote_head(git: Git, branch: str) -> str:
    """Where a branch of the remote stands; '' when there is none."""
    ref = f"refs/heads/{branch}"
    return git.remote_refs(git.remote() or "origin", ref).get(ref, "")


def _body(headline: str, why: str, facts: list[str], then: str, otherwise: str) -> str:
    lines = [
        f"## {headline}", "", why, "", *facts, "",
        f"**If it is merged:** {then}", "",
        f"**If nobody acts:** {otherwise}", "",
        "<sub>Opened by modelyard. Edits of this text are overwritten when it is refreshed.</sub>", "",
    ]  # fmt: skip
    return "\n".join(lines)
