"""The interface of forges, its values, and the change that a merge made."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from modelyard.documents import visible
from modelyard.errors import ModelyardError
from modelyard.gate.approvals import Review
from modelyard.git import CommitInfo, Git

Permission = Literal["none", "read", "write", "admin"]
State = Literal["pending", "success", "failure", "error"]
Reaction = Literal["eyes", "+1", "-1", "confused"]
VERDICT = "modelyard/verdict"
APPROVAL = "modelyard/approval"
DEPLOY = "modelyard/deploy"
PROTECTED_BRANCHES = "the protected branches"
"""Stands in an environment's branches for all that the forge protects."""
LABEL = "modelyard"
"""The label of our issues."""

_DIGEST = re.compile(r"\breport sha256 ([0-9a-f]{64})$")
DESCRIPTION_LIMIT = 140
"""Characters of a commit status that all forges show."""


class UnknownResult(ModelyardError):
    """The result of a request is unknown: the forge may have carried it out."""


@dataclass(frozen=True)
class Change:
    """One merged change of the default branch, with its author and its reviews."""

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
    """sha256 of the report of the head at the merge; '' without a report."""
    contribution: Contribution = field(default_factory=lambda: Contribution())


@dataclass(frozen=True)
class Contribution:
    """The commits of a change, and the people behind them."""

    people: tuple[str, ...] = ()
    """Authors and committers of the commits, and those who pushed them."""
    pushers_known: bool = True
    """False when the forge does not say who pushed the head."""
    commits: frozenset[str] = frozenset()
    """Of a pull request; empty in plain git."""
    messages: tuple[str, ...] = ()


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
    """A pull request to open. Each branch has one, which is updated in place."""

    branch: str
    base: str
    title: str
    body: str


@dataclass(frozen=True)
class Comment:
    """One comment on a pull request; ``ours`` by this token's user."""

    id: int
    body: str
    ours: bool
    url: str = ""


@dataclass(frozen=True)
class Issue:
    """One open issue by this token's user."""

    number: int
    title: str
    body: str
    url: str = ""


@dataclass(frozen=True)
class Status:
    """A commit status. ``at`` is in seconds since 1970; ``ours`` is one by this token's user."""

    context: str
    state: State
    description: str
    url: str = ""
    at: int = 0
    ours: bool = True


@dataclass(frozen=True)
class Measured:
    """The finished jobs that measured a merge request, in the newest pipeline of its head. GitLab alone has them."""

    pull: Pull
    commit: str
    """The commit of the pipeline: the head, or a merge of it into the target."""
    jobs: tuple[int, ...]
    """Several where models name runners."""
    succeeded: bool
    """Whether all of them did."""
    url: str
    """The page of the newest job, as the forge gives it."""


@dataclass(frozen=True)
class ForgeEnvironment:
    """An environment of a forge, which has secrets and variables of its own and decides which jobs enter."""

    name: str
    branches: frozenset[str] | None
    """Patterns of the branches whose jobs may enter; None: any job of the repository, also of a pull request."""
    reviewed: bool = False
    """Whether a person must let each job in."""
    secrets: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    """Names of both, as far as the token may list them."""


@dataclass(frozen=True)
class ForgeSettings:
    """What a forge is set to, as far as its token may ask."""

    default_branch: str
    required: frozenset[str] | None
    """Contexts of the statuses that a merge into the default branch needs; None where that is not known."""
    secrets: frozenset[str]
    """Names of the secrets or variables that the CI's jobs get. Their values are not asked for."""
    every_secret: bool
    """Whether those are all of them; False where the token may not list them, or not those of the organisation."""
    exposed: frozenset[str] = frozenset()
    """GitLab: those of them that pipelines of branches get which are not protected, so of merge requests."""
    variables_by: str = ""
    """GitLab: the least role whose pipelines may be given variables; '' where that is not known."""
    variables: frozenset[str] | None = None
    """GitHub: names of the variables of the repository and its organisation; None where the token may not list them."""
    environments: tuple[ForgeEnvironment, ...] | None = None
    """GitHub: None where the token may not list them."""
    everywhere: frozenset[str] = frozenset()
    """GitLab: those of them that every job gets, because their environment scope is ``*``."""
    forks_run_here: bool = False
    """GitLab: whether a pipeline of a fork's merge request may run in this project."""


class Forge(Protocol):
    """Where changes are reviewed. Plain git has no more than this."""

    def change_of(self, commit: str, parent: str = "") -> Change:
        """The change of one commit of the default branch; ``parent`` was its head before, '' for the first parent."""

    def is_member(self, handle: str, team: str) -> bool:
        """Whether a person is a member of ``@organisation/team``."""

    def permission(self, handle: str) -> Permission:
        """The permission of a person in this repository."""


class PullForge(Forge, Protocol):
    """A forge with pull requests: GitHub or GitLab."""

    comment_limit: int
    """Largest number of characters in a comment."""
    measured_by: str
    """The file of the repository by which this forge's own CI measures pull requests."""

    def pull(self, number: int) -> Pull:
        """One pull request."""

    def pulls_of(self, commit: str) -> list[Pull]:
        """The pull requests that contain a commit, or were merged as that commit."""

    def open_pulls(self, branch: str = "", owner: str = "") -> list[Pull]:
        """Open pull requests from a branch of this repository, or of ``owner``'s fork; '' for all branches."""

    def open_or_refresh(self, draft: Draft) -> tuple[Pull, bool]:
        """The one open pull request of the draft's branch, and whether it is new."""

    def close(self, number: int) -> None:
        """Closes a pull request without a merge."""

    def comments(self, number: int) -> list[Comment]:
        """All comments, oldest first."""

    def write_comment(self, number: int, body: str, marker: str) -> Comment:
        """Updates our comment that begins with ``marker``, or adds one. There are never two."""

    def open_issues(self) -> list[Issue]:
        """The open issues with our label, newest first."""

    def write_issue(self, title: str, body: str, marker: str) -> tuple[Issue, bool]:
        """Updates our open issue that begins with ``marker``, or opens one. The issue, and whether it is new."""

    def close_issue(self, number: int, comment: str) -> None:
        """Adds a last comment, once, and closes the issue."""

    def set_status(self, commit: str, status: Status) -> None:
        """Sets a commit status, unless the newest one of its context is the same."""

    def statuses(self, commit: str) -> list[Status]:
        """All statuses of a commit, newest first."""

    def reviews(self, number: int) -> tuple[Review, ...]:
        """All reviews, oldest first, each with the report of its commit at that time."""

    def contribution(self, number: int) -> Contribution:
        """The commits of a pull request, and who wrote, committed and pushed them."""

    def changed_files(self, number: int) -> list[str]:
        """The paths that a pull request changes, with both names of a rename."""

    def react(self, number: int, comment: int, reaction: Reaction) -> None:
        """Adds a reaction to a comment, once."""

    def raw_url(self, branch: str, path: str) -> str:
        """The URL of a file of a branch, as plain content."""

    def file_url(self, commit: str, path: str) -> str:
        """The URL of the page of a file at a commit; ``#L12`` after it is a line."""

    def measure_again(self, pull: Pull) -> None:
        """Starts the measurement of a pull request's head by ``measured_by``; nothing may be started for a fork."""

    def settings(self) -> ForgeSettings:
        """The default branch, the required statuses and the names of secrets; ModelyardError without an answer."""


class MeasuringForge(PullForge, Protocol):
    """A forge that is asked what its jobs measured, because none of them has a token: GitLab."""

    def measured(self) -> list[Measured]:
        """The finished measuring job of each open merge request, of pipelines in this project alone."""

    def jobs_beside(self, name: str) -> list[int]:
        """The jobs of this process's own pipeline with a name, and those for models on runners."""

    def archive(self, job: int, limit: int) -> bytes | None:
        """The zip archive that a job left; None where it left none. A longer one is cut at ``limit`` + 1 bytes."""


def is_marked(body: str, marker: str) -> bool:
    """Whether a comment or an issue begins with a marker. A marker further down was quoted or forged."""
    return body == marker or body.replace("\r\n", "\n").startswith(f"{marker}\n")


def verdict_status(state: State, summary: str, report: str, url: str) -> Status:
    """The commit status of a verdict. Its description ends with the sha256 of the report; '' adds none.

    ``summary`` may hold names from evidence: it becomes one visible line, in which nothing reads as such a sha256.
    """
    summary = visible(" ".join(summary.split())).replace("sha256", "sha-256")
    tail = f" · report sha256 {report}" if report else ""
    return Status(VERDICT, state, shortened(summary, DESCRIPTION_LIMIT - len(tail)) + tail, url)


def shortened(sentence: str, limit: int = DESCRIPTION_LIMIT) -> str:
    """A sentence of at most ``limit`` characters; a longer one is cut and ends with an ellipsis."""
    return sentence if len(sentence) <= limit else sentence[: limit - 1] + "…"


def report_at(statuses: Iterable[Status], at: int | None = None) -> str:
    """sha256 of a commit's report, now or at a time; '' without one. Only our own statuses count."""
    for status in statuses:
        if status.context == VERDICT and status.ours and (at is None or status.at <= at):
            found = _DIGEST.search(status.description)
            return found[1] if found else ""
    return ""


def merged_change(git: Git, forge: PullForge, commit: CommitInfo, parent: str = "") -> Change:
    """The change of one commit of main. A commit without a pull request has no reviews."""
    files = changed_from(git, commit, parent)
    pulls = forge.pulls_of(commit.sha)
    pull = next((p for p in pulls if p.state == "merged" and p.merge_commit == commit.sha), None)
    if pull is None:
        return Change(commit=commit.sha, subject=commit.subject, author=commit.author, files=files, reviews=())
    report = report_at(forge.statuses(pull.head))
    reviews = forge.reviews(pull.number)
    return Change(
        commit=commit.sha, subject=pull.title, author=f"@{pull.author}", files=files, reviews=reviews,
        pull=pull.number, head=pull.head, report=report, contribution=forge.contribution(pull.number),
    )  # fmt: skip


def changed_from(git: Git, commit: CommitInfo, parent: str) -> tuple[str, ...]:
    """The files of a commit that differ from those of a parent; '' for its first one."""
    turned = parent not in ("", *commit.parents[:1])
    return tuple(git.differing_files(parent, commit.sha) if turned else git.files_of(commit))
