"""Runs the pipeline and says what it used."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata

import msgspec

from modelyard.errors import ModelyardError
from modelyard.evidence.training import DataInput, Training
from modelyard.files import write_whole
from modelyard.git import Git
from modelyard.manifests.pipeline import read_lock
from modelyard.measure.profile import Profile
from modelyard.proposal.candidate import Candidate

GENERATED = ("dvc.lock", "metrics.json")
"""Files of a model that retraining writes and git keeps, beside its profile."""

_PACKAGES = ("lightgbm", "numpy", "pandas", "pyarrow", "dvc")


def write_profile(candidate: Candidate) -> Profile:
    """Profiles the training rows into the file that is committed next to the model."""
    profile = candidate.profile(candidate.training())
    write_whole(candidate.folder / candidate.model.files.profile, encode_profile(profile))
    return profile


def encode_profile(profile: Profile) -> bytes:
    """A profile as JSON with one column a line, so that a diff shows which columns changed."""
    columns = [json.dumps(msgspec.to_builtins(c), separators=(",", ":")) for c in profile.columns]
    return (f'{{"rows": {profile.rows}, "columns": [\n' + ",\n".join(columns) + "\n]}\n").encode()


def decode_profile(content: bytes, where: str) -> Profile:
    """A committed profile; ModelyardError when it is not one."""
    try:
        return msgspec.json.decode(content, type=Profile)
    except msgspec.MsgspecError as error:
        raise ModelyardError(
            f"{where} is not a profile: {error}.", "Write it again with: modelyard retrain MODEL"
        ) from error


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
        packages=_versions(),
        reproduced=reproduced,
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
