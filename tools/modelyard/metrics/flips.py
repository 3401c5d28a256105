"""Flips: held-out rows whose decision changes from champion to candidate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from modelyard.metrics.scores import Floats, Integers
from modelyard.metrics.slices import Levels

SHOWN = 20


@dataclass(frozen=True)
class Driver:
    """An input, and the change of its contribution to the raw score (positive: towards a positive decision)."""

    input: str
    change: float


@dataclass(frozen=True)
class FlippedRow:
    """One flipped row, by its id."""

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
    """The number of flips, of flips to the correct label, flips by slice, and the rows with the largest change."""

    to_positive: int
    to_negative: int
    right: int = 0
    """Flips after which the decision equals the label."""
    slices: tuple[SliceFlips, ...] = ()
    rows: tuple[FlippedRow, ...] = field(default=())


def count_flips(
    candidate: Floats, champion: Floats, label: Floats, slices: Mapping[str, Levels], threshold: float
) -> Flips:
    """Flips by direction and by slice, slices with the largest share first (at most 20)."""
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
    """Indices of the flipped rows with the largest change of prediction, at most 20."""
    up, down = _directions(candidate, champion, threshold)
    flipped = np.flatnonzero(up | down)
    moved = np.abs(candidate[flipped] - champion[flipped])
    return flipped[np.argsort(-moved, kind="stable")[:SHOWN]]


def _directions(
    candidate: Floats, champion: Floats, threshold: float
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.bool_]], np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    before, after = champion >= threshold, candidate >= threshold
    return after & ~before, before & ~after
