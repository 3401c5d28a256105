"""What the tools ask of a forge, the values they get, and what a merge brought."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from modelyard.gate.approvals import Review
from modelyard.git import CommitInfo, Git

Permission = Literal["none", "read", "write", "admin"]
State = Literal["pending", "success", "failure", "error"]
Reaction = Literal["eyes", "+1", "-1", "confused"]
VERDICT = "modelyard/verdict"
APPROVAL = "modelyard/approval"
DEPLOY = "modelyard/deploy"
LABEL = "modelyard"
"""What our issues carry."""

_DIGEST = re.compile(r"\breport sha256 ([0-9a-f]{64})$")
_LIMIT = 140


@dataclass(frozen=True)
class Change:
    """One merged change of the default branch: what it was, who proposed it, who reviewed what."""

    commit: str
    subject: str
    author: str
    """A handle on a forge; a name in plain git."""
    files: tuple[str, ...]
    reviews: tuple[Review, ...]
    pull: int | None = None
    """None for a direct push, and in plain git."""
    head: str = ""
    """The last commit of the pull request."""
    report: str = ""
    """sha256 of the report that stood on the head when it was merged."""


@dataclass(frozen=True)
class Pull:
    """A pull request (GitLab: merge request)."""

    number: int
    title: str
    body: str
    author: str
    head: str
    branch: str
    base: str
    state: Literal["open", "merged", "closed"]
    from_fork: bool
    url: str
    merge_commit: str = ""


@dataclass(frozen=True)
class Draft:
    """A pull request the bot wants to be open: one a branch, refreshed in place."""

    branch: str
    base: str
    title: str
    body: str


@dataclass(frozen=True)
class Comment:
    """One comment on a pull request. ``ours`` when this token's user wrote it."""

    id: int
    body: str
    ours: bool
    url: str = ""


@dataclass(frozen=True)
class Issue:
    """One open issue of ours."""

    number: int
    title: str
    body: str
    url: str = ""


@dataclass(frozen=True)
class Status:
    """A commit status. ``at`` is seconds since 1970; ``ours`` when a bot or this token's user set it."""

    context: str
    state: State
    description: str
    url: str = ""
    at: int = 0
    ours: bool = True


class Forge(Protocol):
    """Where changes are reviewed; plain git offers no more than this."""

    def last_change(self, path: str) -> Change | None:
        """The newest merged change of a path; None when the path was never committed."""

    def change_of(self, commit: str) -> Change:
        """What one commit of the default branch's first-parent line brought."""

    def is_member(self, handle: str, team: str) -> bool:
        """Whether somebody belongs to ``@organisation/team``."""

    def permission(self, handle: str) -> Permission:
        """What somebody may do in this repository."""


class PullForge(Forge, Protocol):
    """GitHub or GitLab."""

    comment_limit: int
    """Characters a comment may have."""

    def pull(self, number: int) -> Pull:
        """One pull request."""

    def pulls_of(self, commit: str) -> list[Pull]:
        """The pull requests that hold a commit, or were merged as it."""

    def open_pulls(self, branch: str = "", owner: str = "") -> list[Pull]:
        """Open pull requests from a branch (of a fork's ``owner``; else of this repository); '' for all of them."""

    def open_or_refresh(self, draft: Draft) -> tuple[Pull, bool]:
        """The one open pull request of the draft's branch, and whether it is new."""

    def close(self, number: int) -> None:
        """Closes a pull request unmerged."""

    def comments(self, number: int) -> list[Comment]:
        """All comments, oldest first."""

    def write_comment(self, number: int, body: str, marker: str) -> Comment:
        """Edits the comment of ours that holds ``marker``, or adds one. Never leaves two."""

    def open_issues(self) -> list[Issue]:
        """The open issues that carry our label, newest first."""

    def write_issue(self, title: str, body: str, marker: str) -> tuple[Issue, bool]:
        """Edits our open issue whose body holds ``marker``, or opens one; whether it is new. Never leaves two."""

    def close_issue(self, number: int, said: str) -> None:
        """Says why in a last comment, and closes an issue; a second time says nothing more."""

    def set_status(self, commit: str, status: Status) -> None:
        """Sets a commit status; the same status again sets nothing."""

    def statuses(self, commit: str) -> list[Status]:
        """Every status ever set on a commit, newest first."""

    def reviews(self, number: int) -> tuple[Review, ...]:
        """All reviews, oldest first, each with the report that stood on its commit when it was given."""

    def changed_files(self, number: int) -> list[str]:
        """Paths a pull request changes, old names included."""

    def react(self, number: int, comment: int, reaction: Reaction) -> None:
        """Answers a comment with a reaction."""

    def raw_url(self, branch: str, path: str) -> str:
        """Where a file of a branch is served as it is."""

    def run_workflow(self, name: str, branch: str, inputs: dict[str, str]) -> None:
        """Starts a pipeline by hand."""


def verdict_status(state: State, said: str, report: str, url: str) -> Status:
    """The commit status of a verdict. Its description ends with the report's digest."""
    tail = f" · report sha256 {report}" if report else ""
    room = _LIMIT - len(tail)
    return Status(VERDICT, state, (said if len(said) <= room else said[: room - 1] + "…") + tail, url)


def report_at(statuses: Iterable[Status], at: int | None = None) -> str:
    """sha256 of the report on a commit, now or at a time; '' when there was none. Others' statuses are not believed."""
    for status in statuses:
        if status.context == VERDICT and status.ours and (at is None or status.at <= at):
            found = _DIGEST.search(status.description)
            return found[1] if found else ""
    return ""


def newest_change(git: Git, forge: PullForge, path: str) -> Change | None:
    """Of the newest commit on main that touched ``path``."""
    history = git.history(path, first_parent=True)
    return merged_change(git, forge, history[0]) if history else None


def merged_change(git: Git, forge: PullForge, commit: CommitInfo) -> Change:
    """Of one commit of main. A commit that no pull request brought has no reviews."""
    files = tuple(git.files_of(commit))
    pulls = forge.pulls_of(commit.sha)
    pull = next((p for p in pulls if p.state == "merged" and p.merge_commit == commit.sha), None)
    if pull is None:
        return Change(commit.sha, commit.subject, commit.author, files, ())
    report = report_at(forge.statuses(pull.head))
    reviews = forge.reviews(pull.number)
    return Change(commit.sha, pull.title, f"@{pull.author}", files, reviews, pull.number, pull.head, report)
