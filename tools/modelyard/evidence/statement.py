"""One evidence document: an in-toto Statement v1 whose subject is the model artifact's sha256."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import msgspec

from modelyard.documents import SCHEMA, builtins, encode, require_readable
from modelyard.errors import ModelyardError

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
MAXIMUM_BYTES = 10_000_000
Kind = Literal[
    "training", "evaluation", "probe", "drift", "artifact", "verdict", "approval", "reproduction", "monitoring",
    "retraining", "run", "erasure", "custom", "exchange",
]  # fmt: skip

P = TypeVar("P")


@dataclass(frozen=True)
class Statement(Generic[P]):
    """A measurement, and the artifact that it is about."""

    kind: Kind
    model: str
    artifact: str
    """sha256 of the artifact."""
    predicate: P
    digest: str = ""
    """sha256 of the document itself."""


class _Subject(msgspec.Struct, frozen=True):
    name: str
    digest: dict[str, str]


class _Wire(msgspec.Struct, frozen=True):
    type_: str = msgspec.field(name="_type")
    subject: tuple[_Subject, ...]
    predicateType: str  # in-toto's own spelling
    predicate: Any
    schema: str = ""
    """The schema version; '' in documents of before there was one."""


def write_statement(kind: Kind, model: str, artifact: str, predicate: Any) -> bytes:
    """The document as strict JSON: sorted keys, no NaN, a final newline. The same value gives the same bytes."""
    wire = _Wire(STATEMENT_TYPE, (_Subject(model, {"sha256": artifact}),), _type_uri(kind), builtins(predicate), SCHEMA)
    return encode(wire, order="sorted", indent=1) + b"\n"


def read_statement(content: bytes, kind: Kind, predicate_type: type[P]) -> Statement[P]:
    """The statement in a document; ModelyardError when the document is not valid evidence of that kind."""
    if len(content) > MAXIMUM_BYTES:
        raise _unusable(kind, f"has {len(content):,} bytes (limit {MAXIMUM_BYTES:,})")
    try:
        wire = msgspec.json.decode(content, type=_Wire)
        require_readable(wire.schema, f"The {kind} evidence")
        predicate = msgspec.convert(wire.predicate, predicate_type)
    except RecursionError as error:
        raise _unusable(kind, "is nested too deeply") from error
    except msgspec.MsgspecError as error:
        raise _unusable(kind, f"is not valid: {error}") from error
    if wire.type_ != STATEMENT_TYPE or wire.predicateType != _type_uri(kind):
        raise _unusable(kind, f"has the type {wire.predicateType!r}, not {_type_uri(kind)!r}")
    if len(wire.subject) != 1 or "sha256" not in wire.subject[0].digest:
        raise _unusable(kind, "does not name exactly one artifact by its sha256")
    subject = wire.subject[0]
    return Statement(kind, subject.name, subject.digest["sha256"], predicate, hashlib.sha256(content).hexdigest())


def _type_uri(kind: Kind) -> str:
    return f"urn:modelyard:evidence:{kind}:1"


def _unusable(kind: str, why: str) -> ModelyardError:
    return ModelyardError(f"The {kind} evidence {why}.", "Run the modelyard command that writes it again.")
