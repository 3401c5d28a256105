"""Gaps between groups, in Fairlearn's definitions, each with an interval and a minimum of rows behind it.

The largest of many differences is large by chance alone, and so is every replicate of it. An interval of a gap
therefore comes from intervals of all pairwise differences that hold at once (the largest studentised deviation of any
pair in the bootstrap, as Tukey's and Romano & Wolf's, JASA 2005): a gap is at least the largest lower bound of any
pair, and at most the largest upper bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelyard.metrics.intervals import (
    CONFIDENCE,
    FEWEST_BLOCKS,
    Interval,
    Resampling,
    defined,
    effective,
    percentile_interval,
)
from modelyard.metrics.scores import Floats
from modelyard.metrics.slices import Levels
from modelyard.metrics.tails import t_quantile

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
    """The largest difference (or smallest ratio) between two groups with enough rows. Without five blocks of rows it
    has no interval.
    """

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

    Groups that are left out for want of rows are listed without rates.
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
    now = _gaps(rates[enough])
    blocks = effective(mine[:, :, 0].sum(axis=1))
    ours = _Pairs.of(totals[enough], drawn[:, enough], blocks)
    before: Floats | None = None
    theirs: _Pairs | None = None
    moves: _Pairs | None = None
    if champion is not None:
        other = _by_block(levels, label, champion, threshold, resampling)
        sums = other.sum(axis=0)[enough]
        redrawn = _rates(resampling.replicates(other))[:, enough]
        before = _gaps(_rates(sums))
        theirs = _Pairs.of(sums, redrawn, blocks)
        moves = _Pairs(
            rates[enough] - _rates(sums), drawn[:, enough] - redrawn, blocks, np.zeros((int(enough.sum()), 3))
        )
    gaps = []
    for i, measure in enumerate(MEASURES):
        old = defined(before[i]) if before is not None else None
        value = defined(now[i])
        change = value - old if value is not None and old is not None else None
        moved = _change(measure, ours, theirs, moves) if theirs is not None and moves is not None else None
        gaps.append(Gap(measure, value, ours.gap(measure, 1 - CONFIDENCE), old, change, moved))
    return GroupFairness(column, groups, tuple(gaps))


class _Pairs:
    """All pairwise differences of rates, with bounds that hold for all of them at once."""

    _MOST = 2**22
    """Elements of the largest array that is made at a time."""

    def __init__(self, rates: Floats, drawn: Floats, blocks: float, floor: Floats) -> None:
        """``rates`` (groups, 3), ``drawn`` (replicates, groups, 3); ``floor`` is the least variance of each rate."""
        self._rates, self._deviations, self._blocks, self._floor = rates, drawn - rates, blocks, floor
        self._logs: _Pairs | None = None

    @classmethod
    def of(cls, totals: Floats, drawn: Floats, blocks: float) -> _Pairs:
        """From sums (groups, 6). A rate of 0 or 1 has no spread in any replicate: the binomial one is the least."""
        trials, hits = totals[:, 0::2], totals[:, 1::2]
        smooth = (hits + 0.5) / (trials + 1)
        made = cls(hits / trials, drawn, blocks, smooth * (1 - smooth) / trials)
        least = 0.5 / (trials + 1)
        made._logs = cls(np.log(smooth), np.log(np.maximum(drawn, least)), blocks, (1 - smooth) / (smooth * trials))
        return made

    def gap(self, measure: str, alpha: float) -> Interval | None:
        """The interval of a measure that fails with a probability of ``alpha``; None with fewer than five blocks."""
        if self._blocks < FEWEST_BLOCKS - 0.5:
            return None
        if measure == "demographic_parity_ratio":
            logs = self._logs.largest([0], alpha) if self._logs else None
            return Interval(float(np.exp(-logs.high)), float(np.exp(-logs.low))) if logs else None
        return self.largest(_PARTS[measure], alpha)

    def largest(self, parts: list[int], alpha: float) -> Interval | None:
        """Of the largest difference between two groups in any of these rates."""
        deviations = self._deviations[:, :, parts]
        known = np.isfinite(deviations).all(axis=(1, 2))
        if known.mean() < 0.9:
            return None
        deviations = deviations[known]
        raised = self._blocks / (self._blocks - 1)  # a bootstrap of few blocks is too narrow
        covariance = np.einsum("rgp,rhp->pgh", deviations, deviations) / len(deviations) * raised
        own = np.maximum(np.einsum("pgg->pg", covariance), self._floor[:, parts].T)
        squared = own[:, :, None] + own[:, None, :] - 2 * covariance
        first, second = np.triu_indices(self._rates.shape[0], 1)
        errors = np.sqrt(np.maximum(squared[:, first, second], 1e-18))  # (parts, pairs)
        furthest = np.empty(len(deviations))
        step = max(self._MOST // max(errors.size, 1), 1)
        for at in range(0, len(deviations), step):
            part = np.moveaxis(deviations[at : at + step], 2, 1)
            furthest[at : at + step] = (np.abs(part[:, :, first] - part[:, :, second]) / errors).max(axis=(1, 2))
        share = 1 - alpha / 2
        reach = np.quantile(furthest, 1 - alpha) * t_quantile(share, self._blocks - 1) / t_quantile(share, np.inf)
        found = self._rates[:, parts].T
        differences = np.abs(found[:, first] - found[:, second])
        low, high = (differences - reach * errors).max(), (differences + reach * errors).max()
        return Interval(max(float(low), 0.0), float(high))


_PARTS = {
    "demographic_parity_difference": [0], "equal_opportunity_difference": [1], "equalized_odds_difference": [1, 2],
}  # fmt: skip


def _change(measure: str, ours: _Pairs, theirs: _Pairs, moves: _Pairs) -> Interval | None:
    """Of candidate − champion. A gap moves by no more than the pair that moves the most, which is known well where both
    models decide alike; and by no less than the bounds of both gaps lie apart, which is known well where they do not.
    """
    alpha = (1 - CONFIDENCE) / 2
    one, other = ours.gap(measure, alpha / 2), theirs.gap(measure, alpha / 2)
    if one is None or other is None:
        return None
    low, high = one.low - other.high, one.high - other.low
    paired = moves.gap(measure, alpha)
    return Interval(max(low, -paired.high), min(high, paired.high)) if paired else Interval(low, high)


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
