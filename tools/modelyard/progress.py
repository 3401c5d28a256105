"""The progress of long work: how much is done, how fast, and how long the rest will take."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, float | None], None]
"""Told as work goes on: the rows done so far, and the share of the whole that is done (0 to 1, None if unknown)."""

_BEGINNING = 0.1
"""The seconds before which there is no rate."""
_SOON = 0.02
"""The share below which the time left is not estimated: the first rows say little."""


def progress_text(rows: int, seconds: float, share: float | None = None) -> str:
    """The line that is shown after so many seconds.

    >>> progress_text(3_400_000, 2.0, 0.25)
    '3,400,000 rows, 25 %, 1,700,000 a second, about 6 s left'
    >>> progress_text(500, 2.0)
    '500 rows, 250 a second'
    """
    parts = [f"{rows:,} {'row' if rows == 1 else 'rows'}"]
    if share is not None:
        parts.append(f"{min(max(share, 0.0), 1.0):.0%}".replace("%", " %"))
    if seconds >= _BEGINNING and (rate := round(rows / seconds)):
        parts.append(f"{rate:,} a second")
    if share is not None and _SOON <= share < 1:
        parts.append(f"about {_duration(seconds * (1 - share) / share)} left")
    return ", ".join(parts)


def no_progress(rows: int, share: float | None) -> None:
    """The progress of work that nobody watches."""


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
