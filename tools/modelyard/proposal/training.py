"""Runs the pipeline and says what it used."""

from __future__ import annotations

import hashlib
from importlib import metadata

from modelyard.errors import ModelyardError
from modelyard.evidence.training import DataInput, Training
from modelyard.git import Git
from modelyard.manifests.pipeline import read_lock
from modelyard.proposal.candidate import Candidate

GENERATED = ("dvc.lock", "metrics.json")
"""Files of a model that retraining writes and git keeps, beside its profile."""

_PACKAGES = ("lightgbm", "numpy", "pandas", "pyarrow", "dvc")


def describe_training(candidate: Candidate, git: Git, reproduced: bool) -> Training:
    """The lineage of the artifact that lies here."""
    name = candidate.model.name
    lock_path = candidate.folder / "dvc.lock"
    if not lock_path.is_file():
        raise ModelyardError(f"{lock_path} is not there.", f"Run: modelyard retrain {name}")
    content = lock_path.read_bytes()
    lock = read_lock(content, f"models/{name}/dvc.lock")
    made = {f"models/{name}/{file}" for file in GENERATED} | {f"models/{name}/{candidate.model.files.profile}"}
    status = git.text("status", "--porcelain", "--untracked-files=no", "--", f"models/{name}", "data")
    return Training(
        commit=git.commit_of("HEAD"),
        changed=tuple(sorted({line[3:] for line in status.splitlines()} - made)),
        lock_sha256=hashlib.sha256(content).hexdigest(),
        artifact_bytes=candidate.artifact.stat().st_size,
        inputs=tuple(DataInput(entry.path, entry.md5) for entry in lock.data(name)),
        params=lock.params,
        packages=installed_packages(),
        reproduced=reproduced,
    )


def installed_packages() -> dict[str, str]:
    """Package → version, of those that make the bytes and are installed here."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
