"""Stored data that nothing needs: DVC objects, and reports of old pull requests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Literal

from modelyard.checkout.checkout import Checkout
from modelyard.checkout.evidence_store import EvidenceStore
from modelyard.dvc import Dvc
from modelyard.errors import ModelyardError, UsageError
from modelyard.forges.interface import PullForge
from modelyard.git import Git
from modelyard.manifests.pipeline import pointer_outputs, read_lock
from modelyard.registry.history import Registry
from modelyard.registry.storage import StoragePlan, plan_removal

Where = Literal["cache", "remote"]

_PULL = re.compile(r"pulls/(?P<number>\d+)/")


def needed_commits(checkout: Checkout, forge: PullForge | None) -> dict[str, str]:
    """Commit → why its data are kept: a version, a stage tag, the default branch or an open pull request.

    Without a ``forge`` there are no pull requests, so every branch counts as one. UsageError in a shallow clone.
    """
    git, default_branch = checkout.git, checkout.repository.config.default_branch
    if git.is_shallow():
        raise UsageError("This clone is shallow, so the needed data are unknown.", "Run: git fetch --unshallow --tags")
    if remote := git.remote():
        git.fetch_everything(remote)
    found = {git.commit_of("HEAD"): "HEAD"}
    for history in checkout.registry.models.values():
        for version in history.all_versions:
            found.setdefault(version.commit, f"{history.model}@{version.version}")
        for assignment in history.assignments:
            found.setdefault(assignment.commit, assignment.tag)
    for branch, commit in git.branches().items():
        if forge is None or branch in (default_branch, f"{git.remote()}/{default_branch}"):
            found.setdefault(commit, branch)
    for pull in forge.open_pulls() if forge else ():
        found.setdefault(_fetched(git, pull.head), f"pull request {pull.number}")
    return found


def needed_md5s(checkout: Checkout, commits: Iterable[str], say: Callable[[str], None]) -> set[str]:
    """The md5s that dvc.lock and .dvc files of the commits name, and those of files in tracked folders."""
    git, dvc = checkout.git, checkout.dvc
    found: set[str] = set()
    for commit in commits:
        files = {path: sha for path, sha in git.files_at(commit).items() if _is_pointer(path)}
        blobs = git.blobs(files.values())
        for path, sha in files.items():
            if path.endswith(".dvc"):
                found |= {entry.md5 for entry in pointer_outputs(blobs[sha], path)}
            else:
                lock = read_lock(blobs[sha], path)
                found |= {entry.md5 for entry in (*lock.inputs, *lock.outputs)}
    folders = sorted(md5 for md5 in found if md5.endswith(".dir"))
    say(f"Reading the file lists of {len(folders)} data {'folder' if len(folders) == 1 else 'folders'} …")
    for folder in folders:
        try:
            found.update(dvc.members(folder).values())
        except ModelyardError:
            # Without its list, its files would look unneeded. A folder that was never stored has no files to lose.
            if folder in dvc.stored("cache"):
                raise
            say(f"  The list of {folder[:12]} is not stored, so it keeps no files.")
    return found


def plan_collection(dvc: Dvc, where: Where, needed: set[str], before: float) -> StoragePlan:
    """The plan for removing unneeded objects from the cache or the remote."""
    return plan_removal(where, dvc.stored(where), needed, before)


def prunable(checkout: Checkout, open_pulls: set[int], before: float) -> dict[str, int]:
    """Path → pull request of the reports that may be removed from the evidence branch.

    Their pull request is closed, its reports are older than ``before`` (seconds since 1970), and no version or
    deployment came from it.
    """
    git, commit = checkout.git, checkout.evidence.newest()
    if commit is None:
        return {}
    numbers = {path: int(found["number"]) for path in git.files_at(commit, "pulls/") if (found := _PULL.match(path))}
    kept = open_pulls | _delivered(checkout.registry)
    old = {}
    for number in set(numbers.values()) - kept:
        shown = git.history(f"pulls/{number}", at=commit)
        old[number] = bool(shown) and shown[0].at < before
    return {path: number for path, number in numbers.items() if old.get(number)}


def prune(evidence: EvidenceStore, paths: dict[str, int]) -> None:
    """Removes paths from the newest tree of the evidence branch, in one commit."""
    pulls = ", ".join(map(str, sorted(set(paths.values()))))
    evidence.append({}, f"Remove reports of pull requests {pulls}, older than evidence.pull_days", frozenset(paths))


def _is_pointer(path: str) -> bool:
    return path.rpartition("/")[2] == "dvc.lock" or path.endswith(".dvc")


def _fetched(git: Git, commit: str) -> str:
    if not git.has_commit(commit):
        git.fetch(git.remote() or "origin", commit)
    return commit


def _delivered(registry: Registry) -> set[int]:
    found = set()
    for history in registry.models.values():
        records = [version.record for version in history.all_versions] + [one.record for one in history.assignments]
        found |= {record.pull for record in records if record and record.pull}
    return found
