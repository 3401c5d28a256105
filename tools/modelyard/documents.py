"""The encoding of all documents (tags, evidence, journals, state files, results), and of characters nobody sees."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import msgspec

from modelyard import __version__
from modelyard.errors import Refused

SCHEMA = "0.1.0"
"""The schema version of what this toolkit writes: the first toolkit that reads it. Documents without one are older."""
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""Not the joiners U+200C and U+200D and not the variation selectors, which scripts and emoji need."""


def newer(schema: object) -> str:
    """The toolkit that a document of a schema version needs, when it is newer than this one; else ''."""
    found = re.match(r"\d{1,6}(\.\d{1,6}){2}(?!\d)", schema) if isinstance(schema, str) else None
    return found[0] if found and _number(found[0]) > _number(__version__) else ""


def require_readable(schema: object, what: str) -> None:
    """Refused for a document that a newer toolkit wrote; ``what`` names it."""
    if wanted := newer(schema):
        raise Refused(*too_new(wanted, what))


def too_new(wanted: str, what: str) -> tuple[str, str]:
    """What is wrong and what to do, for something that needs a newer toolkit."""
    problem = f"{what} was written for modelyard {wanted}; this one is {__version__}."
    return problem, f"Install it with: pip install 'modelyard=={wanted}'"


def encode(value: Any, *, order: Literal["sorted"] | None = None, indent: int = 0) -> bytes:
    """Strict JSON of structs and dataclasses, on one line or with ``indent`` spaces per level.

    Subclasses of str, such as ``Version``, become strings. NotImplementedError for other unknown types.
    """
    content = msgspec.json.encode(value, enc_hook=_plain, order=order)
    return msgspec.json.format(content, indent=indent) if indent else content


def builtins(value: Any) -> Any:
    """The same value as dictionaries, lists, numbers and strings."""
    return msgspec.to_builtins(value, enc_hook=_plain)


def visible(text: str) -> str:
    """The text with characters that are not seen, or that turn the direction of text, as escapes such as \\u202e."""
    return _UNSEEN.sub(lambda found: _escaped(found[0]), text)


def visible_json(text: str) -> str:
    """JSON with the same characters as JSON's own escapes, so that it means the same."""
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


def one_line(text: str, longest: int = 500) -> str:
    """Text of a stranger in one line of at most ``longest`` characters, each of which is seen."""
    whole = text.encode("utf-8", "replace").decode()  # half of a surrogate pair can be in no document
    return visible(" ".join(whole.split()))[:longest]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def _plain(value: Any) -> str:
    if isinstance(value, str):  # msgspec encodes str but not its subclasses
        return str.__str__(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be written into a document")
