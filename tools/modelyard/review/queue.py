"""A merge queue: the merged tree of a pull request, judged once more before it reaches the default branch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.errors import ModelyardError
from modelyard.forges.interface import PullForge
from modelyard.git import Git
from modelyard.review.subject import Subject, fetch_head

_SHA = re.compile(r"[0-9a-f]{40}")
_BRANCH = re.compile(r"refs/heads/gh-readonly-queue/.{1,200}/pr-(\d{1,9})-[0-9a-f]{40}")


@dataclass(frozen=True)
class Queued:
    """One entry of a merge queue."""

    pull: int
    head: str
    """The merged tree's commit. The queue waits for the statuses of this one."""
    base: str
    """The commit that it is merged into: the default branch, or the entry before it in the queue."""


def read_queued(event: Mapping[str, Any]) -> Queued | None:
    """The entry that a ``merge_group`` event is about; None for another event. ModelyardError for an odd one."""
    group = event.get("merge_group")
    if group is None:
        return None
    said = (
        {key: str(group.get(key, "")) for key in ("head_sha", "base_sha", "head_ref")}
        if isinstance(group, dict)
        else {}
    )
    branch = _BRANCH.fullmatch(said.get("head_ref", ""))
    if branch is None or not _SHA.fullmatch(said["head_sha"]) or not _SHA.fullmatch(said["base_sha"]):
        raise ModelyardError(
            "The merge_group event names no pull request or no commit.", "Queue the pull request again."
        )
    return Queued(int(branch[1]), said["head_sha"], said["base_sha"])


def subjects_of_queued(
    forge: PullForge, git: Git, queued: Queued, run: str, succeeded: bool
) -> tuple[Subject, Subject]:
    """The merged tree, which gets the verdict, and the pull request's own head, which was approved."""
    pull = forge.pull(queued.pull)
    fetch_head(git, pull)
    absent = [commit for commit in (queued.base, queued.head) if not git.has_commit(commit)]
    remote = git.remote()
    if absent and remote is None:
        raise ModelyardError("The merged tree cannot be fetched.", "Add the remote origin.")
    if absent and remote is not None:
        git.fetch(remote, *absent)
    merged = Subject(pull, queued.head, queued.head, run, succeeded)
    return merged, Subject(pull, pull.head, pull.head, run)
