"""The compact JSON record that a tag's message carries below its first line."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field


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


R = TypeVar("R", VersionRecord, StageRecord, WithdrawalRecord)


def write_record(headline: str, record: VersionRecord | StageRecord | WithdrawalRecord) -> str:
    """A tag message: GTO's sentence, a blank line, the record as one line of JSON."""
    return f"{headline}\n\n{msgspec.json.encode(record, order='sorted').decode()}\n"


def read_version_record(message: str) -> VersionRecord | None:
    """The record in a version tag's message; None for hand-made and foreign tags."""
    return _read(message, VersionRecord)


def read_stage_record(message: str) -> StageRecord | None:
    """The record in a stage tag's message; None for hand-made and foreign tags."""
    return _read(message, StageRecord)


def read_withdrawal_record(message: str) -> WithdrawalRecord | None:
    """The record in a withdrawing tag's message; None for hand-made and foreign tags."""
    return _read(message, WithdrawalRecord)


def _read(message: str, kind: type[R]) -> R | None:
    for line in message.splitlines()[1:]:
        if line.startswith("{"):
            try:
                return msgspec.json.decode(line, type=kind)
            except msgspec.MsgspecError:
                return None
    return None
