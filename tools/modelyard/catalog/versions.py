"""Comparison, lineage and cards of registered versions."""

from __future__ import annotations

from modelyard.checkout.artifacts import packages_of, require_manifest
from modelyard.checkout.checkout import ModelView
from modelyard.errors import ModelyardError
from modelyard.evidence.bundle import read_bundle
from modelyard.git import Git
from modelyard.manifests.model import Model
from modelyard.registry.comparison import VersionDifference, compare_versions
from modelyard.registry.history import RegisteredVersion
from modelyard.registry.lineage import Lineage, Source, lineage_up
from modelyard.report.markdown.card import Card


def compare(view: ModelView, before: str, after: str) -> VersionDifference:
    """The differences between two registered versions, withdrawn or not."""
    git, model = view.checkout.git, view.name
    old, new = view.version(before), view.version(after)
    manifests = manifest_of(view, old), manifest_of(view, new)
    contracts = (manifests[0].contract, manifests[1].contract) if manifests[0] and manifests[1] else None
    folder = f"models/{model}"
    changed = git.differing_files(old.commit, new.commit, folder)
    packages = packages_of(view, old), packages_of(view, new)
    return compare_versions(model, old, new, contracts, packages, changed)


def manifest_of(view: ModelView, version: RegisteredVersion) -> Model | None:
    """The manifest at a version's commit; None if it is missing or invalid."""
    try:
        return require_manifest(view, version)[0]
    except ModelyardError:
        return None  # written for another release of the toolkit


def lineage_of(view: ModelView, version: str | None) -> Lineage:
    """The lineage of a version (None: the latest)."""
    git, history = view.checkout.git, view.history
    known = view.version(version) if version else history.latest
    if known is None:
        raise ModelyardError(f"{view.name} has no version yet.", f"Run: modelyard register {view.name}")
    record = known.record
    code = git.commit_info(record.code if record and record.code else known.commit)
    sources = [_source(git, known, path, md5) for path, md5 in (record.data if record else {}).items()]
    manifest = manifest_of(view, known)
    elsewhere = manifest is not None and manifest.trained == "elsewhere"
    packages = packages_of(view, known)
    return lineage_up(history, known, (code.subject, code.author), sources, packages, elsewhere=elsewhere)


def card_of(view: ModelView, version: str | None) -> Card:
    """The model card of a version (None: the latest), with the manifest of its commit."""
    lineage = lineage_of(view, version)
    manifest = manifest_of(view, view.version(lineage.version)) or view.manifest
    documents = view.checkout.evidence.documents(view.name, lineage.artifact)
    bundle = read_bundle(view.name, lineage.artifact, documents)
    return Card(manifest, lineage, bundle)


def _source(git: Git, version: RegisteredVersion, path: str, md5: str) -> Source:
    commits = git.history(f"{path}.dvc", at=version.commit)
    who = f"{commits[0].author}, {commits[0].sha[:7]}: {commits[0].subject}" if commits else ""
    return Source(path, md5, who)
