"""How spans of time are said on the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from modelyard.errors import UsageError
from modelyard.manifests.names import seconds_of
from modelyard.predictions.interface import Window

_SETTLING = timedelta(seconds=2)
"""What was asked so shortly before may not be logged yet."""


def window_of(length: str, until: str | None, *, filed: bool = False) -> Window:
    """``--window`` and ``--until``; without an end, now. A window that is ``filed`` ends with a whole minute, so that
    two runs in one minute speak of the same window.
    """
    try:
        seconds = seconds_of(length)
        end = datetime.fromisoformat(until.replace("Z", "+00:00")) if until else _now(filed)
    except (ValueError, KeyError, IndexError) as error:
        raise UsageError(
            f"--window {length}{f' --until {until}' if until else ''} is no span of time.",
            "Write a length such as 24h or 7d, and a moment such as 2026-05-03T14:00.",
        ) from error
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    return Window(end.timestamp() - seconds, end.timestamp())


def _now(filed: bool) -> datetime:
    now = (datetime.now(UTC) - _SETTLING).replace(microsecond=0)
    return now.replace(second=0) if filed else now
