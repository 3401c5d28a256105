"""Registry tags: GTO's grammar of names, and the JSON record in the message."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from modelyard.documents import SCHEMA, builtins, encode, require_readable
from modelyard.manifests.names import Version

_TAG = re.compile(
    r"(?P<model>(?:[a-zA-Z0-9_./-]+=)?[a-zA-Z0-9](?:[a-zA-Z0-9/_-]*[a-zA-Z0-9])?)"
    r"(?:@v(?P<version>[^#!@]+)|#(?P<stage>[a-zA-Z0-9](?:[a-zA-Z0-9/_-]*[a-zA-Z0-9])?)|@(?P<word>deprecated|created))"
    r"(?P<off>!)?(?:#(?P<counter>[0-9]{1,9}))?\Z"
)

# Patterns for all models. Tags outside of the grammar, which may be thousands, are not read.
EVERY_MODEL = ("**/*@*", "**/*#*")


class Action(Enum):
    """The event that a tag records."""

    REGISTER = "register"
    DEREGISTER = "deregister"
    ASSIGN = "assign"
    UNASSIGN = "unassign"
    DEPRECATE = "deprecate"
    CREATE = "create"


class ParsedTag(Struct, frozen=True, gc=False):
    """The parts of a tag name."""

    model: str
    action: Action
    version: Version | None = None
    environment: str | None = None
    counter: int | None = None


def parse_tag(name: str) -> ParsedTag | None:
    """The parts of a tag name; None for a name outside of the grammar."""
    found = _TAG.match(name)
    if not found:
        return None
    model, number, stage, word, off, count = found.groups()
    counter = int(count) if count else None
    if number:
        version = Version.parse(f"v{number}")
        if version is None:
            return None
        return ParsedTag(model, Action.DEREGISTER if off else Action.REGISTER, version, None, counter)
    if stage:
        return ParsedTag(model, Action.UNASSIGN if off else Action.ASSIGN, None, stage, counter)
    return ParsedTag(model, Action.DEPRECATE if word == "deprecated" else Action.CREATE, counter=counter)


def version_tag(model: str, version: Version) -> str:
    """The name of the tag that registers a version."""
    return f"{model}@{version}"


def stage_tag(model: str, environment: str, counter: int) -> str:
    """The name of the tag that assigns a version to an environment."""
    return f"{model}#{environment}#{counter}"


def model_patterns(model: str) -> tuple[str, str]:
    """Patterns for ``for-each-ref`` and refspecs that match all tags of a model."""
    return f"{model}@*", f"{model}#*"


def withdrawing_tag(model: str, version: Version) -> str:
    """The name of the tag that withdraws a version."""
    return f"{model}@{version}!"


def archiving_tag(model: str) -> str:
    """The name of the tag that archives a model."""
    return f"{model}@deprecated"


def unassigning_tag(model: str, environment: str, counter: int) -> str:
    """The name of the tag that unassigns a model from an environment."""
    return f"{model}#{environment}!#{counter}"


class VersionRecord(Struct, frozen=True, omit_defaults=True):
    """The record of a registration: artifact, sources, evidence and approvals."""

    artifact: str
    """sha256 of the artifact; '' for an imported version."""
    lock: str = ""
    """sha256 of dvc.lock."""
    code: str = ""
    """The commit of the training code."""
    data: dict[str, str] = field(default_factory=dict)
    """Input path → md5."""
    environment: str = ""
    """sha256 of the training environment: packages and versions of the training evidence."""
    params: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    against: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    """Metric → difference from ``champion`` on the same held-out rows, and the ends of its 95 % interval."""
    held_out: str = ""
    """sha256 of the held-out rows of ``metrics``; '' where it is not known."""
    held_out_name: str = ""
    """Number and period of these rows, for people."""
    verdict: str = ""
    evidence: dict[str, str] = field(default_factory=dict)
    """Kind → sha256 of the evidence document."""
    filed: dict[str, str] = field(default_factory=dict)
    """Path below the model's folder on the evidence branch → sha256 of what else was filed with the tag."""
    reasons: tuple[str, ...] = ()
    """The reasons for its number."""
    champion: str = ""
    by: str = ""
    """Its author."""
    approved_by: tuple[str, ...] = ()
    pull: int = 0
    """The number of its pull request; 0 in plain git and for a direct push."""
    report: str = ""
    """sha256 of the report that its approvers saw."""
    imported: str = ""
    """Where it was imported from. Nobody here measured it, its artifact is not known, and it is never deployed."""


class StageRecord(Struct, frozen=True, omit_defaults=True):
    """The record of an assignment: version, reason and approvals."""

    version: str
    artifact: str = ""
    why: str = ""
    """Subject of the change that requested it."""
    by: str = ""
    approved_by: tuple[str, ...] = ()
    commit: str = ""
    """The commit of the desired state."""
    replaced: str = ""
    """The version that served before."""
    pull: int = 0
    blocked: str = ""
    """For a rollback: sha256 of the artifact that it blocks in every environment."""
    rollout: str = ""
    """For a rollback: the salt of the rollout that it ended."""
    filed: dict[str, str] = field(default_factory=dict)
    """Path below the model's folder on the evidence branch → sha256 of what was filed with the tag."""


class WithdrawalRecord(Struct, frozen=True, omit_defaults=True):
    """The record of a withdrawal: reason and author."""

    why: str
    by: str = ""


def write_record(headline: str, record: VersionRecord | StageRecord | WithdrawalRecord) -> str:
    """A tag message: GTO's headline, an empty line, and the record as one line of JSON."""
    said = {**builtins(record), "schema": SCHEMA}
    return f"{headline}\n\n{encode(said, order='sorted').decode()}\n"


def has_record(message: str) -> bool:
    """Whether a tag message has a line that may be a record: a tag of GTO or one made by hand has none."""
    return "\n{" in message


def read_version_record(message: str) -> VersionRecord | None:
    """The record in the message of a version tag; None for handmade and foreign tags."""
    return _read(message, VersionRecord)


def read_stage_record(message: str) -> StageRecord | None:
    """The record in the message of a stage tag; None for handmade and foreign tags."""
    return _read(message, StageRecord)


def read_withdrawal_record(message: str) -> WithdrawalRecord | None:
    """The record in the message of a withdrawal tag; None for handmade and foreign tags."""
    return _read(message, WithdrawalRecord)


class _Schema(Struct, frozen=True):
    schema: str = ""


_SCHEMA = '"schema":'
R = TypeVar("R", VersionRecord, StageRecord, WithdrawalRecord)


def _read(message: str, kind: type[R]) -> R | None:
    for line in message.split("\n")[1:]:  # JSON may hold other line separators, such as U+2028
        if line.startswith("{"):
            try:
                if _SCHEMA in line and f'{_SCHEMA}"{SCHEMA}"' not in line:
                    said = msgspec.json.decode(line, type=_Schema)
                    require_readable(said.schema, f"The tag with the message {message.partition(chr(10))[0]!r}")
                return msgspec.json.decode(line, type=kind)
            except (msgspec.MsgspecError, RecursionError):
                return None
    return None
