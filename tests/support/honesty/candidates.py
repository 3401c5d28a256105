"""Candidates against champions: equal models that a gate must not fail, intervals that must hold the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from modelyard.gate.comparisons import non_inferiority
from modelyard.gate.findings import find_fairness
from modelyard.manifests.policy import FairnessCheck
from modelyard.metrics.curves import average_precision, calibration, recall_at_precision
from modelyard.metrics.evaluation import Comparison, Evaluation, Holdout, compare
from modelyard.metrics.intervals import Resampling
from modelyard.metrics.leakage import Leakage
from modelyard.metrics.scores import Floats, Integers, Settings, auc
from modelyard.metrics.slices import Levels

from support.honesty.claim import Claim, Trial

SETTINGS = Settings(threshold=0.35, precision=0.9)
COMMON, RARE, VERY_RARE = -1.7, -3.2, -5.2
"""Base rates of 22, 6 and 1 %."""


def logistic(value: Floats) -> Floats:
    """1 / (1 + e^−x)."""
    return np.asarray(1 / (1 + np.exp(-value)), dtype=np.float64)


def rows(
    rng: np.random.Generator,
    count: int,
    base: float,
    days: int = 0,
    noises: tuple[float, float] = (0.6, 0.6),
    slope: float = 1.2,
) -> tuple[Floats, Floats, Floats, Integers | None]:
    """Labels, two models' predictions that differ by noise, and days that move all three."""
    known = rng.normal(size=count)
    blocks: Integers | None = None
    moved: list[Floats] = [np.zeros(count)] * 3
    if days:
        blocks = np.sort(rng.integers(0, days, count))
        blocks = np.unique(blocks, return_inverse=True)[1].astype(np.int64)
        moved = [rng.normal(0, 0.8, days)[blocks] for _ in range(3)]
    label = (rng.random(count) < logistic(base + slope * known + moved[0])).astype(np.float64)
    first, second = (
        logistic(base + slope * known + rng.normal(0, noise, count) + own)
        for noise, own in zip(noises, moved[1:], strict=True)
    )
    return label, first, second, blocks


def parts(count: int, name: str, size: int) -> Levels:
    """So many levels of equal size."""
    return Levels(tuple(f"{name}{i:02}" for i in range(count)), np.repeat(np.arange(count), size).astype(np.int64))


def compared(holdout: Holdout, support: int = 100) -> Comparison:
    """As ``evaluate`` compares binary models, with fewer replicates."""
    return compare(holdout, "binary", SETTINGS, support, 400)


def evaluation_of(found: Comparison, rows: int) -> Evaluation:
    """What a rule reads."""
    return Evaluation(
        task="binary", rows=rows, positives=None, threshold=0.35, champion="v1.0.0", identical_bytes=False,
        metrics=found.metrics, slices=found.slices, fairness=found.fairness, calibration=None,
        champion_calibration=None, flips=None, leakage=Leakage((), 0, None), inputs_added=(), inputs_removed=(),
    )  # fmt: skip


def failing_groups(count: int, size: int, check: FairnessCheck) -> Trial:
    """Two equal models, equal groups: whether the rule fails."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        label, first, second, _ = rows(rng, count * size, COMMON)
        found = compared(Holdout(label, first, second, {}, {"g": parts(count, "g", size)}, None))
        return [find_fairness(check, evaluation_of(found, label.size)).outcome == "fail"]

    return trial


def unequal_groups(gap: float, size: int, check: FairnessCheck) -> Trial:
    """Two groups, one of which is selected more often by the candidate alone: whether the rule fails."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        label, first, second, _ = rows(rng, 2 * size, COMMON)
        groups = parts(2, "g", size)
        raised = (groups.codes == 1) & (rng.random(label.size) < gap)
        first = np.where(raised, 0.99, first)
        found = compared(Holdout(label, first, second, {}, {"g": groups}, None))
        return [find_fairness(check, evaluation_of(found, label.size)).outcome == "fail"]

    return trial


def failing_slices(base: float, days: int, margin: float, worse: float = 0.6, size: int = 300) -> Trial:
    """Twenty slices; in the first the candidate has the noise ``worse``: whether a slice is called inferior."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        label, first, second, _ = rows(rng, 20 * size, base)
        levels = parts(20, "s", size)
        if worse > 0.6:
            first = np.where(
                levels.codes == 0, logistic(np.log(first / (1 - first)) + rng.normal(0, worse, label.size)), first
            )
        blocks = rng.integers(0, days, label.size) if days else None
        found = compared(Holdout(label, first, second, {"s": levels}, {}, blocks))
        judged = [m for part in found.slices for m in part.metrics if m.name == "auc"]
        return [any(non_inferiority(m, margin)[0] == "fail" for m in judged)]

    return trial


def failing_champion(count: int, days: int, metric: str, margin: float, worse: float = 0.6) -> Trial:
    """Whether a candidate with that noise is called inferior to a champion with a noise of 0.6."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        label, first, second, blocks = rows(rng, count, COMMON, days, (worse, 0.6))
        found = compared(Holdout(label, first, second, {}, {}, blocks))
        return [non_inferiority(m, margin)[0] == "fail" for m in found.metrics if m.name == metric]

    return trial


@cache
def truth(metric: str, base: float, days: int, slope: float) -> float:
    """The true difference of the two models of ``covered``, from two million rows."""
    rng = np.random.default_rng(8)
    measure: dict[str, Callable[[Floats, Floats], float | None]] = {
        "auc": auc,
        "average_precision": average_precision,
        "recall_at_precision": lambda y, p: recall_at_precision(y, p, SETTINGS.precision),
        "log_loss": lambda y, p: float(-np.mean(np.where(y == 1, np.log(p), np.log(1 - p)))),
        "brier": lambda y, p: float(np.mean((p - y) ** 2)),
    }
    found = []
    for _ in range(5):
        label, first, second, _ = rows(rng, 400_000, base, 8_000 if days else 0, (0.6, 0.9), slope)
        found.append((measure[metric](label, first) or 0.0) - (measure[metric](label, second) or 0.0))
    return float(np.mean(found))


def covered(metric: str, count: int, base: float, days: int = 0, slope: float = 1.2) -> Trial:
    """Whether the interval holds the truth; no chance where it says that there is too little to say."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        label, first, second, blocks = rows(rng, count, base, days, (0.6, 0.9), slope)
        if not label.any():
            return []
        found = compared(Holdout(label, first, second, {}, {}, blocks))
        judged = [m.interval for m in found.metrics if m.name == metric and m.interval is not None]
        return [i.low <= truth(metric, base, days, slope) <= i.high for i in judged]

    return trial


def said(metric: str, count: int, base: float) -> Trial:
    """Whether there is an interval at all."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        label, first, second, _ = rows(rng, count, base, 0, (0.6, 0.9))
        found = compared(Holdout(label, first, second, {}, {}, None))
        return [m.interval is not None for m in found.metrics if m.name == metric]

    return trial


def passing_champion(count: int, metric: str, margin: float) -> Trial:
    """Whether a candidate that was retrained alike is non-inferior, so that nobody has to waive the rule. Both make the
    same mistakes, and own ones that are less than half as large.
    """

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        known = COMMON + 1.2 * rng.normal(size=count)
        label = (rng.random(count) < logistic(known)).astype(np.float64)
        mistaken = known + rng.normal(0, 0.5, count)
        first, second = (logistic(mistaken + rng.normal(0, 0.2, count)) for _ in range(2))
        found = compared(Holdout(label, first, second, {}, {}, None))
        return [non_inferiority(m, margin)[0] == "pass" for m in found.metrics if m.name == metric]

    return trial


def slide(steps: int, each: float, margin: float) -> Trial:
    """The last of so many versions, each of which makes mistakes larger by ``each`` than the one before: whether it fails
    against the best of them, by values that were measured on other rows.
    """

    def model(rng: np.random.Generator, known: Floats, shared: Floats, place: int) -> Floats:
        return logistic(known + shared * (1 + place * each) + rng.normal(0, 0.2, known.size))

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        registered = []
        for place in range(steps):
            known = COMMON + 1.2 * rng.normal(size=5000)
            label = (rng.random(known.size) < logistic(known)).astype(np.float64)
            registered.append(auc(label, model(rng, known, rng.normal(0, 0.5, known.size), place)) or 0.0)
        best = int(np.argmax(registered))
        known = COMMON + 1.2 * rng.normal(size=5000)
        label = (rng.random(known.size) < logistic(known)).astype(np.float64)
        shared = rng.normal(0, 0.5, known.size)
        now, then = model(rng, known, shared, steps), model(rng, known, shared, best)
        found = compared(Holdout(label, now, then, {}, {}, None))
        return [non_inferiority(m, margin)[0] == "fail" for m in found.metrics if m.name == "auc"]

    return trial


def miscalibrated(count: int, limit: float, factor: float) -> Trial:
    """Whether the calibration rule fails; a ``factor`` of 1 is a calibrated model."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        score = logistic(COMMON + 1.2 * rng.normal(size=count))
        label = (rng.random(count) < score * factor).astype(np.float64)
        found = calibration(label, score, Resampling(count, None, 1, 100))
        return [found is not None and found.expected_error > limit]

    return trial


def _fair(**limits: float) -> FairnessCheck:
    measure = "equalized_odds_difference" if "maximum_increase" in limits else "demographic_parity_difference"
    return FairnessCheck(id="fair", why="fair", measure=measure, bound="interval", **limits)  # type: ignore[arg-type]


_PARITY = _fair(maximum=0.1)
_ODDS = _fair(maximum=0.1, maximum_increase=0.02)
CLAIMS = (
    Claim("groups", "20 equal groups of 200: a gap above 0.1 is proven", "at most", 0.025, failing_groups(20, 200, _PARITY), 150, 10),
    Claim("groups", "20 equal groups of 500: a gap above 0.1 is proven", "at most", 0.025, failing_groups(20, 500, _PARITY), 100, 0),
    Claim("groups", "regulated equal-errors, equal models, 2 groups of 2,000: fails", "at most", 0.05, failing_groups(2, 2000, _ODDS), 100, 6),
    Claim("groups", "regulated equal-errors, equal models, 20 groups of 2,000: fails", "at most", 0.05, failing_groups(20, 2000, _ODDS), 60, 0),
    Claim("groups", "2 groups of 2,000, a gap of 0.2 where 0.1 is allowed: fails", "at least", 0.9, unequal_groups(0.25, 2000, _PARITY), 60, 6),
    Claim("slices", "20 slices of 300, 1 % positive, equal models, by 60 days: fails", "at most", 0.025, failing_slices(VERY_RARE, 60, 0.03), 120, 0),
    Claim("slices", "20 slices of 300, 1 % positive, equal models: fails", "at most", 0.025, failing_slices(VERY_RARE, 0, 0.03), 120, 8),
    Claim("slices", "20 slices of 300, 6 % positive, equal models, by 60 days: fails", "at most", 0.025, failing_slices(RARE, 60, 0.03), 120, 8),
    Claim("slices", "20 slices of 300, 6 % positive, equal models: fails", "at most", 0.025, failing_slices(RARE, 0, 0.03), 60, 0),
    Claim("slices", "20 slices of 300, 22 % positive, equal models: fails", "at most", 0.025, failing_slices(COMMON, 0, 0.03), 60, 0),
    Claim("slices", "20 slices of 1,000, one of them ranked at random by the candidate: fails", "at least", 0.9, failing_slices(COMMON, 0, 0.03, 9.0, 1000), 30, 3),
    *(
        Claim("champion", f"{metric} by {days} blocks: the 95 % interval holds the truth", "at least", 0.93, covered(metric, 2000, COMMON, days), 300, 30 if days == 5 else 0)
        for metric in ("auc", "log_loss") for days in (5, 10, 20, 60)
    ),
    *(
        Claim("champion", f"average precision, 2 % positive, {count:,} rows: holds the truth, or too few to say", "at least", 0.93, covered("average_precision", count, -4.8), 150, few)
        for count, few in ((200, 20), (1000, 20), (5000, 0), (10000, 0))
    ),
    *(
        Claim("champion", f"recall at precision 0.9, {count:,} rows: holds the truth, or too few to say", "at least", 0.93, covered("recall_at_precision", count, COMMON, 0, 3.0), 100, few)
        for count, few in ((1000, 20), (5000, 0), (20000, 0))
    ),
    Claim("champion", "average precision, 2 % positive, 10,000 rows: there is an interval", "at least", 0.95, said("average_precision", 10_000, -4.8), 40, 3),
    Claim("champion", "recall at precision 0.9, 20,000 rows: there is an interval", "at least", 0.95, said("recall_at_precision", 20_000, COMMON), 20, 0),
    Claim("champion", "auc, margin 0.01, equal models, 2,000 rows by 20 days: fails", "at most", 0.025, failing_champion(2000, 20, "auc", 0.01), 300, 20),
    Claim("champion", "log loss, margin 0.01, equal models, 2,000 rows by 20 days: fails", "at most", 0.025, failing_champion(2000, 20, "log_loss", 0.01), 300, 20),
    Claim("champion", "auc, margin 0.01, much noisier predictions, 5,000 rows by 60 days: fails", "at least", 0.9, failing_champion(5000, 60, "auc", 0.01, 2.5), 100, 8),
    Claim("champion", "standard, auc margin 0.01, retrained alike, 1,000 rows: passes", "at least", 0.5, passing_champion(1000, "auc", 0.01), 100, 0),
    Claim("champion", "standard, auc margin 0.01, retrained alike, 5,000 rows: passes", "at least", 0.95, passing_champion(5000, "auc", 0.01), 100, 10),
    Claim("champion", "standard, log loss margin 0.01, retrained alike, 1,000 rows: passes", "at least", 0.7, passing_champion(1000, "log_loss", 0.01), 100, 0),
    Claim("champion", "best of 10, auc margin 0.02, ten versions alike: the next one fails", "at most", 0.025, slide(10, 0.0, 0.02), 100, 5),
    Claim("champion", "best of 10, auc margin 0.02, ten versions that each slid a little: the next one fails", "at least", 0.9, slide(10, 0.2, 0.02), 60, 5),
    Claim("champion", "regulated, auc margin 0.005, retrained alike, 5,000 rows: passes", "at least", 0.5, passing_champion(5000, "auc", 0.005), 100, 0),
    Claim("calibration", "standard, a calibrated model, 1,000 rows: fails", "at most", 0.05, miscalibrated(1000, 0.08, 1.0), 300, 20),
    Claim("calibration", "regulated, a calibrated model, 5,000 rows: fails", "at most", 0.05, miscalibrated(5000, 0.05, 1.0), 200, 0),
    Claim("calibration", "standard, every probability twice what is true, 1,000 rows: fails", "at least", 0.9, miscalibrated(1000, 0.08, 0.5), 200, 15),
)  # fmt: skip
