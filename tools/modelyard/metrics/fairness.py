"""Gaps between groups as Fairlearn defines them, with intervals and a minimum number of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelyard.metrics.intervals import Interval, Resampling, defined, percentile_interval
from modelyard.metrics.scores import Floats
from modelyard.metrics.slices import Levels

MINIMUM_OF_EACH_CLASS = 30
MEASURES = (
    "demographic_parity_difference", "demographic_parity_ratio", "equalized_odds_difference",
    "equal_opportunity_difference",
)  # fmt: skip


@dataclass(frozen=True)
class GroupRates:
    """One level of a group column. Rates are None below the minimum support."""

    level: str
    rows: int
    sufficient: bool
    selection_rate: float | None
    true_positive_rate: float | None
    false_positive_rate: float | None
    selection_interval: Interval | None = None
    true_positive_interval: Interval | None = None
    false_positive_interval: Interval | None = None


@dataclass(frozen=True)
class Gap:
    """The largest difference (or smallest ratio) between two groups with enough rows."""

    measure: str
    candidate: float | None
    interval: Interval | None
    champion: float | None
    change: float | None = None
    """Candidate − champion."""
    change_interval: Interval | None = None


@dataclass(frozen=True)
class GroupFairness:
    """One group column."""

    column: str
    groups: tuple[GroupRates, ...]
    gaps: tuple[Gap, ...]


def group_fairness(
    column: str,
    levels: Levels,
    label: Floats,
    candidate: Floats,
    champion: Floats | None,
    threshold: float,
    resampling: Resampling,
    minimum_support: int,
) -> GroupFairness:
    """Selection rate, TPR and FPR by group, and the gaps between groups that have enough rows of each class.

    Intervals are percentiles of replicates of whole blocks, also for composite measures. Groups with too few rows are
    listed without rates.
    """
    mine = _by_block(levels, label, candidate, threshold, resampling)
    totals = mine.sum(axis=0)
    rows, positives, negatives = totals[:, 0], totals[:, 2], totals[:, 4]
    enough = (rows >= minimum_support) & (positives >= MINIMUM_OF_EACH_CLASS) & (negatives >= MINIMUM_OF_EACH_CLASS)
    rates = _rates(totals)
    drawn = _rates(resampling.replicates(mine))
    groups = tuple(
        _group(name, int(rows[g]), bool(enough[g]), rates[g], drawn[:, g]) for g, name in enumerate(levels.names)
        if rows[g]
    )  # fmt: skip
    if enough.sum() < 2:
        return GroupFairness(column, groups, ())
    now, spread = _gaps(rates[enough]), _gaps(drawn[:, enough])
    before: Floats | None = None
    moves: Floats | None = None
    if champion is not None:
        theirs = _by_block(levels, label, champion, threshold, resampling)
        before = _gaps(_rates(theirs.sum(axis=0))[enough])
        moves = spread - _gaps(_rates(resampling.replicates(theirs))[:, enough])
    gaps = []
    for i, measure in enumerate(MEASURES):
        old = defined(before[i]) if before is not None else None
        value = defined(now[i])
        change = value - old if value is not None and old is not None else None
        moved = percentile_interval(moves[:, i]) if moves is not None else None
        gaps.append(Gap(measure, value, percentile_interval(spread[:, i]), old, change, moved))
    return GroupFairness(column, groups, tuple(gaps))


def _group(name: str, rows: int, enough: bool, rates: Floats, drawn: Floats) -> GroupRates:
    if not enough:
        return GroupRates(name, rows, False, None, None, None)
    selection, hits, alarms = (percentile_interval(drawn[:, i]) for i in range(3))
    return GroupRates(name, rows, True, float(rates[0]), float(rates[1]), float(rates[2]), selection, hits, alarms)


def _by_block(levels: Levels, label: Floats, prediction: Floats, threshold: float, resampling: Resampling) -> Floats:
    """(blocks, groups, 6): row counted, selected, positive, true positive, negative, false positive."""
    selected, positive = prediction >= threshold, label == 1
    facts = (None, selected, positive, positive & selected, ~positive, ~positive & selected)
    count = len(levels.names)
    return np.stack(
        [resampling.counts(levels.codes, count, None if fact is None else fact.astype(np.float64)) for fact in facts],
        axis=-1,
    )


def _rates(sums: Floats) -> Floats:
    """Sums (..., groups, 6) to selection rate, TPR and FPR (..., groups, 3)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([sums[..., i + 1] / sums[..., i] for i in (0, 2, 4)], axis=-1)


def _gaps(rates: Floats) -> Floats:
    """Rates (..., groups, 3) to the measures (..., 4)."""
    high, low = rates.max(axis=-2), rates.min(axis=-2)
    spread = high - low
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(high[..., 0] > 0, low[..., 0] / high[..., 0], np.nan)
    parity, opportunity, false_positives = spread[..., 0], spread[..., 1], spread[..., 2]
    return np.stack([parity, ratio, np.maximum(opportunity, false_positives), opportunity], axis=-1)
