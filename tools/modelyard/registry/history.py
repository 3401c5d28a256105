"""From tags to the state of the registry: which versions there are, and which ran where since when."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import Protocol

from msgspec import Struct, field

from modelyard.manifests.names import NO_VERSION, Version
from modelyard.registry.tags import (
    Action,
    ParsedTag,
    StageRecord,
    VersionRecord,
    WithdrawalRecord,
    parse_tag,
    read_stage_record,
    read_version_record,
    read_withdrawal_record,
)

_order = operator.attrgetter("version.order")


class Tag(Protocol):
    """What the registry needs of a tag; ``git.TagRef`` is one."""

    @property
    def name(self) -> str:
        """Without ``refs/tags/``."""

    @property
    def annotated(self) -> bool:
        """Lightweight tags are ignored, as GTO does."""

    @property
    def commit(self) -> str:
        """The commit it points at."""

    @property
    def tagged_at(self) -> int:
        """Seconds since 1970."""

    @property
    def tagger(self) -> str:
        """Who made it."""

    @property
    def message(self) -> str:
        """Headline, then the record."""


class RegisteredVersion(Struct, frozen=True, dict=True):
    """One version of a model."""

    version: Version
    commit: str
    at: int
    by: str
    message: str

    @cached_property
    def record(self) -> VersionRecord | None:
        """What was registered; None for a tag made by hand."""
        return read_version_record(self.message)


class Assignment(Struct, frozen=True, dict=True):
    """One version set to serve in one environment."""

    environment: str
    version: Version
    """'' from where it serves nothing; a commit's first digits, as GTO shows it, where no version is registered."""
    commit: str
    at: int
    by: str
    message: str
    tag: str

    @cached_property
    def record(self) -> StageRecord | None:
        """Why and on whose word; None for a tag made by hand."""
        return read_stage_record(self.message)


class Withdrawal(Struct, frozen=True, dict=True):
    """A version taken out of use, or with version '' the whole model."""

    version: Version
    at: int
    by: str
    message: str
    tag: str

    @cached_property
    def record(self) -> WithdrawalRecord | None:
        """Why; None for a tag made by hand."""
        return read_withdrawal_record(self.message)


class ModelHistory(Struct, frozen=True):
    """Everything the tags say about one model."""

    model: str
    versions: tuple[RegisteredVersion, ...] = ()
    """In the order of their numbers, without those that were withdrawn."""
    assignments: tuple[Assignment, ...] = ()
    """In the order of time."""
    withdrawals: tuple[Withdrawal, ...] = ()
    """In the order of time."""
    withdrawn: tuple[RegisteredVersion, ...] = ()
    """Versions that were registered and are out of use."""
    last_time: int = 0
    last_counter: int = 0

    @property
    def archived(self) -> bool:
        """Whether the model as a whole is out of use."""
        return any(not withdrawal.version for withdrawal in self.withdrawals)

    @property
    def all_versions(self) -> tuple[RegisteredVersion, ...]:
        """Every version there ever was, in the order of their numbers: a number is never used twice."""
        if not self.withdrawn:
            return self.versions
        return tuple(sorted((*self.versions, *self.withdrawn), key=lambda known: known.version.order))

    @property
    def latest(self) -> RegisteredVersion | None:
        """The highest version that is still registered."""
        return self.versions[-1] if self.versions else None

    def version(self, number: str) -> RegisteredVersion | None:
        """The registered version of that number."""
        return next((known for known in self.versions if known.version == number), None)

    def known(self, number: str) -> RegisteredVersion | None:
        """The version of that number, registered or out of use."""
        return next((known for known in self.all_versions if known.version == number), None)

    def assigned(self, environment: str) -> Assignment | None:
        """The newest assignment in an environment; None when there is none or it was taken away."""
        for assignment in reversed(self.assignments):
            if assignment.environment == environment:
                return assignment if assignment.version else None
        return None

    def rollbacks(self) -> tuple[Assignment, ...]:
        """The assignments that took a version away because it was bad, in the order of time."""
        marked = [known for known in self.assignments if '"blocked"' in known.message]  # records are costly to decode
        return tuple(known for known in marked if known.version and known.record and known.record.blocked)


class Registry(Struct, frozen=True):
    """All models the tags know."""

    models: dict[str, ModelHistory] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()
    """Tags outside the grammar, and lightweight tags inside it."""

    def history(self, model: str) -> ModelHistory:
        """A model's history; empty when no tag names it."""
        return self.models.get(model) or ModelHistory(model)


def read_registry(tags: Iterable[Tag]) -> Registry:
    """The registry that a set of tags describes. Order of events: tagger time, then counter."""
    events: dict[str, list[tuple[int, int, str, ParsedTag, Tag]]] = defaultdict(list)
    foreign = []
    for tag in tags:
        parsed = parse_tag(tag.name) if tag.annotated else None
        if parsed is None:
            foreign.append(tag.name)
        else:
            events[parsed.model].append((tag.tagged_at, parsed.counter or 0, tag.name, parsed, tag))
    models = {}
    for model, of_model in events.items():
        of_model.sort(key=lambda event: event[:3])
        models[model] = _history(model, [(parsed, tag) for _, _, _, parsed, tag in of_model])
    return Registry(models, tuple(sorted(foreign)))


def _history(model: str, events: list[tuple[ParsedTag, Tag]]) -> ModelHistory:
    versions: dict[Version, RegisteredVersion] = {}
    withdrawn: dict[Version, RegisteredVersion] = {}
    at_commit: dict[str, Version] = {}
    stages: list[tuple[ParsedTag, Tag]] = []
    withdrawals: list[Withdrawal] = []
    counter = 0
    for event in events:
        parsed, tag = event
        if parsed.counter is not None and parsed.counter > counter:
            counter = parsed.counter
        action, version = parsed.action, parsed.version
        if action is Action.ASSIGN or action is Action.UNASSIGN:
            stages.append(event)
        elif action is Action.REGISTER and version:
            versions[version] = RegisteredVersion(version, tag.commit, tag.tagged_at, tag.tagger, tag.message)
            withdrawn.pop(version, None)
            at_commit[tag.commit] = version
        elif action is Action.DEREGISTER or action is Action.DEPRECATE:
            withdrawals.append(Withdrawal(version or NO_VERSION, tag.tagged_at, tag.tagger, tag.message, tag.name))
            if version and version in versions:
                withdrawn[version] = versions.pop(version)
    # A stage tag names no version: it means the version registered at its commit, even if that tag came later.
    assignments = [
        Assignment(
            parsed.environment or "",
            (at_commit.get(tag.commit) or Version(tag.commit[:7])) if parsed.action is Action.ASSIGN else NO_VERSION,
            tag.commit,
            tag.tagged_at,
            tag.tagger,
            tag.message,
            tag.name,
        )
        for parsed, tag in stages
    ]
    return ModelHistory(
        model,
        tuple(sorted(versions.values(), key=_order)),
        tuple(assignments),
        tuple(withdrawals),
        tuple(sorted(withdrawn.values(), key=_order)),
        max((tag.tagged_at for _, tag in events), default=0),
        counter,
    )
