"""Thresholds of drift: how much windows of a reference differ from the rest of it, by window size.

A window is a sequence of consecutive time blocks, not shuffled rows. Flights of one day share its weather, so a week
differs from a quarter by more than chance, and that is not drift.
"""

from __future__ import annotations

import math

import numpy as np

from modelyard.metrics.distances import js_distance
from modelyard.metrics.profile import WindowThreshold
from modelyard.metrics.scores import Floats, Integers

SIZES = (200, 1_000, 10_000, 100_000)
QUANTILE = 0.99
_SEED = 20130101
_WINDOWS = 200
_FEWEST = 20


def window_thresholds(codes: Integers, bins: int, blocks: Integers | None) -> tuple[WindowThreshold, ...]:
    """Thresholds by window size. ``codes`` (rows,) is each row's bin, ``blocks`` (rows,) its time block from 0 on.

    There is no threshold for sizes above a quarter of the rows, or with fewer than 20 windows. From a window with more
    rows than its size, rows are drawn.
    """
    if blocks is None or not codes.size:
        return ()
    table = np.zeros((int(blocks.max()) + 1, bins))
    np.add.at(table, (blocks, codes), 1)
    table = table[table.sum(axis=1) > 0]
    generator = np.random.default_rng(_SEED)
    found = []
    for size in SIZES:
        if size * 4 > codes.size:
            break
        distances = _distances(table, size, generator)
        if len(distances) >= _FEWEST:
            found.append(WindowThreshold(size, float(np.quantile(distances, QUANTILE))))
    return tuple(found)


def threshold_at(thresholds: tuple[WindowThreshold, ...], rows: int, reference: int, bins: int) -> float:
    """The threshold for a window of ``rows``: interpolated by 1/√rows between calibrated sizes, else the nearest.

    Without calibration it is the distance that chance alone exceeds once in a hundred. JS² of two samples of one
    distribution is about χ²(bins − 1) · (1/n + 1/m) / 8 (from the second-order expansion of the divergence).
    """
    if not thresholds:
        return math.sqrt(_chi_square_quantile(max(bins - 1, 1)) * (1 / max(rows, 1) + 1 / max(reference, 1)) / 8)
    sizes = [1 / math.sqrt(t.rows) for t in reversed(thresholds)]
    return float(np.interp(1 / math.sqrt(max(rows, 1)), sizes, [t.js for t in reversed(thresholds)]))


def _distances(table: Floats, size: int, generator: np.random.Generator) -> list[float]:
    rows = table.sum(axis=1)
    upto = np.concatenate([[0], np.cumsum(rows)])
    sums = np.vstack([np.zeros(table.shape[1]), np.cumsum(table, axis=0)])
    whole = sums[-1]
    starts = np.flatnonzero(upto[-1] - upto[:-1] >= size)
    if starts.size > _WINDOWS:
        starts = starts[np.linspace(0, starts.size - 1, _WINDOWS).astype(np.int64)]
    found = []
    for start in starts.tolist():
        end = int(np.searchsorted(upto, upto[start] + size))
        inside = sums[end] - sums[start]
        rest = whole - inside
        if inside.sum() > size:
            inside = generator.multinomial(size, inside / inside.sum()).astype(np.float64)
        if rest.sum() > 0:
            found.append(js_distance(rest, inside))
    return found


def _chi_square_quantile(degrees: int) -> float:
    """The 99 % quantile of χ² (Wilson & Hilferty 1931; within 1 % of the exact one)."""
    z = 2.3263478740408408
    part = 2 / (9 * degrees)
    return degrees * (1 - part + z * math.sqrt(part)) ** 3
