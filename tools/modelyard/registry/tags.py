"""Registry tags: GTO's grammar, and the JSON record in a tag's message."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from modelyard.documents import encode
from modelyard.manifests.names import Version

_TAG = re.compile(
    r"(?P<model>(?:[a-zA-Z0-9_./-]+=)?[a-zA-Z0-9](?:[a-zA-Z0-9/_-]*[a-zA-Z0-9])?)"
    r"(?:@v(?P<version>[^#!@]+)|#(?P<stage>[a-zA-Z0-9](?:[a-zA-Z0-9/_-]*[a-zA-Z0-9])?)|@(?P<word>deprecated|created))"
    r"(?P<off>!)?(?:#(?P<counter>[0-9]{1,9}))?\Z"
)

# Of every model. Tags outside the grammar, of which a repository may have thousands, are not even read.
EVERY_MODEL = ("**/*@*", "**/*#*")


class Action(Enum):
    """What a tag says happened."""

    REGISTER = "register"
    DEREGISTER = "deregister"
    ASSIGN = "assign"
    UNASSIGN = "unassign"
    DEPRECATE = "deprecate"
    CREATE = "create"


class ParsedTag(Struct, frozen=True, gc=False):
    """A tag name taken apart."""

    model: str
    action: Action
    version: Version | None = None
    environment: str | None = None
    counter: int | None = None


def parse_tag(name: str) -> ParsedTag | None:
    """The parts of a tag name, or None when it is not in the grammar (then it is somebody else's tag)."""
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
    """``for-each-ref`` and refspec patterns that match all of one model's tags."""
    return f"{model}@*", f"{model}#*"


def withdrawing_tag(model: str, version: Version) -> str:
    """The name of the tag that takes a version out of use."""
    return f"{model}@{version}!"


def archiving_tag(model: str) -> str:
    """The name of the tag that takes a whole model out of use."""
    return f"{model}@deprecated"


def unassigning_tag(model: str, environment: str, counter: int) -> str:
    """The name of the tag that ends what an environment serves."""
    return f"{model}#{environment}!#{counter}"


class VersionRecord(Struct, frozen=True, omit_defaults=True):
    """What was registered, on what evidence."""

    artifact: str
    """sha256 of the artifact."""
    lock: str = ""
    """sha256 of dvc.lock."""
    code: str = ""
    """The commit whose files made it."""
    data: dict[str, str] = field(default_factory=dict)
    """Input path → md5."""
    environment: str = ""
    """sha256 of the packages and versions that made it, as its training evidence lists them."""
    params: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    verdict: str = ""
    evidence: dict[str, str] = field(default_factory=dict)
    """Kind → sha256 of the evidence document."""
    reasons: tuple[str, ...] = ()
    """Why this number and not another."""
    champion: str = ""
    by: str = ""
    """Who proposed it."""
    approved_by: tuple[str, ...] = ()
    pull: int = 0
    """The pull request that brought it; 0 in plain git and for a direct push."""
    report: str = ""
    """sha256 of the report its approvers saw."""


class StageRecord(Struct, frozen=True, omit_defaults=True):
    """Which version went to an environment, and on whose word."""

    version: str
    artifact: str = ""
    why: str = ""
    """Subject of the change that asked for it."""
    by: str = ""
    approved_by: tuple[str, ...] = ()
    commit: str = ""
    """The commit whose desired state was applied."""
    replaced: str = ""
    pull: int = 0
    blocked: str = ""
    """Of a rollback: sha256 of the bytes it took away. They go nowhere again."""
    rollout: str = ""
    """Of a rollback: the name of the rollout that it ended."""


class WithdrawalRecord(Struct, frozen=True, omit_defaults=True):
    """Why a version, or a model, is out of use."""

    why: str
    by: str = ""


def write_record(headline: str, record: VersionRecord | StageRecord | WithdrawalRecord) -> str:
    """A tag message: GTO's sentence, a blank line, the record as one line of JSON."""
    return f"{headline}\n\n{encode(record, order='sorted').decode()}\n"


def read_version_record(message: str) -> VersionRecord | None:
    """The record in a version tag's message; None for hand-made and foreign tags."""
    return _read(message, VersionRecord)


def read_stage_record(message: str) -> StageRecord | None:
    """The record in a stage tag's message; None for hand-made and foreign tags."""
    return _read(message, StageRecord)


def read_withdrawal_record(message: str) -> WithdrawalRecord | None:
    """The record in a withdrawing tag's message; None for hand-made and foreign tags."""
    return _read(message, WithdrawalRecord)


R = TypeVar("R", VersionRecord, StageRecord, WithdrawalRecord)


def _read(message: str, kind: type[R]) -> R | None:
    for line in message.splitlines()[1:]:
        if line.startswith("{"):
            try:
                return msgspec.json.decode(line, type=kind)
            except msgspec.MsgspecError:
                return None
    return None
