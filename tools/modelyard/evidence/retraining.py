"""What a retraining was started for, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RetrainingRecord:
    """The predicate of a ``retraining`` document; one for each run that trained."""

    at: float
    """Seconds since 1970."""
    cause: str
    reasons: tuple[str, ...]
    seconds: float
    """Of training."""
    proposed: bool
    sentence: str
    gain: float | None
