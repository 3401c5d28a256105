"""Gathers what two versions of a model say about themselves."""

from __future__ import annotations

from modelyard.delivery.evidence_store import filed_documents
from modelyard.errors import ModelyardError
from modelyard.evidence.statement import read_statement
from modelyard.evidence.training import Training
from modelyard.git import Git
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.manifests.repository import model_file
from modelyard.proposal.champion import model_history, version_by_name
from modelyard.registry.comparison import VersionDifference, compare_versions
from modelyard.registry.history import RegisteredVersion
from modelyard.registry.tags import version_tag


def compare(git: Git, model: str, before: str, after: str) -> VersionDifference:
    """The difference of two registered versions; also of such as were withdrawn."""
    history = model_history(git, model)
    old, new = version_by_name(history, before), version_by_name(history, after)
    manifests = manifest_of(git, model, old), manifest_of(git, model, new)
    contracts = (manifests[0].contract, manifests[1].contract) if manifests[0] and manifests[1] else None
    folder = f"models/{model}"
    changed = git.text("diff", "--name-only", "--no-renames", old.commit, new.commit, "--", folder).splitlines()
    packages = packages_of(git, model, old), packages_of(git, model, new)
    return compare_versions(model, old, new, contracts, packages, changed)


def manifest_of(git: Git, model: str, version: RegisteredVersion) -> Model | None:
    """model.yaml as it was at a version's commit; None where it cannot be read."""
    content = git.file_at(version.commit, model_file(model))
    if content is None:
        return None
    try:
        return parse(Model, content, f"{version_tag(model, version.version)}:{model_file(model)}")
    except ModelyardError:
        return None  # written for another release of the toolkit


def packages_of(git: Git, model: str, version: RegisteredVersion) -> dict[str, str]:
    """Package → version, as the filed training evidence says; empty without it."""
    if version.record is None:
        return {}
    content = filed_documents(git, model, version.record.artifact).get("training")
    if content is None:
        return {}
    try:
        return read_statement(content, "training", Training).predicate.packages
    except ModelyardError:
        return {}
