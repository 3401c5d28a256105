"""Queries over tags: which version served where at a time, and which versions match conditions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from modelyard.checkout.evidence_store import EvidenceStore
from modelyard.checkout.proof import doubts, proven_registry
from modelyard.errors import UsageError, near_match
from modelyard.git import Git, TagRef
from modelyard.manifests.names import NO_VERSION
from modelyard.manifests.repository import ModelRepository
from modelyard.registry.history import ModelHistory, RegisteredVersion, Registry, read_registry
from modelyard.registry.search import Entry, Term, search
from modelyard.registry.tags import EVERY_MODEL, model_patterns
from modelyard.registry.timeline import Event, Period, events, in_order, periods, running

if TYPE_CHECKING:
    from modelyard.checkout.checkout import Checkout
    from modelyard.manifests.model import Model


class _Refusal(msgspec.Struct, frozen=True):
    subject: str = ""
    author: str = ""
    missing: str = ""


def registry_of(git: Git, model: str | None, tags: Iterable[TagRef] | None = None) -> Registry:
    """What the tags of one model or of all models prove, of ``tags`` where they were read before.

    UsageError in a shallow clone without tags.
    """
    if tags is None:
        tags = git.begin_tags(*(model_patterns(model) if model else EVERY_MODEL))
    registry = proven_registry(git, tags)
    if not registry.models:
        git.require_work_tree()
        if git.is_shallow() and git.remote():
            raise UsageError(
                "This clone is shallow and has no tags, so the history is unknown.",
                f"Run: git fetch --tags {git.remote()}",
            )
    return registry


def told(git: Git, model: str, tags: Sequence[TagRef]) -> tuple[Event, ...]:
    """All events of a model, of its ``tags``, sorted by time; each with a doubt where its tag proves nothing.

    What a tag without proof says changes nothing about the others. Deliveries that were refused are events too.
    """
    history, evidence = registry_of(git, model, tags).history(model), EvidenceStore(git)
    unproven, adopted = doubts(history), evidence.adopted(tags)
    imported = "imported from GTO: nobody here measured or observed it"
    found = [replace(event, doubt=imported if event.tag in adopted else "") for event in events(history)]
    if unproven:
        every = events(read_registry(tags).history(model))
        found += [replace(event, doubt=unproven[event.tag]) for event in every if event.tag in unproven]
    return in_order((*found, *_refusals(git, evidence, model)))


def _refusals(git: Git, evidence: EvidenceStore, model: str) -> list[Event]:
    """The deliveries of a model that were refused, at the time of the commit that nobody approved."""
    found = {tuple(path.split("/")): content for path, content in evidence.filed("refused/").items()}
    said = {path: content for path, content in found.items() if len(path) == 4 and path[2] == model}
    at = {commit.sha: commit.at for commit in git.commits(path[3].removesuffix(".json") for path in said)}
    refusals = []
    for (_, environment, _, name), content in said.items():
        sha = name.removesuffix(".json")
        try:
            why = msgspec.json.decode(content, type=_Refusal)
        except (msgspec.MsgspecError, RecursionError):
            why = _Refusal(missing="the record cannot be read")
        refusals.append(
            Event(
                at.get(sha, 0), "refused", NO_VERSION, environment, why.author,
                f"the commit {sha[:12]} ({why.subject}) is not approved: {why.missing}", (), "",
            )
        )  # fmt: skip
    return refusals


def running_at(git: Git, model: str | None, environment: str | None, at: int | None) -> list[Period]:
    """The periods that cover a time in seconds since 1970 (None: those that have not ended), sorted by model.

    UsageError for a model or an environment that nothing knows.
    """
    found: list[Period] = []
    registry = registry_of(git, model)
    if not registry.models and model:
        known = ModelRepository(git.root).model_names()
        if model not in known:
            raise UsageError(f"There is no model {model!r} here, and none was registered.", near_match(model, known))
    if environment and not _ran_somewhere(registry, environment):
        every = registry_of(git, None) if model else registry
        if not _ran_somewhere(every, environment):
            ModelRepository(git.root).environment(environment)
    for _, history in sorted(registry.models.items()):
        # "Now" uses no clock: tags written within one second are dated ahead of the clock to keep their order.
        found += running(history, environment) if at is None else periods(history, environment, at)
    return found


def _ran_somewhere(registry: Registry, environment: str) -> bool:
    return any(one.environment == environment for found in registry.models.values() for one in found.assignments)


def parse_time(text: str) -> int:
    """Seconds since 1970 of an ISO 8601 time; UTC unless it has a time zone. UsageError for other text."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a valid time.", "Write it as 2026-05-03T14:00.") from None
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


def find(checkout: Checkout, terms: tuple[Term, ...]) -> list[Entry]:
    """The versions that satisfy all conditions, newest first."""
    known = set(checkout.repository.model_names())
    found = []
    for name, history in checkout.registry.models.items():
        found += _entries(checkout.repository, name if name in known else None, history)
    return search(found, terms)


def _lifecycle(manifest: Model | None, version: RegisteredVersion, withdrawn: bool) -> str:
    """That of model.yaml. A version without one was imported from another registry, or its model was removed."""
    if not withdrawn and manifest:
        return manifest.lifecycle
    return "imported" if not withdrawn and version.record and version.record.imported else "archived"


def _entries(repository: ModelRepository, name: str | None, history: ModelHistory) -> list[Entry]:
    manifest = repository.model(name) if name else None
    live: dict[str, list[str]] = {}
    for period in running(history):
        live.setdefault(period.version, []).append(period.environment)
    text = f"{manifest.description} {manifest.card}" if manifest else ""
    found = []
    for version in history.all_versions:
        record = version.record
        withdrawn = version in history.withdrawn or history.archived
        words: dict[str, tuple[str, ...]] = {
            "model": (history.model,),
            "version": (version.version,),
            "owner": tuple(manifest.owners) if manifest else (),
            "task": (manifest.task,) if manifest else (),
            "lifecycle": (_lifecycle(manifest, version, withdrawn),),
            "live": tuple(live.get(version.version, ())),
            "data": tuple(w for entry in record.data.items() for w in entry) if record else (),
            "by": ((record.by if record else "") or version.by,),
            "approved": record.approved_by if record else (),
            "verdict": (record.verdict if record else "none",),
            "artifact": (record.artifact,) if record else (),
        }
        found.append(
            Entry(
                history.model, version.version, version.at, words,
                record.metrics if record else {}, record.params if record else {}, text,
            )
        )  # fmt: skip
    return found
