"""Words for a terminal: states in their colours, emphasis and times. Output that has no colours strips them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from modelyard.terminal import styled

_COLOURS: dict[str, Literal["red", "green", "yellow"]] = {
    "pass": "green", "waived": "yellow", "inconclusive": "yellow", "fail": "red", "error": "red",
    "in sync": "green", "rolling out": "yellow", "rolled back": "red", "expired": "yellow", "out of sync": "red",
    "not deployed": "yellow",
    "healthy": "green", "down": "yellow", "failed": "red",
    "stable": "green", "unused": "yellow", "alarm": "red", "insufficient": "yellow",
    "ok": "green", "missing": "red", "warning": "yellow",
}  # fmt: skip


def coloured(word: str) -> str:
    """A state in its colour; any other word as it is."""
    return styled(word, _COLOURS[word]) if word in _COLOURS else word


def bold(text: str) -> str:
    """Text in bold."""
    return styled(text, "bold")


def when(seconds: int) -> str:
    """A time in UTC to the minute, from seconds since 1970; a dash for 0."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M") if seconds else "–"
