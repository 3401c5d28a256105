"""Figures: SVG with a caption."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from msgspec import Struct


class Figure(Struct, frozen=True):
    """An SVG element whose text is escaped, and the caption below it as plain text."""

    svg: str
    caption: str


def draw(width: int, height: float, parts: Sequence[str], caption: str) -> Figure:
    """SVG elements on a canvas of ``width`` × ``height`` pixels; the caption is also its accessible name."""
    head = f'<svg viewBox="0 0 {width} {height:.0f}" width="{width}" role="img" aria-label="{escape(caption)}">'
    return Figure(f"{head}{''.join(parts)}</svg>", caption)
