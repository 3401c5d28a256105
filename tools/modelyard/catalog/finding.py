"""Every version of every model, as the search sees it."""

from __future__ import annotations

from modelyard.git import Git
from modelyard.manifests.repository import ModelRepository
from modelyard.registry.history import ModelHistory, read_registry
from modelyard.registry.search import Entry, Term, search
from modelyard.registry.timeline import running


def find(repository: ModelRepository, git: Git, terms: tuple[Term, ...]) -> list[Entry]:
    """The versions that fulfil every condition, newest first."""
    registry = read_registry(git.tags())
    known = set(repository.model_names())
    found = []
    for name, history in registry.models.items():
        found += _entries(repository, name if name in known else None, history)
    return search(found, terms)


def _entries(repository: ModelRepository, name: str | None, history: ModelHistory) -> list[Entry]:
    manifest = repository.model(name) if name else None
    live: dict[str, list[str]] = {}
    for period in running(history):
        live.setdefault(period.version, []).append(period.environment)
    text = f"{manifest.description} {manifest.card}" if manifest else ""
    found = []
    for version in history.ever:
        record = version.record
        withdrawn = version in history.withdrawn or history.archived
        words: dict[str, tuple[str, ...]] = {
            "model": (history.model,),
            "version": (str(version.version),),
            "owner": tuple(manifest.owners) if manifest else (),
            "task": (manifest.task,) if manifest else (),
            "lifecycle": ("archived" if withdrawn else manifest.lifecycle if manifest else "archived",),
            "live": tuple(live.get(str(version.version), ())),
            "data": tuple(w for entry in record.data.items() for w in entry) if record else (),
            "by": ((record.by if record else "") or version.by,),
            "approved": record.approved_by if record else (),
            "verdict": (record.verdict if record else "none",),
            "artifact": (record.artifact,) if record else (),
        }
        found.append(
            Entry(
                history.model, str(version.version), version.at, words,
                record.metrics if record else {}, record.params if record else {}, text,
            )
        )  # fmt: skip
    return found
