"""Gathers the lineage of a version."""

from __future__ import annotations

from modelyard.catalog.comparing import packages_of
from modelyard.errors import ModelyardError
from modelyard.git import Git
from modelyard.proposal.champion import model_history, version_by_name
from modelyard.registry.history import RegisteredVersion, read_registry
from modelyard.registry.lineage import Descendant, Lineage, Source, lineage_down, lineage_up


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


def _source(git: Git, version: RegisteredVersion, path: str, md5: str) -> Source:
    commits = git.history(f"{path}.dvc", at=version.commit)
    who = f"{commits[0].author}, {commits[0].sha[:7]}: {commits[0].subject}" if commits else ""
    return Source(path, md5, who)
