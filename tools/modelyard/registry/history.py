"""The registry as its tags record it: versions, assignments to environments, and withdrawals of each model."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
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
NONE_ADOPTED: Mapping[str, VersionRecord] = MappingProxyType({})


class Tag(Protocol):
    """A tag as the registry reads it, such as ``git.TagRef``."""

    @property
    def object(self) -> str:
        """The id of the tag object."""

    @property
    def name(self) -> str:
        """The name without ``refs/tags/``."""

    @property
    def annotated(self) -> bool:
        """Whether it is annotated; lightweight tags are ignored, as in GTO."""

    @property
    def commit(self) -> str:
        """The commit that it points at."""

    @property
    def tagged_at(self) -> int:
        """The tagger time in seconds since 1970."""

    @property
    def tagger(self) -> str:
        """The name of its author."""

    @property
    def message(self) -> str:
        """The headline, followed by the record."""


class RegisteredVersion(Struct, frozen=True, dict=True):
    """A registered version; ``at`` is in seconds since 1970, ``by`` the tagger."""

    version: Version
    commit: str
    at: int
    by: str
    message: str
    adopted: VersionRecord | None = None
    """What the evidence of an import says of a tag of GTO, which has no record; None for any other tag."""

    @cached_property
    def record(self) -> VersionRecord | None:
        """The record of its tag, or of its import; None for a handmade tag."""
        return self.adopted or read_version_record(self.message)

    @property
    def imported(self) -> bool:
        """Whether it was imported from another registry, so that nobody here measured it."""
        if self.adopted is not None:
            return True
        return '"imported"' in self.message and self.record is not None and bool(self.record.imported)


class Assignment(Struct, frozen=True, dict=True):
    """The assignment of a version to an environment, or the end of one; ``at`` is in seconds since 1970."""

    environment: str
    version: Version
    """'' for an unassignment; the first digits of the commit, as in GTO, where no version is registered."""
    commit: str
    at: int
    by: str
    message: str
    tag: str

    @cached_property
    def record(self) -> StageRecord | None:
        """Reason and approvals; None for a handmade tag."""
        return read_stage_record(self.message)


class Withdrawal(Struct, frozen=True, dict=True):
    """The withdrawal of a version, or with version '' the archiving of the model."""

    version: Version
    at: int
    by: str
    message: str
    tag: str

    @cached_property
    def record(self) -> WithdrawalRecord | None:
        """The reason; None for a handmade tag."""
        return read_withdrawal_record(self.message)


class ModelHistory(Struct, frozen=True):
    """The history of one model: its versions, assignments and withdrawals."""

    model: str
    versions: tuple[RegisteredVersion, ...] = ()
    """Versions in use, sorted by number."""
    assignments: tuple[Assignment, ...] = ()
    """Sorted by time."""
    withdrawals: tuple[Withdrawal, ...] = ()
    """Sorted by time."""
    withdrawn: tuple[RegisteredVersion, ...] = ()
    """Withdrawn versions, sorted by number."""
    last_time: int = 0
    """The latest tagger time, in seconds since 1970."""
    last_counter: int = 0
    """The highest counter of a stage tag."""
    strays: tuple[str, ...] = ()
    """Tags without a filed copy, such as handmade ones. They count for nothing."""
    moved: tuple[str, ...] = ()
    """Tags that differ from their filed copies. They count for nothing."""
    told: tuple[Assignment, ...] = ()
    """Stage tags of GTO that were imported, sorted by time. They are no receipts: nothing follows from them."""

    @property
    def archived(self) -> bool:
        """Whether the model is archived."""
        return any(not withdrawal.version for withdrawal in self.withdrawals)

    @property
    def all_versions(self) -> tuple[RegisteredVersion, ...]:
        """All versions, in use or withdrawn, sorted by number."""
        if not self.withdrawn:
            return self.versions
        return tuple(sorted((*self.versions, *self.withdrawn), key=lambda known: known.version.order))

    @property
    def latest(self) -> RegisteredVersion | None:
        """The highest version in use that was registered here; None without any."""
        return next((known for known in reversed(self.versions) if not known.imported), None)

    def version(self, number: str) -> RegisteredVersion | None:
        """The version in use with this number; None if there is none."""
        return next((known for known in self.versions if known.version == number), None)

    def known(self, number: str) -> RegisteredVersion | None:
        """The version with this number, in use or withdrawn; None if there is none."""
        return next((known for known in self.all_versions if known.version == number), None)

    def assigned(self, environment: str) -> Assignment | None:
        """The current assignment of an environment; None without one or after an unassignment."""
        for assignment in reversed(self.assignments):
            if assignment.environment == environment:
                return assignment if assignment.version else None
        return None

    def rollbacks(self) -> tuple[Assignment, ...]:
        """The assignments that were rollbacks and block an artifact, sorted by time."""
        marked = [known for known in self.assignments if '"blocked"' in known.message]  # decoding every record is slow
        return tuple(known for known in marked if known.version and known.record and known.record.blocked)


class Registry(Struct, frozen=True):
    """The histories of all models."""

    models: dict[str, ModelHistory] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()
    """Tags outside the grammar, and lightweight tags inside it."""

    def history(self, model: str) -> ModelHistory:
        """The history of a model; empty without tags."""
        return self.models.get(model) or ModelHistory(model)

    @property
    def commits(self) -> frozenset[str]:
        """The commits at which versions were registered, and which receipts are about; not those of imported ones.

        An imported version may be at a commit that is on no branch, and so may its assignments.
        """
        versions = [one for history in self.models.values() for one in history.all_versions]
        registered = {one.commit for one in versions if not one.imported}
        assigned = {one.commit for history in self.models.values() for one in history.assignments}
        return frozenset(registered | (assigned - {one.commit for one in versions}))


def read_registry(
    tags: Iterable[Tag],
    filed: Mapping[str, str] | None = None,
    adopted: Mapping[str, VersionRecord] = NONE_ADOPTED,
) -> Registry:
    """The registry that tags describe, in any order. Events are sorted by tagger time, then by counter.

    ``filed`` maps tag names to the object ids of their filed copies. With it, a tag counts only if it equals its copy;
    without it, every tag counts. ``adopted`` are the records of imported tags of GTO.
    """
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
        models[model] = _history(model, [(parsed, tag) for _, _, _, parsed, tag in of_model], filed, adopted)
    return Registry(models, tuple(sorted(foreign)))


def _history(
    model: str,
    found: list[tuple[ParsedTag, Tag]],
    filed: Mapping[str, str] | None,
    adopted: Mapping[str, VersionRecord],
) -> ModelHistory:
    events = [event for event in found if filed is None or filed.get(event[1].name) == event[1].object]
    versions: dict[Version, RegisteredVersion] = {}
    withdrawn: dict[Version, RegisteredVersion] = {}
    at_commit: dict[str, Version] = {}
    told_at: dict[str, Version] = {}
    stages: list[tuple[ParsedTag, Tag]] = []
    withdrawals: list[Withdrawal] = []
    for event in events:
        parsed, tag = event
        action, version = parsed.action, parsed.version
        if action is Action.ASSIGN or action is Action.UNASSIGN:
            stages.append(event)
        elif action is Action.REGISTER and version:
            versions[version] = RegisteredVersion(
                version, tag.commit, tag.tagged_at, tag.tagger, tag.message, adopted.get(tag.name)
            )
            withdrawn.pop(version, None)
            if tag.name not in adopted:
                at_commit[tag.commit] = version
            else:  # whatever its date says, it takes no commit from a version that was registered here
                told_at[tag.commit] = version
        elif action is Action.DEREGISTER or action is Action.DEPRECATE:
            withdrawals.append(Withdrawal(version or NO_VERSION, tag.tagged_at, tag.tagger, tag.message, tag.name))
            if version and version in versions:
                withdrawn[version] = versions.pop(version)
    # A stage tag means the version registered at its commit, even if the version tag is newer.
    at_commit = told_at | at_commit
    assigned = [
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
        tuple(known for known in assigned if known.tag not in adopted),
        tuple(withdrawals),
        tuple(sorted(withdrawn.values(), key=_order)),
        max((tag.tagged_at for _, tag in found), default=0),
        max((parsed.counter or 0 for parsed, _ in found), default=0),
        tuple(tag.name for _, tag in found if filed is not None and tag.name not in filed),
        tuple(tag.name for _, tag in found if filed is not None and filed.get(tag.name, tag.object) != tag.object),
        tuple(known for known in assigned if known.tag in adopted),
    )
