"""Text for terminals: aligned tables and colours. What cannot show colour strips it when it prints."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime

import click

_COLOURS = {
    "pass": "green", "waived": "yellow", "inconclusive": "yellow", "fail": "red", "error": "red",
    "in sync": "green", "rolling out": "yellow", "rolled back": "red", "out of sync": "red", "not deployed": "yellow",
    "healthy": "green", "down": "yellow", "failed": "red",
    "stable": "green", "unused": "yellow", "alarm": "red", "insufficient": "yellow",
    "ok": "green", "missing": "red", "warning": "yellow",
}  # fmt: skip


def coloured(word: str) -> str:
    """A state's word in its colour."""
    return click.style(word, fg=_COLOURS[word]) if word in _COLOURS else word


def bold(text: str) -> str:
    """Text that stands out."""
    return click.style(text, bold=True)


def wrapped(text: str, indent: str = "", width: int = 80) -> str:
    """A paragraph broken at ``width``; lines after the first are indented."""
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], width: int = 80) -> str:
    """Aligned columns that fit in ``width`` characters; the widest columns give way first."""
    widths = [max(len(line[i]) for line in (headings, *rows)) for i in range(len(headings))]
    while sum(widths) + 2 * (len(widths) - 1) > width and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1
    lines = [bold(_row(headings, widths).rstrip())]
    for cells in rows:
        padded = [_cut(cell, w).ljust(w) for cell, w in zip(cells, widths, strict=True)]
        lines.append("  ".join(p.replace(c, coloured(c), 1) if c in _COLOURS else p
                               for p, c in zip(padded, cells, strict=True)).rstrip())  # fmt: skip
    return "\n".join(lines)


def when(seconds: int) -> str:
    """A time in UTC, to the minute; a dash for none."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M") if seconds else "–"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(_cut(cell, width).ljust(width) for cell, width in zip(cells, widths, strict=True))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
