"""The locks that runs of CI left: each dvc.lock by its digest, with the code that ran, on the evidence branch."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

import msgspec

from modelyard.candidate.workspace import is_generated
from modelyard.checkout.checkout import ModelView
from modelyard.checkout.evidence_store import EvidenceStore
from modelyard.documents import encode
from modelyard.git import Git

_MOST_FILES = 2_000


class _Left(msgspec.Struct, frozen=True):
    """What was measured when a lock was left: a commit, and the files in which it differed from main."""

    commit: str
    changed: dict[str, str]
    """Path → blob; '' where the file was removed."""


def file_locks(git: Git, evidence: EvidenceStore, locks: Mapping[str, bytes], commit: str, main: str) -> None:
    """Files locks (model → content of its dvc.lock) that a run of CI left when it measured a commit.

    ``main`` is a revision of the default branch. What the commit changed since it left main is filed too: the run was
    as honest as that. A change of more than 2,000 files is not filed, so such a lock is run again. What is filed
    already is not filed again for the commit that brings the lock.
    """
    base = git.merge_base(main, commit)
    changed = [path for path in git.differing_files(base, commit) if _counts(path)] if base else []
    if base is None or len(changed) > _MOST_FILES:
        return
    left = _Left(commit, _blobs(git, commit, changed))
    folders = {_folder(model, lock): model for model, lock in locks.items()}
    for place, content in evidence.filed(*folders).items():
        said = _read(content)
        if said is not None and said.changed == left.changed:
            folders.pop(f"{place.rpartition('/')[0]}/", None)
    if folders:
        new = dict.fromkeys((f"{folder}{commit}.json" for folder in folders), encode(left, order="sorted"))
        evidence.append(new, f"{', '.join(sorted(folders.values()))}: measured at {commit[:12]}")


def is_foreign_lock(view: ModelView, base: str | None = None) -> bool:
    """Whether no run of CI with HEAD's own code left the dvc.lock of HEAD, and no version has it.

    With ``base`` (a revision), a lock that the base has is not foreign: it was merged. A model that was trained
    elsewhere has no foreign lock, because no run of its code makes one. A lock that was left while a proposal had other
    code says nothing: that code may have written it.
    """
    git, path = view.checkout.git, f"models/{view.name}/dvc.lock"
    lock = git.file_at("HEAD", path)
    if lock is None or view.manifest.trained == "elsewhere":
        return False
    if base is not None:
        bases = (git.commit_of(base), git.merge_base(base, "HEAD"))
        if any(commit and git.file_at(commit, path) == lock for commit in bases):
            return False
    digest = hashlib.sha256(lock).hexdigest()
    if any(known.record is not None and known.record.lock == digest for known in view.history.all_versions):
        return False
    return not any(_is_here(git, left) for left in view.checkout.evidence.filed(_folder(view.name, lock)).values())


def _is_here(git: Git, content: bytes) -> bool:
    """Whether HEAD has every file as the measured commit had changed it."""
    left = _read(content)
    return left is not None and _blobs(git, "HEAD", left.changed) == left.changed


def _read(content: bytes) -> _Left | None:
    try:
        return msgspec.json.decode(content, type=_Left)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _blobs(git: Git, revision: str, paths: Collection[str]) -> dict[str, str]:
    """Path → blob at a revision; '' for a file that is not there."""
    there = git.files_at(revision, *paths) if paths else {}
    return {path: there.get(path, "") for path in paths}


def _counts(path: str) -> bool:
    """Whether a file can be run, or can change what runs."""
    return not is_generated(path) and not path.endswith(".md")


def _folder(model: str, lock: bytes) -> str:
    return f"{model}/locks/{hashlib.sha256(lock).hexdigest()}/"
