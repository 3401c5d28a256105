"""Gaps between groups, in Fairlearn's definitions, each with an interval and a minimum of rows behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.measure.intervals import Interval, Resampling, percentile_interval
from modelyard.measure.scores import Floats

MINIMUM_OF_EACH_CLASS = 30
_MEASURES = ("demographic_parity_difference", "equalized_odds_difference", "equal_opportunity_difference")


@dataclass(frozen=True)
class GroupRates:
    """One level of a group column. Rates are None below the minimum support."""

    level: str
    rows: int
    sufficient: bool
    selection_rate: float | None
    true_positive_rate: float | None
    false_positive_rate: float | None


@dataclass(frozen=True)
class Gap:
    """The largest difference between two groups with enough rows."""

    measure: str
    candidate: float | None
    interval: Interval | None
    champion: float | None


@dataclass(frozen=True)
class GroupFairness:
    """One group column."""

    column: str
    groups: tuple[GroupRates, ...]
    gaps: tuple[Gap, ...]


def group_fairness(
    column: str,
    levels: NDArray[np.str_],
    label: Floats,
    candidate: Floats,
    champion: Floats | None,
    threshold: float,
    resampling: Resampling,
    minimum_support: int,
) -> GroupFairness:
    """Selection rate, TPR and FPR by group, and the gaps between groups that have enough rows of each class."""
    names, codes = np.unique(levels, return_inverse=True)
    mine = _terms(codes, len(names), label, candidate, threshold)
    totals = mine.sum(axis=0).reshape(len(names), 6)
    rows, positives, negatives = totals[:, 0], totals[:, 2], totals[:, 4]
    enough = (rows >= minimum_support) & (positives >= MINIMUM_OF_EACH_CLASS) & (negatives >= MINIMUM_OF_EACH_CLASS)
    rates = _rates(totals)
    groups = tuple(
        GroupRates(str(name), int(rows[g]), bool(enough[g]), *(_shown(rates[g, r], enough[g]) for r in range(3)))
        for g, name in enumerate(names)
    )
    if enough.sum() < 2:
        return GroupFairness(column, groups, ())
    now = _gaps(rates[enough])
    spread = _gaps(_rates(resampling.sums(mine).reshape(-1, len(names), 6))[:, enough])
    before: list[float | None] = [None] * 3
    if champion is not None:
        theirs = _terms(codes, len(names), label, champion, threshold).sum(axis=0).reshape(len(names), 6)
        before = [float(value) for value in _gaps(_rates(theirs)[enough])]
    gaps = tuple(
        Gap(measure, float(now[i]), percentile_interval(spread[:, i]), before[i]) for i, measure in enumerate(_MEASURES)
    )
    return GroupFairness(column, groups, gaps)


def _terms(codes: NDArray[np.int64], groups: int, label: Floats, prediction: Floats, threshold: float) -> Floats:
    """(rows, groups·6): for each group, row counted, selected, positive, true positive, negative, false positive."""
    selected, positive = prediction >= threshold, label == 1
    facts = np.column_stack(
        [np.ones(label.size), selected, positive, positive & selected, ~positive, ~positive & selected]
    )
    wide = np.zeros((label.size, groups, 6))
    wide[np.arange(label.size), codes] = facts
    return wide.reshape(label.size, groups * 6)


def _rates(sums: Floats) -> Floats:
    """Sums (..., groups, 6) to selection rate, TPR and FPR (..., groups, 3)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([sums[..., i + 1] / sums[..., i] for i in (0, 2, 4)], axis=-1)


def _gaps(rates: Floats) -> Floats:
    """Rates (..., groups, 3) to the three measures (..., 3)."""
    spread = rates.max(axis=-2) - rates.min(axis=-2)
    parity, opportunity, false_positives = spread[..., 0], spread[..., 1], spread[..., 2]
    return np.stack([parity, np.maximum(opportunity, false_positives), opportunity], axis=-1)


def _shown(value: float, enough: bool) -> float | None:
    return float(value) if enough else None
