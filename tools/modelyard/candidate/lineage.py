"""What produced the artifact of this checkout: commit, data, parameters, packages."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from importlib import metadata

from modelyard.candidate.files import Candidate
from modelyard.candidate.workspace import TRACKED
from modelyard.errors import ModelyardError
from modelyard.evidence.training import DataInput, Training
from modelyard.files import small_files
from modelyard.git import Git
from modelyard.manifests.pipeline import read_lock
from modelyard.scoring.scorer import faults_as_errors
from modelyard.scoring.signature import flavor_of, options_of

_PACKAGES = ("pandas", "pyarrow", "dvc")
"""Packages that influence the artifact, in addition to those of the flavor."""


def describe_training(candidate: Candidate, git: Git, reproduced: bool) -> Training:
    """The lineage of the artifact in this checkout."""
    name = candidate.model.name
    lock_path = candidate.folder / "dvc.lock"
    if not lock_path.is_file():
        raise ModelyardError(f"The file {lock_path} does not exist.", f"Run: modelyard retrain {name}")
    content = lock_path.read_bytes()
    lock = read_lock(content, f"models/{name}/dvc.lock", small_files(candidate.folder.parents[1]))
    made = {f"models/{name}/{file}" for file in TRACKED} | {f"models/{name}/{candidate.model.files.profile}"}
    return Training(
        commit=git.commit_of("HEAD"),
        changed=tuple(sorted({*git.uncommitted(f"models/{name}", "data")} - made)),
        lock_sha256=hashlib.sha256(content).hexdigest(),
        artifact_bytes=candidate.artifact.stat().st_size,
        inputs=tuple(DataInput(entry.path, entry.md5) for entry in lock.data(name)),
        params=lock.params,
        packages=installed_packages(candidate),
        reproduced=reproduced,
        elsewhere=not candidate.trained_here,
    )


def installed_packages(candidate: Candidate) -> dict[str, str]:
    """Package → version, of the installed packages that make and score the artifact."""
    flavor = flavor_of(candidate.model)
    with faults_as_errors(flavor, "give its version"):
        found = flavor.versions(options_of(candidate.model, candidate.folder))
    for package in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found.setdefault(package, metadata.version(package))
    return dict(sorted(found.items()))
