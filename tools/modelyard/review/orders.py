"""The grammar of comment commands: ``/modelyard VERB key=value …``, one line, nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

from modelyard.errors import UsageError, near_match
from modelyard.manifests.names import Version, is_name

PREFIX = "/modelyard"
Verb = Literal["explain", "retrain", "promote", "rollback", "waive"]

_KEYS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    # verb → keys it needs, keys it may have
    "explain": (frozenset(), frozenset({"model", "check"})),
    "retrain": (frozenset(), frozenset({"model"})),
    "promote": (frozenset({"env"}), frozenset({"model", "version"})),
    "rollback": (frozenset({"to"}), frozenset({"model", "env"})),
    "waive": (frozenset({"check", "until", "reason"}), frozenset({"model"})),
}
_PART = re.compile(r'([a-z]+)=(?:"([^"\\\x00-\x1f]{1,500})"|([A-Za-z0-9][A-Za-z0-9._-]{0,127}))(?: +|$)')
_LONGEST = 2000


@dataclass(frozen=True)
class Order:
    """One command that was understood."""

    verb: Verb
    values: dict[str, str]


def is_order(comment: str) -> bool:
    """Whether a comment speaks to us at all."""
    return comment.lstrip().startswith(PREFIX)


def parse_order(comment: str) -> Order:
    """The command in a comment; a UsageError that says what was not understood. Never guesses."""
    line = comment.strip()
    if len(line) > _LONGEST or "\n" in line or "\r" in line:
        raise UsageError("A command is one line, alone in its comment.", f"Write: {PREFIX} explain")
    word, _, rest = line.partition(" ")
    verb, _, rest = rest.strip().partition(" ")
    if word != PREFIX or verb not in _KEYS:
        raise UsageError(f"{verb or word!r} is no command.", near_match(verb, _KEYS))
    needed, allowed = _KEYS[verb]
    values: dict[str, str] = {}
    rest = rest.strip()
    at = 0
    while at < len(rest):
        found = _PART.match(rest, at)
        if found is None:
            raise UsageError(f"{rest[at : at + 40]!r} is not key=value.", 'Quote values with spaces: reason="…"')
        key = found[1]
        if key not in needed | allowed:
            raise UsageError(f"{verb} has no {key}.", near_match(key, needed | allowed))
        if key in values:
            raise UsageError(f"{key} is given twice.", "Give it once.")
        values[key] = found[2] if found[2] is not None else found[3]
        at = found.end()
    missing = sorted(needed - values.keys())
    if missing:
        raise UsageError(f"{verb} needs {', '.join(missing)}.", f"Write: {PREFIX} {verb} {missing[0]}=…")
    _check_values(values)
    return Order(verb, values)  # type: ignore[arg-type]


def _check_values(values: dict[str, str]) -> None:
    for key in ("model", "env", "check"):
        if key in values and not is_name(values[key]):
            raise UsageError(f"{values[key]!r} is no name.", "Names are letters, digits, - and _.")
    for key in ("version", "to"):
        if key in values and Version.parse(values[key]) is None:
            raise UsageError(f"{values[key]!r} is no version.", "Write a version such as v1.2.0.")
    if "until" in values:
        try:
            date.fromisoformat(values["until"])
        except ValueError as error:
            raise UsageError(f"{values['until']!r} is no day.", "Write a day such as 2026-05-31.") from error
