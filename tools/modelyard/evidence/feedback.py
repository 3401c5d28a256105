"""What came of joining outcomes to predictions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Joined:
    """What became of the window's predictions and of the outcomes. Every one of both is in exactly one count."""

    predictions: int
    """Answered ones, without shadows'."""
    labelled: int
    """Rows of the increment: new, or corrected."""
    corrected: int
    """Of those: rows that an earlier increment holds with another outcome."""
    known: int
    """Rows that an earlier increment holds as they are."""
    repeated: int
    """Predictions whose outcome went to a newer prediction of the same id."""
    waiting: int
    """Predictions without an outcome yet."""
    outcomes: int
    """As delivered."""
    duplicates: int
    changed: int
    contradicting: int
    """Ids."""
    unreadable: int
    unknown: int
    """Ids of outcomes for which nothing was predicted in the window."""
    lacking: tuple[str, ...] = ()
    """Inputs that are not in the log as they were sent, for they are personal."""
