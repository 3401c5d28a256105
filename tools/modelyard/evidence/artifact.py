"""The artifact itself: its format by content, its size, its speed."""

from __future__ import annotations

from dataclasses import dataclass

HEAD_BYTES = 4096


@dataclass(frozen=True)
class Artifact:
    """The scan of one artifact."""

    format: str | None
    """None for an unknown format."""
    bytes: int
    row_milliseconds: float | None = None
    """Median time to score one row, in milliseconds. It is rounded up to 1, 2 or 5 × a power of ten, so that a rerun
    gives the same document."""


def rounded_up(milliseconds: float) -> float:
    """The smallest of … 0.1, 0.2, 0.5, 1, 2, 5 … that is not below ``milliseconds``."""
    step = 1e-3
    while True:
        for factor in (1, 2, 5):
            if milliseconds <= step * factor:
                return round(step * factor, 6)
        step *= 10
