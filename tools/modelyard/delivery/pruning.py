"""Takes what old pull requests showed off the evidence branch's newest tree, by policy. Its history keeps it."""

from __future__ import annotations

import re

from modelyard.delivery.evidence_branch import append, newest
from modelyard.git import Git
from modelyard.registry.history import read_registry

_PULL = re.compile(r"pulls/(?P<number>\d+)/")


def prunable(git: Git, open_pulls: set[int], before: float) -> dict[str, int]:
    """Path → pull request of everything that may go: shown before a moment (seconds since 1970), by a pull request that
    is not open and that no version and no receipt came from. What an approver of a version saw stays.
    """
    commit = newest(git)
    if commit is None:
        return {}
    numbers = {path: int(found["number"]) for path in git.files_at(commit, "pulls/") if (found := _PULL.match(path))}
    kept = open_pulls | _delivered(git)
    old = {}
    for number in set(numbers.values()) - kept:
        shown = git.history(f"pulls/{number}", at=commit)
        old[number] = bool(shown) and shown[0].at < before
    return {path: number for path, number in numbers.items() if old.get(number)}


def prune(git: Git, paths: dict[str, int]) -> None:
    """Takes the paths off, in one commit."""
    pulls = ", ".join(map(str, sorted(set(paths.values()))))
    append(git, {}, f"By policy: what pull requests {pulls} showed leaves the newest tree", frozenset(paths))


def _delivered(git: Git) -> set[int]:
    found = set()
    for history in read_registry(git.tags()).models.values():
        records = [version.record for version in history.ever] + [one.record for one in history.assignments]
        found |= {record.pull for record in records if record and record.pull}
    return found
