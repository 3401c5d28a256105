"""The pull request and the commit of a workflow run, by the forge's event, never by the run's output."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from modelyard.candidate.workspace import is_generated
from modelyard.errors import ModelyardError
from modelyard.forges.interface import Pull, PullForge
from modelyard.git import Git

_SHA = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class RunEvent:
    """A completed run, as the forge's event describes it."""

    head: str
    branch: str
    owner: str
    """Owner of the repository with the branch."""
    succeeded: bool
    url: str


@dataclass(frozen=True)
class Subject:
    """The pull request and the commits of a report."""

    pull: Pull
    measured: str
    """The commit that the workflow evaluated."""
    head: str
    """The commit that carries the lock: ``measured``, or the commit that ``push-lock`` added."""
    run: str = ""
    succeeded: bool = True


def read_run(event: dict[str, Any]) -> RunEvent:
    """The run of a ``workflow_run`` event; ModelyardError for another event."""
    run = event.get("workflow_run")
    try:
        assert isinstance(run, dict)  # noqa: S101  a mapping or the except below
        found = RunEvent(
            head=str(run["head_sha"]),
            branch=str(run["head_branch"]),
            owner=str(run["head_repository"]["owner"]["login"]),
            succeeded=run.get("conclusion") == "success",
            url=str(run.get("html_url", "")),
        )
    except (AssertionError, KeyError, TypeError) as error:
        raise ModelyardError(
            "The event is not a workflow_run event.", "Run this command in report.yml, or give --pull NUMBER."
        ) from error
    if not _SHA.fullmatch(found.head):
        raise ModelyardError("The workflow_run event has no valid commit.", "Run the workflow again.")
    return found


def subject_of_run(forge: PullForge, git: Git, event: dict[str, Any]) -> Subject | None:
    """The open pull request of the run; None when it is closed, or when its head has other changes since."""
    run = read_run(event)
    for pull in forge.open_pulls(run.branch, run.owner):
        fetch_head(git, pull)
        if pull.head == run.head or carries_only_generated(git, run.head, pull.head):
            return Subject(pull, run.head, pull.head, run.url, run.succeeded)
    return None


def subject_of_pull(
    forge: PullForge, git: Git, number: int, measured: str | None = None, run: str = ""
) -> Subject | None:
    """A pull request by its number, for CI systems without ``workflow_run``.

    None unless the head is ``measured``, or one commit of generated files on top of it. ``measured`` defaults to the
    head.
    """
    pull = forge.pull(number)
    fetch_head(git, pull)
    measured = measured or pull.head
    if pull.head != measured and not carries_only_generated(git, measured, pull.head):
        return None
    return Subject(pull, measured, pull.head, run)


def fetch_head(git: Git, pull: Pull) -> None:
    """Fetches the head of a pull request, as data to read; nothing is checked out."""
    fetch_commit(git, pull.head, pull.number)


def fetch_commit(git: Git, commit: str, pull: int) -> None:
    """Fetches a commit of a pull request, as data to read. ModelyardError where the remote does not give it."""
    if git.has_commit(commit):
        return
    remote = git.remote()
    if not _SHA.fullmatch(commit) or remote is None:
        raise ModelyardError(f"The head of pull request {pull} cannot be fetched.", "Add the remote origin.")
    git.fetch(remote, commit)


def carries_only_generated(git: Git, measured: str, head: str) -> bool:
    """Whether ``head`` is one commit on top of ``measured`` that changes only locks, metrics and profiles."""
    if not git.has_commit(measured):
        return False
    commit = git.commit_info(head)
    return commit.parents == (measured,) and all(is_generated(path) for path in git.files_of(commit))
