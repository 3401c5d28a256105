"""Candidate against champion on the same held-out rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.measure.calibration import Calibration, calibration
from modelyard.measure.fairness import GroupFairness, group_fairness
from modelyard.measure.intervals import (
    Interval,
    Resampling,
    bootstrap_error,
    delong_error,
    normal_interval,
    percentile_interval,
)
from modelyard.measure.leakage import Leakage
from modelyard.measure.scores import HIGHER_IS_BETTER, SUM_METRICS, Floats, Integers, SumMetric, auc

SEED = 20130101


@dataclass(frozen=True)
class Holdout:
    """Held-out rows, aligned: every array has one entry per row."""

    label: Floats
    candidate: Floats
    champion: Floats | None
    """None for a first version."""
    slices: dict[str, NDArray[np.str_]]
    groups: dict[str, NDArray[np.str_]]
    blocks: Integers | None
    """Codes from 0 of rows that depend on each other."""


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


@dataclass(frozen=True)
class SliceResult:
    """The metrics of the rows with one level of one column; intervals hold for all slices at once."""

    column: str
    level: str
    rows: int
    sufficient: bool
    metrics: tuple[MetricResult, ...]


@dataclass(frozen=True)
class Flips:
    """Rows whose decision changes from champion to candidate."""

    to_positive: int
    to_negative: int


@dataclass(frozen=True)
class Evaluation:
    """Everything measured on the holdout."""

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
    notes: tuple[str, ...] = ()

    def metric(self, name: str) -> MetricResult | None:
        """The result of one metric over all rows."""
        return next((result for result in self.metrics if result.name == name), None)


@dataclass(frozen=True)
class Comparison:
    """The part of an evaluation that comes from the rows alone."""

    metrics: tuple[MetricResult, ...]
    slices: tuple[SliceResult, ...]
    fairness: tuple[GroupFairness, ...]
    calibration: Calibration | None
    champion_calibration: Calibration | None
    flips: Flips | None


def compare(holdout: Holdout, task: str, threshold: float, minimum_support: int) -> Comparison:
    """Measures the candidate, against the champion where there is one. Seeded: the same rows give the same values."""
    rows = holdout.label.size
    resampling = Resampling(rows, holdout.blocks, SEED)
    everything = np.ones(rows, dtype=bool)
    metrics = _metrics(holdout, everything, task, threshold, resampling, comparisons=0)
    binary = task == "binary"
    return Comparison(
        metrics=metrics,
        slices=_slices(holdout, task, threshold, minimum_support, resampling),
        fairness=tuple(
            group_fairness(name, levels, holdout.label, holdout.candidate, holdout.champion, threshold, resampling,
                           minimum_support)
            for name, levels in holdout.groups.items()
        ) if binary else (),
        calibration=calibration(holdout.label, holdout.candidate) if binary else None,
        champion_calibration=calibration(holdout.label, holdout.champion)
        if binary and holdout.champion is not None else None,
        flips=_flips(holdout, threshold) if binary else None,
    )  # fmt: skip


def _slices(
    holdout: Holdout, task: str, threshold: float, minimum_support: int, resampling: Resampling
) -> tuple[SliceResult, ...]:
    found = []
    for column, levels in holdout.slices.items():
        names, codes = np.unique(levels, return_inverse=True)
        found += [(column, str(name), codes == code) for code, name in enumerate(names)]
    judged = sum(int(inside.sum()) >= minimum_support for _, _, inside in found)
    results = []
    for column, level, inside in found:
        rows = int(inside.sum())
        enough = rows >= minimum_support
        metrics = _metrics(holdout, inside, task, threshold, resampling, judged) if enough else ()
        results.append(SliceResult(column, level, rows, enough, metrics))
    return tuple(results)


def _metrics(
    holdout: Holdout,
    inside: NDArray[np.bool_],
    task: str,
    threshold: float,
    resampling: Resampling,
    comparisons: int,
) -> tuple[MetricResult, ...]:
    """All metrics of some rows. ``comparisons`` 0 asks for percentile intervals, k for intervals over k slices."""
    results = [_auc(holdout, inside, comparisons)] if task == "binary" else []
    results += [
        _sum_metric(metric, holdout, inside, threshold, resampling, comparisons) for metric in SUM_METRICS[task]
    ]
    return tuple(results)


def _auc(holdout: Holdout, inside: NDArray[np.bool_], comparisons: int) -> MetricResult:
    label, candidate = holdout.label[inside], holdout.candidate[inside]
    champion = holdout.champion[inside] if holdout.champion is not None else None
    blocks = holdout.blocks[inside] if holdout.blocks is not None else None
    mine = auc(label, candidate)
    theirs = auc(label, champion) if champion is not None else None
    error = delong_error(label, candidate, champion, blocks)
    difference = mine - theirs if mine is not None and theirs is not None else None
    centre = difference if champion is not None else mine
    interval = normal_interval(centre, error, comparisons) if centre is not None and error is not None else None
    method = "DeLong, by block" if blocks is not None else "DeLong"
    return MetricResult("auc", True, mine, theirs, difference, interval, method)


def _sum_metric(
    metric: SumMetric,
    holdout: Holdout,
    inside: NDArray[np.bool_],
    threshold: float,
    resampling: Resampling,
    comparisons: int,
) -> MetricResult:
    label = holdout.label[inside]
    columns = [np.ones((label.size, 1)), metric.terms(label, holdout.candidate[inside], threshold)]
    if holdout.champion is not None:
        columns.append(metric.terms(label, holdout.champion[inside], threshold))
    terms = np.column_stack(columns)
    k = columns[1].shape[1]

    def values(sums: Floats) -> tuple[Floats, Floats | None]:
        count = sums[..., 0]
        mine = metric.value(sums[..., 1 : 1 + k], count)
        return mine, metric.value(sums[..., 1 + k :], count) if holdout.champion is not None else None

    mine, theirs = values(terms.sum(axis=0))
    replicates = resampling.sums(terms, inside)
    of_mine, of_theirs = values(replicates)
    centre = mine - theirs if theirs is not None else mine
    spread = of_mine - of_theirs if of_theirs is not None else of_mine
    interval: Interval | None
    if comparisons:
        error = bootstrap_error(spread)
        interval = normal_interval(float(centre), error, comparisons) if error is not None else None
    else:
        interval = percentile_interval(spread)
    return MetricResult(
        metric.name,
        HIGHER_IS_BETTER[metric.name],
        _defined(mine),
        _defined(theirs),
        _defined(centre) if theirs is not None else None,
        interval if np.isfinite(centre) else None,
        "bootstrap of blocks" if holdout.blocks is not None else "bootstrap",
    )


def _flips(holdout: Holdout, threshold: float) -> Flips | None:
    if holdout.champion is None:
        return None
    before, after = holdout.champion >= threshold, holdout.candidate >= threshold
    return Flips(int((after & ~before).sum()), int((before & ~after).sum()))


def _defined(value: Floats | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None
