"""The locks that runs of CI left: each dvc.lock by its digest, on the evidence branch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from modelyard.checkout.checkout import ModelView
from modelyard.checkout.evidence_store import EvidenceStore


def file_locks(evidence: EvidenceStore, locks: Mapping[str, bytes], commit: str) -> None:
    """Files locks (model → content of its dvc.lock) that a run of CI left when it measured a commit."""
    there = evidence.filed(*(f"{model}/locks/" for model in locks))
    places = {_place(model, lock): model for model, lock in locks.items()}
    new = {place: model for place, model in places.items() if place not in there}
    if new:
        content = json.dumps({"commit": commit}).encode()
        models = ", ".join(sorted(set(new.values())))
        evidence.append(dict.fromkeys(new, content), f"{models}: measured at {commit[:12]}")


def is_foreign_lock(view: ModelView, base: str | None = None) -> bool:
    """Whether no run of CI left the dvc.lock of HEAD: none is filed with its bytes, and no version has it.

    With ``base`` (a revision), a lock that the base has is not foreign: it was merged. A model that was trained
    elsewhere has no foreign lock, because no run of its code makes one.
    """
    git, path = view.checkout.git, f"models/{view.name}/dvc.lock"
    lock = git.file_at("HEAD", path)
    if lock is None or view.manifest.trained == "elsewhere":
        return False
    if base is not None:
        head = git.commit_of("HEAD")
        bases = {git.commit_of(base), git.merge_base(base, head)} - {None}
        if any(git.file_at(commit, path) == lock for commit in bases if commit):
            return False
    digest = hashlib.sha256(lock).hexdigest()
    if any(known.record is not None and known.record.lock == digest for known in view.history.all_versions):
        return False
    return not view.checkout.evidence.filed(_place(view.name, lock))


def _place(model: str, lock: bytes) -> str:
    return f"{model}/locks/{hashlib.sha256(lock).hexdigest()}.json"
