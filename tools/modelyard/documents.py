"""JSON as every document of the toolkit is written: tags, evidence, journals, state files, results."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


def encode(value: Any, *, order: Literal["sorted"] | None = None, indent: int = 0) -> bytes:
    """Strict JSON of frozen values, in one line or with ``indent`` spaces a level; a version is its text."""
    content = msgspec.json.encode(value, enc_hook=_plain, order=order)
    return msgspec.json.format(content, indent=indent) if indent else content


def builtins(value: Any) -> Any:
    """The same as dictionaries, lists and plain values."""
    return msgspec.to_builtins(value, enc_hook=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, str):  # msgspec knows str, and none of its subclasses
        return str.__str__(value)
    raise NotImplementedError(f"{type(value).__name__} is not a value of a document")
