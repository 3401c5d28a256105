"""The JSON encoding of all documents: tags, evidence, journals, state files and results."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


def encode(value: Any, *, order: Literal["sorted"] | None = None, indent: int = 0) -> bytes:
    """Strict JSON of structs and dataclasses, on one line or with ``indent`` spaces per level.

    Subclasses of str, such as ``Version``, become strings. NotImplementedError for other unknown types.
    """
    content = msgspec.json.encode(value, enc_hook=_plain, order=order)
    return msgspec.json.format(content, indent=indent) if indent else content


def builtins(value: Any) -> Any:
    """The same value as dictionaries, lists, numbers and strings."""
    return msgspec.to_builtins(value, enc_hook=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, str):  # msgspec encodes str but not its subclasses
        return str.__str__(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be written into a document")
