"""Held-out rows whose decision changes from champion to candidate: what reviewers read before any average."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from modelyard.metrics.scores import Floats, Integers
from modelyard.metrics.slices import Levels

SHOWN = 20


@dataclass(frozen=True)
class Driver:
    """An input, and how much more it speaks for a positive decision than it did (in the model's raw score)."""

    input: str
    change: float


@dataclass(frozen=True)
class FlippedRow:
    """One row, by its id."""

    id: str
    label: float
    champion: float
    candidate: float
    drivers: tuple[Driver, ...] = ()


@dataclass(frozen=True)
class SliceFlips:
    """Flips among the rows with one level of one column."""

    column: str
    level: str
    rows: int
    to_positive: int
    to_negative: int


@dataclass(frozen=True)
class Flips:
    """How many rows flip, how many of them to the right answer, where, and those that moved the most."""

    to_positive: int
    to_negative: int
    right: int = 0
    """Flips after which the decision equals the outcome."""
    slices: tuple[SliceFlips, ...] = ()
    rows: tuple[FlippedRow, ...] = field(default=())


def count_flips(
    candidate: Floats, champion: Floats, label: Floats, slices: Mapping[str, Levels], threshold: float
) -> Flips:
    """Counts by direction and by slice, the slices with the largest share of flips first (at most 20)."""
    up, down = _directions(candidate, champion, threshold)
    found = []
    for column, levels in slices.items():
        size = len(levels.names)
        rows, to_positive, to_negative = (np.bincount(levels.codes, weights, size) for weights in (None, up, down))
        found += [
            SliceFlips(column, name, int(rows[i]), int(to_positive[i]), int(to_negative[i]))
            for i, name in enumerate(levels.names)
            if to_positive[i] or to_negative[i]
        ]
    found.sort(key=lambda s: (-(s.to_positive + s.to_negative) / s.rows, s.column, s.level))
    right = int(((up & (label == 1)) | (down & (label == 0))).sum())
    return Flips(int(up.sum()), int(down.sum()), right, tuple(found[:SHOWN]))


def most_moved(candidate: Floats, champion: Floats, threshold: float) -> Integers:
    """Places of the flipped rows whose prediction moved the most, at most 20."""
    up, down = _directions(candidate, champion, threshold)
    flipped = np.flatnonzero(up | down)
    moved = np.abs(candidate[flipped] - champion[flipped])
    return flipped[np.argsort(-moved, kind="stable")[:SHOWN]]


def _directions(
    candidate: Floats, champion: Floats, threshold: float
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.bool_]], np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    before, after = champion >= threshold, candidate >= threshold
    return after & ~before, before & ~after
