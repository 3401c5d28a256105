"""Versions of models that nobody trained: tags and evidence as register writes them, in a real repository."""

from __future__ import annotations

import hashlib
from pathlib import Path

from modelyard.checkout.checkout import Checkout
from modelyard.checkout.evidence_store import evidence_files
from modelyard.checkout.tags import write_tag
from modelyard.evidence.statement import write_statement
from modelyard.evidence.verdict import Verdict
from modelyard.manifests.names import Version
from modelyard.registry.tags import StageRecord, VersionRecord, stage_tag, version_tag, write_record

from support.yard import IDENTITY, commit_all, git


def opened(folder: Path) -> Checkout:
    """A clone as the tool opens it, as the tests' person."""
    return Checkout(folder, IDENTITY)


def artifact_of(model: str, version: str) -> str:
    """The sha256 that stands for a version's bytes."""
    return hashlib.sha256(f"{model}@{version}".encode()).hexdigest()


def add_version(
    folder: Path, model: str, version: str, *, file: bool = True, at_head: bool = False, **record: object
) -> str:
    """A commit of the model, or HEAD itself with ``at_head``; its tag, and evidence; the tag."""
    if at_head:
        commit = git(folder, "rev-parse", "HEAD")
    else:
        (folder / f"models/{model}/note").write_text(version)
        commit = commit_all(folder, f"{model} {version}")
    checkout = opened(folder)
    number = Version.parse(version)
    assert number is not None
    artifact = artifact_of(model, version)
    parts = {"artifact": artifact, "code": commit, "data": {"data/flights": "1" * 32}, "verdict": "pass", "by": "ada",
             "metrics": {"auc": 0.7 + number.release[1] / 100}, "params": {"train": {"trees": number.release[1]}}}  # fmt: skip
    tag = version_tag(model, number)
    message = write_record(f"Registering artifact {model} version {version}", VersionRecord(**(parts | record)))  # type: ignore[arg-type]
    files: dict[str, bytes] = {}
    if file:
        verdict = Verdict("pass", "standard", "policies/standard.yaml", (), {})
        documents = {"verdict": write_statement("verdict", model, artifact, verdict)}
        files = evidence_files(model, artifact, documents, {"report.md": f"# {tag}\n".encode()})
    write_tag(checkout.model(model), tag, commit, message, files)
    return tag


def add_stage(folder: Path, model: str, version: str, environment: str) -> str:
    """The receipt of a deployment; the tag."""
    checkout = opened(folder)
    view = checkout.model(model)
    tag = stage_tag(model, environment, view.history.last_counter + 1)
    record = StageRecord(version, artifact_of(model, version), "wanted", "ada", ("grace",))
    message = write_record(f"Assigning stage {environment} to artifact {model} version {version}", record)
    write_tag(view, tag, view.version(version).commit, message)
    return tag


def hosted_pair(folder: Path, yard: Path) -> tuple[Path, Path]:
    """Two clones of a bare remote that holds ``yard``."""
    git(folder, "clone", "--quiet", "--bare", str(yard), "remote.git")
    for name in ("one", "two"):
        git(folder, "clone", "--quiet", str(folder / "remote.git"), name)
    return folder / "one", folder / "two"
