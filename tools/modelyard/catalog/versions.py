"""What versions say about themselves: comparison, lineage, card."""

from __future__ import annotations

from modelyard.checkout.champion import model_history, version_by_name
from modelyard.checkout.evidence_store import filed_documents
from modelyard.errors import ModelyardError
from modelyard.evidence.bundle import read_bundle
from modelyard.evidence.statement import read_statement
from modelyard.evidence.training import Training
from modelyard.git import Git
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.manifests.repository import ModelRepository, model_file
from modelyard.registry.comparison import VersionDifference, compare_versions
from modelyard.registry.history import RegisteredVersion, read_registry
from modelyard.registry.lineage import Descendant, Lineage, Source, lineage_down, lineage_up
from modelyard.registry.tags import version_tag
from modelyard.report.markdown.card import Card


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


def trace_up(git: Git, model: str, version: str | None) -> Lineage:
    """What made a version (the latest where none is named)."""
    history = model_history(git, model)
    known = version_by_name(history, version) if version else history.latest
    if known is None:
        raise ModelyardError(f"{model} has no version yet.", f"Run: modelyard register {model}")
    record = known.record
    code = git.commit_info(record.code if record and record.code else known.commit)
    sources = [_source(git, known, path, md5) for path, md5 in (record.data if record else {}).items()]
    return lineage_up(history, known, (code.subject, code.author), sources, packages_of(git, model, known))


def trace_down(git: Git, wanted: str) -> list[Descendant]:
    """Which versions were trained on some data."""
    return lineage_down(read_registry(git.tags()).models.values(), wanted)


def card_of(repository: ModelRepository, git: Git, model: str, version: str | None) -> Card:
    """The card of a version (the latest where none is named), in the words its manifest had then."""
    lineage = trace_up(git, model, version)
    known = version_by_name(model_history(git, model), lineage.version)
    manifest = manifest_of(git, model, known) or repository.model(model)
    bundle = read_bundle(model, lineage.artifact, filed_documents(git, model, lineage.artifact))
    return Card(manifest, lineage, bundle)


def _source(git: Git, version: RegisteredVersion, path: str, md5: str) -> Source:
    commits = git.history(f"{path}.dvc", at=version.commit)
    who = f"{commits[0].author}, {commits[0].sha[:7]}: {commits[0].subject}" if commits else ""
    return Source(path, md5, who)
