"""Records of a mirror: what each of its bundles holds, which one comes next, and which ones a restoration needs.

A record names the records that were the newest when it was written, as a commit names its parents. So writers need no
lock, nothing is overwritten, and a record that is missing in between is noticed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from modelyard.checkout.evidence_branch import BRANCH
from modelyard.deployment.record import JOURNALS
from modelyard.documents import SCHEMA, encode, require_readable
from modelyard.errors import Refused
from modelyard.manifests.names import is_name
from modelyard.registry.tags import parse_tag

EVIDENCE = f"refs/heads/{BRANCH}"
MAXIMUM_BYTES = 5_000_000
"""Of one record: about 50,000 refs."""
_NAME = re.compile(r"(\d{8})-[0-9a-f]{64}", re.ASCII)
_BRANCH = re.compile(
    r"refs/heads/(?!-)(?!.*(\.\.|//|/\.|\.lock(/|$)|@\{))[A-Za-z0-9_@+=][A-Za-z0-9_@+=./-]{0,198}", re.ASCII
)
_TAGS = "refs/tags/"

_ObjectId = Annotated[str, Meta(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$(?!\n)")]
_Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
_Number = Annotated[int, Meta(ge=0, le=2**53)]


class Record(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One write to the mirror."""

    schema: str = SCHEMA
    sequence: Annotated[int, Meta(ge=1, le=99_999_999)]
    before: tuple[str, ...]
    """The names of the records that were the newest."""
    default: str
    """The default branch, such as refs/heads/main."""
    refs: dict[str, _ObjectId]
    """All mirrored refs at that moment: default branch, evidence, rollout journals, tags beside the default branch."""
    bundle: _Digest
    size: _Number
    """Bytes of the bundle."""
    everything: bool
    """Whether the bundle needs no other one."""
    written: _Number
    whole: _Number
    """Seconds since 1970: when this was written, and when the newest bundle with everything was."""


@dataclass(frozen=True)
class Increment:
    """The next write: its place in the chain, and the commits and tags whose history the mirror has."""

    sequence: int
    before: tuple[str, ...]
    have: tuple[str, ...]
    """Nothing for a bundle with everything."""
    whole: int


@dataclass(frozen=True)
class Chain:
    """The records to restore, in order; none of them is missing."""

    records: tuple[tuple[str, Record], ...]
    left_out: tuple[str, ...]
    """Records that are not part of it."""


def name_of(content: bytes, sequence: int) -> str:
    """The name of a record, by its content: ``00000042-<sha256>``."""
    return f"{sequence:08d}-{hashlib.sha256(content).hexdigest()}"


def short(name: str) -> str:
    """A record's name for people: its sequence and the first digits of its digest."""
    return name[:21]


def is_record(name: str) -> bool:
    """Whether a name can be that of a record."""
    return _NAME.fullmatch(name) is not None


def newest(names: Iterable[str]) -> tuple[str, ...]:
    """The names with the highest sequence; several after writes at the same time."""
    known = sorted(name for name in names if is_record(name))
    return tuple(name for name in known if name[:8] == known[-1][:8])


def write_record(record: Record) -> bytes:
    """The document of a record; the same record gives the same bytes."""
    return encode(record, order="sorted", indent=1) + b"\n"


def read_record(name: str, content: bytes) -> Record:
    """The record of that name. Refused for other bytes than the name says, and for refs that no mirror holds."""
    try:
        if len(content) > MAXIMUM_BYTES or not is_record(name) or name_of(content, int(name[:8])) != name:
            raise ValueError("its bytes are not those that its name says")
        record = msgspec.json.decode(content, type=Record)
        require_readable(record.schema, f"The record {name}")
        if record.sequence != int(name[:8]):
            raise ValueError("its number is not that of its name")
        if not all(is_record(other) and int(other[:8]) < record.sequence for other in record.before):
            raise ValueError("it names a record before it that cannot be")
        if not _BRANCH.fullmatch(record.default) or record.default == EVIDENCE:
            raise ValueError("its default branch is none")
        for ref in record.refs:
            if not _is_mirrored(ref, record.default):
                raise ValueError(f"it holds the ref {ref[:100]!r}, which no mirror holds")
    except (ValueError, RecursionError) as error:
        raise Refused(
            f"The record {short(name)} of the mirror is not valid: {error}.",
            "Find out who wrote it. Restore up to an earlier record with --until RECORD.",
        ) from error
    return record


def plan_increment(
    heads: Mapping[str, Record], refs: Mapping[str, str], now: int, retention_days: int
) -> Increment | None:
    """The next write for these refs, given the newest records; None when they have the same refs.

    After half of the retention a bundle holds everything again, so that a restoration never needs a bundle whose
    retention has ended.
    """
    whole = min((record.whole for record in heads.values()), default=0)
    stale = not 0 <= now - whole <= retention_days * 86_400 // 2
    if heads and not stale and all(record.refs == dict(refs) for record in heads.values()):
        return None
    have = {sha for record in heads.values() for sha in record.refs.values()}
    return Increment(
        sequence=max((record.sequence for record in heads.values()), default=0) + 1,
        before=tuple(sorted(heads)),
        have=() if stale else tuple(sorted(have)),
        whole=now if stale else whole,
    )


def chain(records: Mapping[str, Record], until: str = "") -> Chain:
    """The records that a restoration needs: all of them, or ``until`` and those before it.

    Refused when one of them is missing. What was before a bundle with everything may be missing.
    """
    if until and until not in records:
        raise Refused(
            f"The mirror has no valid record {until!r}.",
            f"Choose one of: {', '.join(short(name) for name in sorted(records)[-5:]) or 'none'}.",
        )
    if not records:
        raise Refused("The mirror has no valid record.", "Check the URL, and that its reader may list the bucket.")
    needed: set[str] = set()
    waiting = [until] if until else list(records)
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        record = records[name]
        for before in record.before:
            if before in records:
                waiting.append(before)
            elif not record.everything:
                raise _missing(before, name, records)
    ordered = tuple((name, records[name]) for name in sorted(needed))
    return Chain(ordered, tuple(sorted(records.keys() - needed)))


def _is_mirrored(ref: str, default: str) -> bool:
    if ref in {default, EVIDENCE}:
        return True
    if ref.startswith(JOURNALS):
        environment, _, model = ref.removeprefix(JOURNALS).partition("/")
        return is_name(environment) and is_name(model)
    return ref.startswith(_TAGS) and parse_tag(ref.removeprefix(_TAGS)) is not None


def _missing(name: str, after: str, records: Mapping[str, Record]) -> Refused:
    last = ", ".join(short(known) for known in sorted(records)[-3:])
    return Refused(
        f"The record {short(name)} of the mirror is missing, and {short(after)} needs it.",
        f"Find out who changed the bucket. To restore a record and those before it: --until RECORD, such as {last}.",
    )
