"""Evaluation of candidate and champion on the same held-out rows: metrics, slices, differences, intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics.curves import (
    Calibration,
    average_precision,
    binned,
    calibration,
    curve_bins,
    recall_at_precision,
)
from modelyard.metrics.fairness import GroupFairness, group_fairness
from modelyard.metrics.flips import Flips, count_flips
from modelyard.metrics.folds import Stability
from modelyard.metrics.held_out import HeldOut, HoldoutChange
from modelyard.metrics.intervals import (
    FEWEST_BLOCKS,
    FEWEST_OF_A_CLASS,
    REPLICATES,
    Interval,
    Resampling,
    bootstrap_spread,
    defined,
    delong_spread,
    effective,
)
from modelyard.metrics.leakage import Leakage
from modelyard.metrics.scores import TASKS, Floats, Integers, Settings, SumMetric, auc, query_scores
from modelyard.metrics.slices import Levels

SEED = 20130101


@dataclass(frozen=True)
class Holdout:
    """The held-out rows. Every array has one entry per row."""

    label: Floats
    """Multiclass: codes of the classes. Ranking: relevance."""
    candidate: Floats
    """(rows,); multiclass: (rows, classes)."""
    champion: Floats | None
    """None for a first version."""
    slices: dict[str, Levels]
    groups: dict[str, Levels]
    blocks: Integers | None
    """Block codes from 0 (rows,); rows of one block depend on each other."""
    queries: Integers | None = None
    """Ranking: query codes from 0 (rows,); rows of one query are ranked together."""


@dataclass(frozen=True)
class MetricResult:
    """One metric. ``difference`` is candidate − champion; values are None where the metric is undefined."""

    name: str
    higher_is_better: bool
    candidate: float | None
    champion: float | None
    difference: float | None
    interval: Interval | None
    """95 % interval of the paired difference; of the candidate's own value when there is no champion."""
    method: str
    reason: str = ""
    """Why there is no interval; '' where there is one."""


@dataclass(frozen=True)
class SliceResult:
    """The metrics of the rows with one level of one column. Intervals hold for all slices together."""

    column: str
    level: str
    rows: int
    sufficient: bool
    metrics: tuple[MetricResult, ...]


@dataclass(frozen=True)
class BaselineResult:
    """The candidate against another version than the champion, on the same rows."""

    opponent: str
    """What the policy asks for, such as the best of the last ten versions by auc."""
    version: str
    metrics: tuple[MetricResult, ...]


@dataclass(frozen=True)
class Evaluation:
    """The evaluation of a candidate on the holdout."""

    task: str
    rows: int
    positives: int | None
    threshold: float
    champion: str | None
    """The champion's version, or None for a first version."""
    identical_bytes: bool
    metrics: tuple[MetricResult, ...]
    slices: tuple[SliceResult, ...]
    fairness: tuple[GroupFairness, ...]
    calibration: Calibration | None
    champion_calibration: Calibration | None
    flips: Flips | None
    leakage: Leakage
    inputs_added: tuple[str, ...]
    inputs_removed: tuple[str, ...]
    baselines: tuple[BaselineResult, ...] = ()
    notes: tuple[str, ...] = ()
    stability: Stability | None = None
    smallest_class: int | None = None
    """The rows of the smallest class; None without classes."""
    declared: tuple[str, ...] = ("groups", "slices", "folds")
    """Which of groups, slices and folds the model declares. Rules for undeclared ones do not apply."""
    held_out: HeldOut | None = None
    holdout_change: HoldoutChange | None = None
    """None for a first version."""

    def against(self, opponent: str) -> BaselineResult | None:
        """The comparison with what a policy asks for; None when it was not made."""
        return next((result for result in self.baselines if result.opponent == opponent), None)

    def metric(self, name: str) -> MetricResult | None:
        """The result of a metric over all rows."""
        return next((result for result in self.metrics if result.name == name), None)


@dataclass(frozen=True)
class Comparison:
    """The part of an evaluation that follows from the rows alone."""

    metrics: tuple[MetricResult, ...]
    slices: tuple[SliceResult, ...]
    fairness: tuple[GroupFairness, ...]
    calibration: Calibration | None
    champion_calibration: Calibration | None
    flips: Flips | None


def compare(
    holdout: Holdout, task: str, settings: Settings, minimum_support: int, replicates: int = REPLICATES
) -> Comparison:
    """Measures the candidate, against the champion where there is one. Seeded: the same rows give the same values."""
    if task == "ranking":
        holdout = _by_query(holdout, settings)
    resampling = Resampling(holdout.label.size, holdout.blocks, SEED, replicates)
    terms = _terms(holdout, task, settings)
    metrics = _sum_metrics(holdout, task, resampling.by_block(terms), resampling, 1)[0]
    if task != "binary":
        return Comparison(metrics, _slices(holdout, task, terms, minimum_support, resampling), (), None, None, None)
    champion = holdout.champion
    return Comparison(
        metrics=(_auc(holdout.label, holdout.candidate, champion, holdout.blocks, 1),
                 *_curve_metrics(holdout, settings, resampling), *metrics),
        slices=_slices(holdout, task, terms, minimum_support, resampling),
        fairness=tuple(
            group_fairness(name, levels, holdout.label, holdout.candidate, champion, settings.threshold, resampling,
                           minimum_support)
            for name, levels in holdout.groups.items()
        ),
        calibration=calibration(holdout.label, holdout.candidate, resampling),
        champion_calibration=calibration(holdout.label, champion, resampling) if champion is not None else None,
        flips=count_flips(holdout.candidate, champion, holdout.label, holdout.slices, settings.threshold)
        if champion is not None else None,
    )  # fmt: skip


def _by_query(holdout: Holdout, settings: Settings) -> Holdout:
    """The samples with one row per query, which has the query's scores instead of predictions."""
    queries = holdout.queries
    if queries is None:
        raise ValueError("ranking needs queries")
    _, first = np.unique(queries, return_index=True)
    candidate, champion = (
        query_scores(holdout.label, scores, queries, settings.at) if scores is not None else None
        for scores in (holdout.candidate, holdout.champion)
    )
    return Holdout(
        holdout.label[first],
        candidate if candidate is not None else np.empty((0, 2)),
        champion,
        {name: levels.first_of(first) for name, levels in holdout.slices.items()},
        {},
        np.unique(holdout.blocks[first], return_inverse=True)[1] if holdout.blocks is not None else None,
    )


def _terms(holdout: Holdout, task: str, settings: Settings) -> Floats:
    """Terms of the candidate, followed by those of the champion (rows, k or 2k)."""
    make = TASKS[task].terms
    mine = make(holdout.label, holdout.candidate, settings)
    if holdout.champion is None:
        return mine
    return np.column_stack([mine, make(holdout.label, holdout.champion, settings)])


def _slices(
    holdout: Holdout, task: str, terms: Floats, minimum_support: int, resampling: Resampling
) -> tuple[SliceResult, ...]:
    judged = {name: _judged(holdout, task, levels, minimum_support) for name, levels in holdout.slices.items()}
    comparisons = int(sum(enough.sum() for enough in judged.values()))
    results = []
    for column, levels in holdout.slices.items():
        by_block = resampling.by_block(terms, levels.codes, len(levels.names))
        metrics = _sum_metrics(holdout, task, by_block, resampling, comparisons)
        areas = _slice_areas(holdout, levels, judged[column], comparisons) if task == "binary" else {}
        sizes = np.bincount(levels.codes, minlength=len(levels.names)).tolist()
        for code, level in enumerate(levels.names):
            enough = bool(judged[column][code])
            found = (*areas.get(code, ()), *metrics[code]) if enough else ()
            if sizes[code]:
                results.append(SliceResult(column, level, sizes[code], enough, found))
    return tuple(results)


def _judged(holdout: Holdout, task: str, levels: Levels, minimum_support: int) -> NDArray[np.bool_]:
    """Which levels (levels,) have enough rows, and of a binary model ten of each class."""
    rows = np.bincount(levels.codes, minlength=len(levels.names))
    if task != "binary":
        return np.asarray(rows >= minimum_support)
    positives = np.bincount(levels.codes, weights=holdout.label == 1, minlength=len(levels.names))
    smallest = np.minimum(positives, rows - positives)
    return np.asarray((rows >= minimum_support) & (smallest >= FEWEST_OF_A_CLASS))


def _slice_areas(
    holdout: Holdout, levels: Levels, judged: NDArray[np.bool_], comparisons: int
) -> dict[int, list[MetricResult]]:
    """AUC by level: rows are put in the order of their levels once, and each level is a run of them."""
    order = np.argsort(levels.codes, kind="stable")
    ends = np.cumsum(np.bincount(levels.codes, minlength=len(levels.names)))
    label, candidate = holdout.label[order], holdout.candidate[order]
    champion = holdout.champion[order] if holdout.champion is not None else None
    blocks = holdout.blocks[order] if holdout.blocks is not None else None
    found = {}
    for code in np.flatnonzero(judged).tolist():
        part = slice(int(ends[code - 1]) if code else 0, int(ends[code]))
        found[code] = [_auc(label[part], candidate[part], champion[part] if champion is not None else None,
                            blocks[part] if blocks is not None else None, comparisons)]  # fmt: skip
    return found


def _auc(
    label: Floats, candidate: Floats, champion: Floats | None, blocks: Integers | None, comparisons: int
) -> MetricResult:
    mine = auc(label, candidate)
    theirs = auc(label, champion) if champion is not None else None
    spread = delong_spread(label, candidate, champion, blocks)
    difference = mine - theirs if mine is not None and theirs is not None else None
    centre = difference if champion is not None else mine
    interval = spread.around(centre, comparisons) if centre is not None and spread is not None else None
    method = "DeLong, by block" if blocks is not None else "DeLong"
    used = int(np.unique(blocks).size) if blocks is not None and interval is None else None
    reason = "" if interval else _too_few(float((label == 1).sum()), float((label != 1).sum()), used)
    return MetricResult("auc", True, mine, theirs, difference, interval, method, reason)


def _too_few(positives: float, negatives: float, blocks: float | None) -> str:
    """Why a metric has no interval."""
    if min(positives, negatives) < FEWEST_OF_A_CLASS:
        return f"{min(positives, negatives):.0f} rows of a class are too few to say; {FEWEST_OF_A_CLASS} are needed"
    if blocks is not None and blocks < FEWEST_BLOCKS:
        return f"{blocks:.0f} blocks are too few to say; {FEWEST_BLOCKS} are needed"
    return "it is undefined in too many resamples"


def _curve_metrics(holdout: Holdout, settings: Settings, resampling: Resampling) -> list[MetricResult]:
    """Exact values; standard errors from replicates of at most 513 bins."""
    sides = [holdout.candidate] if holdout.champion is None else [holdout.candidate, holdout.champion]
    hits = (holdout.label == 1).astype(np.float64)
    exact: list[list[float | None]] = []
    drawn: list[tuple[Floats, Floats]] = []
    known = np.empty(0)
    for scores in sides:
        exact.append([average_precision(holdout.label, scores),
                      recall_at_precision(holdout.label, scores, settings.precision)])  # fmt: skip
        bins, count = curve_bins(holdout.label, scores)
        sums = np.stack([resampling.counts(bins, count), resampling.counts(bins, count, hits)], axis=1)
        known = sums.sum(axis=2)
        drawn.append(binned(resampling.replicates(sums), settings.precision))
    positives = effective(known[:, 1])
    results = []
    for i, name in enumerate(("average_precision", "recall_at_precision")):
        mine, theirs = exact[0][i], exact[1][i] if len(sides) > 1 else None
        difference = mine - theirs if mine is not None and theirs is not None else None
        centre = difference if len(sides) > 1 else mine
        moves = drawn[0][i] - drawn[1][i] if len(sides) > 1 else drawn[0][i]
        spread = bootstrap_spread(moves, min(effective(known[:, 0]), positives))
        enough = known[:, 1].sum() >= FEWEST_OF_A_CLASS
        interval = spread.around(centre) if centre is not None and spread is not None and enough else None
        reason = "" if interval else _too_few(float(known[:, 1].sum()), np.inf, effective(known[:, 0]))
        results.append(MetricResult(name, True, mine, theirs, difference, interval, _method(holdout), reason))
    return results


def _sum_metrics(
    holdout: Holdout, task: str, by_block: Floats, resampling: Resampling, comparisons: int
) -> list[tuple[MetricResult, ...]]:
    """All metrics of each cell, from sums (cells, blocks, k); intervals hold for so many comparisons at once."""
    replicates = resampling.replicates(np.moveaxis(by_block, 0, 1))
    totals = by_block.sum(axis=1)
    champion = holdout.champion is not None
    k = totals.shape[-1] // (2 if champion else 1)
    return [
        tuple(
            _sum_metric(
                metric, holdout, totals[cell], replicates[:, cell], k, effective(by_block[cell, :, 0]), comparisons
            )
            for metric in TASKS[task].metrics
        )
        for cell in range(totals.shape[0])
    ]


def _sum_metric(
    metric: SumMetric, holdout: Holdout, total: Floats, replicates: Floats, k: int, blocks: float, comparisons: int
) -> MetricResult:
    mine = defined(metric.value(total[:k]))
    theirs = defined(metric.value(total[k:])) if holdout.champion is not None else None
    moves = metric.value(replicates[:, :k])
    if holdout.champion is not None:
        moves = moves - metric.value(replicates[:, k:])
    difference = mine - theirs if mine is not None and theirs is not None else None
    centre = difference if holdout.champion is not None else mine
    spread = bootstrap_spread(moves, blocks)
    interval = spread.around(centre, comparisons) if centre is not None and spread is not None else None
    reason = "" if interval else _too_few(np.inf, np.inf, blocks)
    return MetricResult(
        metric.name, metric.higher_is_better, mine, theirs, difference, interval, _method(holdout), reason
    )


def _method(holdout: Holdout) -> str:
    return "bootstrap of blocks" if holdout.blocks is not None else "bootstrap"
