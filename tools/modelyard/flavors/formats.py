"""Formats of artifacts, recognised by their first bytes. A file's name proves nothing."""

from __future__ import annotations

from .discovery import BUILT_IN, every_flavor, flavor_named

OTHER = "other"
PICKLE = "pickle"
_PROTOCOLS = (b"\x02", b"\x03", b"\x04", b"\x05")
_LONGEST_HEADER = 100_000_000

SAFE_FORMATS = (
    *(name for flavor in BUILT_IN for name in flavor_named(flavor).formats), "safetensors", "npz", "json",
)  # fmt: skip
"""Formats that run no code when they are loaded: those of our flavors, and others for a team's own scorer."""


def known_formats() -> tuple[str, ...]:
    """Every name that a policy may list: the safe formats, those of other packages' flavors, and ``other``."""
    others = (name for flavor in every_flavor() for name in flavor.formats)
    return tuple(dict.fromkeys((*SAFE_FORMATS, *others, OTHER)))


def format_of(head: bytes, members: tuple[str, ...] = ()) -> str | None:
    """The format that a file's first bytes show, or None; ``members`` are the names in a zip archive."""
    for flavor in every_flavor():
        if found := flavor.recognise(head, members):
            return found
    if members:
        if all(name.endswith(".npy") for name in members):
            return "npz"
        return PICKLE if any(name.endswith(".pkl") for name in members) else None
    if head[:1] == b"\x80" and head[1:2] in _PROTOCOLS:
        return PICKLE
    if len(head) > 9 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= _LONGEST_HEADER:
        return "safetensors"
    return "json" if head.lstrip()[:1] in (b"{", b"[") else None
