"""The encoding of all documents (tags, evidence, journals, state files, results), and of characters nobody sees."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


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


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def _plain(value: Any) -> str:
    if isinstance(value, str):  # msgspec encodes str but not its subclasses
        return str.__str__(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be written into a document")
