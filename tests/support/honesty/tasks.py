"""The rules of the policy packs that the other parts leave out: other tasks than binary, floors, leaks, folds, slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from modelyard.gate.comparisons import non_inferiority
from modelyard.gate.watches import find_watch
from modelyard.manifests.watches import ConfidenceWatch, QualityWatch
from modelyard.metrics.evaluation import Comparison, Holdout, MetricResult, compare
from modelyard.metrics.folds import stability
from modelyard.metrics.leakage import input_strengths
from modelyard.metrics.scores import Floats, Settings, auc
from modelyard.metrics.window import Confidence, Realised

from support.honesty.candidates import COMMON, SETTINGS, logistic, parts
from support.honesty.claim import Claim, Trial
from support.honesty.production import EMPTY, WEEKLY

Made = Callable[[np.random.Generator, int, float], Holdout]
"""Held-out rows with two models; the candidate's own mistakes have a standard deviation that is given."""
ALIKE = 0.2
"""Own mistakes of models that were retrained alike; those that both make have a deviation of 0.5."""
_LISTED = 50
"""Documents of a query, one of which is relevant."""


def multiclass(rng: np.random.Generator, count: int, own: float) -> Holdout:
    """Three classes, about equally many rows each."""
    known = 1.5 * rng.normal(size=(count, 3))
    label = np.argmax(known + rng.gumbel(size=known.shape), axis=1).astype(np.float64)
    mistaken = known + rng.normal(0, 0.5, known.shape)
    first, second = (_softmax(mistaken + rng.normal(0, noise, known.shape)) for noise in (own, ALIKE))
    return Holdout(label, first, second, {}, {}, None)


def regression(rng: np.random.Generator, count: int, own: float) -> Holdout:
    """Numbers of which a model knows half of the variance."""
    known = rng.normal(size=count)
    mistaken = known + rng.normal(0, 0.5, count)
    label = known + rng.normal(size=count)
    first, second = (mistaken + rng.normal(0, noise, count) for noise in (own, ALIKE))
    return Holdout(label, first, second, {}, {}, None)


def ranking(rng: np.random.Generator, count: int, own: float) -> Holdout:
    """Queries of fifty documents, of which one is relevant; ``count`` is that of the queries."""
    size = count * _LISTED
    query = np.repeat(np.arange(count), _LISTED)
    label = np.zeros(size)
    label[np.arange(count) * _LISTED + rng.integers(0, _LISTED, count)] = 1.0
    mistaken = 2.5 * label + rng.normal(0, 0.8, size)
    first, second = (mistaken + rng.normal(0, n, size) for n in (own, ALIKE))
    return Holdout(label, first, second, {}, {}, None, queries=query)


def _softmax(values: Floats) -> Floats:
    raised = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float64)


_MADE: dict[str, Made] = {"multiclass": multiclass, "regression": regression, "ranking": ranking}


def _compared(holdout: Holdout, task: str) -> Comparison:
    return compare(holdout, task, Settings(threshold=0.35), 100, 400)


def _margin(result: MetricResult, margin: float, relative: bool) -> float:
    return margin * abs(result.champion or 0.0) if relative else margin


def against_champion(
    task: str, metric: str, margin: float, count: int, outcome: str, own: float = ALIKE, *, relative: bool = False
) -> Trial:
    """Whether a candidate whose own mistakes are so large has this outcome."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        found = _compared(_MADE[task](rng, count, own), task)
        return [
            non_inferiority(m, _margin(m, margin, relative))[0] == outcome for m in found.metrics if m.name == metric
        ]

    return trial


def slices(task: str, metric: str, margin: float, size: int, worse: float = ALIKE, *, relative: bool = False) -> Trial:
    """Twenty slices; in the first the candidate makes own mistakes of ``worse``: whether a slice is called inferior."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        rows = _MADE[task](rng, 20 * size, ALIKE)
        each = size * (_LISTED if task == "ranking" else 1)
        levels = parts(20, "s", each)
        if worse > ALIKE:
            other = np.asarray(rows.candidate + rng.normal(0, worse, rows.candidate.shape))
            other = _softmax(np.log(rows.candidate) + (other - rows.candidate)) if task == "multiclass" else other
            first = levels.codes == 0
            changed = np.where(first[:, None] if other.ndim == 2 else first, other, rows.candidate)
            rows = replace(rows, candidate=np.asarray(changed))
        found = _compared(replace(rows, slices={"s": levels}), task)
        judged = [m for part in found.slices for m in part.metrics if m.name == metric]
        return [any(non_inferiority(m, _margin(m, margin, relative))[0] == "fail" for m in judged)]

    return trial


def above_floor(task: str, metric: str, floor: float, count: int, *, knows: bool) -> Trial:
    """Whether a model reaches the floor: one that knows nothing of the label, or one that knows as much as the others."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        if task == "binary":
            known = COMMON + 1.2 * rng.normal(size=count)
            label = (rng.random(count) < logistic(known)).astype(np.float64)
            score = known if knows else rng.normal(size=count)
            return [(auc(label, score) or 0.0) >= floor]
        rows = _MADE[task](rng, count, ALIKE)
        if not knows:
            rows = replace(rows, candidate=_MADE[task](rng, count, ALIKE).candidate[rng.permutation(rows.label.size)])
        return [m.candidate is not None and m.candidate >= floor
                for m in _compared(replace(rows, champion=None), task).metrics if m.name == metric]  # fmt: skip

    return trial


def leaks(limit: float, count: int, wrong: float | None) -> Trial:
    """Whether an input is called a leak: a copy of the label with a share of rows ``wrong``, or for None a strong and
    honest one, whose AUC alone is about 0.75.
    """

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        known = rng.normal(size=count)
        label = (rng.random(count) < logistic(COMMON + 1.2 * known)).astype(np.float64)
        column = known if wrong is None else np.where(rng.random(count) < wrong, 1 - label, label)
        [found] = input_strengths({"x": column}, label)
        return [found.auc is not None and found.auc > limit]

    return trial


def unstable(limit: float, broken: float) -> Trial:
    """Whether five folds of 1,000 rows vary more than the limit, one of them with noise of ``broken`` more."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        known = rng.normal(size=5000)
        label = (rng.random(known.size) < logistic(COMMON + 1.2 * known)).astype(np.float64)
        fold = np.repeat(np.arange(5), 1000)
        score = logistic(COMMON + 1.2 * known + rng.normal(0, 0.5, known.size))
        noisy = logistic(COMMON + 1.2 * known + rng.normal(0, 0.5 + broken, known.size))
        score = np.where((fold == 0) & (broken > 0), noisy, score)
        found = stability(label, score, tuple("abcde"), fold.astype(np.int64), "binary", SETTINGS)
        assert found is not None
        return [(m.deviation or 0.0) > limit for m in found.metrics if m.name == "auc"]

    return trial


def realised(task: str, metric: str, margin: float, own: float, *, relative: bool = False) -> Trial:
    """A week of 2,000 labels against a baseline of 2,000 held-out rows: whether the quality rule alarms."""
    watch = QualityWatch(id="q", why="w", metric=metric, margin=margin, relative=relative, minimum_labels=500)  # type: ignore[arg-type]

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        before, after = (
            _compared(replace(_MADE[task](rng, 2000, noise), champion=None), task).metrics for noise in (ALIKE, own)
        )
        baseline = next(m.candidate for m in before if m.name == metric) or 0.0
        week = Realised(due=2000, labelled=2000, missing=0, oldest_missing_days=None, metrics=after)
        month = replace(EMPTY, realised=week, accepted={metric: baseline}, held_out=2000)
        return [find_watch(watch, month, WEEKLY).outcome == "fail"]

    return trial


def unsure(fall: float, extra: float) -> Trial:
    """Mean confidence of a day of 500 rows against 2,000 held-out ones, with inputs that say less by ``extra``: alarm."""
    watch = ConfidenceWatch(id="c", why="w", maximum_fall=fall)

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        held, day = (multiclass(rng, count, ALIKE).candidate for count in (2000, 500))
        day = _softmax(np.log(day) * (1 - extra))
        found = Confidence(float(day.max(axis=1).mean()), float(held.max(axis=1).mean()))
        return [find_watch(watch, replace(EMPTY, confidence=found), WEEKLY).outcome == "fail"]

    return trial


CLAIMS = (
    Claim("champion", "accuracy, margin 0.01, retrained alike, 5,000 rows: fails", "at most", 0.025, against_champion("multiclass", "accuracy", 0.01, 5000, "fail"), 100, 6),
    Claim("champion", "accuracy, margin 0.01, retrained alike, 5,000 rows: passes", "at least", 0.7, against_champion("multiclass", "accuracy", 0.01, 5000, "pass"), 100, 0),
    Claim("champion", "accuracy, margin 0.01, own mistakes six times as large, 5,000 rows: fails", "at least", 0.9, against_champion("multiclass", "accuracy", 0.01, 5000, "fail", 1.2), 100, 6),
    Claim("champion", "mean absolute error, margin 2 %, retrained alike, 2,000 rows: fails", "at most", 0.025, against_champion("regression", "mae", 0.02, 2000, "fail", relative=True), 100, 6),
    Claim("champion", "mean absolute error, margin 2 %, retrained alike, 2,000 rows: passes", "at least", 0.7, against_champion("regression", "mae", 0.02, 2000, "pass", relative=True), 100, 0),
    Claim("champion", "mean absolute error, margin 2 %, own mistakes four times as large, 2,000 rows: fails", "at least", 0.9, against_champion("regression", "mae", 0.02, 2000, "fail", 0.8, relative=True), 100, 6),
    Claim("champion", "NDCG, margin 0.01, retrained alike, 2,000 queries: fails", "at most", 0.025, against_champion("ranking", "ndcg", 0.01, 2000, "fail"), 20, 0),
    Claim("champion", "NDCG, margin 0.01, own mistakes four times as large, 2,000 queries: fails", "at least", 0.9, against_champion("ranking", "ndcg", 0.01, 2000, "fail", 0.8), 20, 0),
    Claim("slices", "20 slices of 300, three classes, accuracy, margin 0.03, models alike: fails", "at most", 0.025, slices("multiclass", "accuracy", 0.03, 300), 60, 0),
    Claim("slices", "20 slices of 1,000, three classes, one of them guessed: fails", "at least", 0.9, slices("multiclass", "accuracy", 0.03, 1000, 9.0), 20, 0),
    Claim("slices", "20 slices of 300, mean absolute error, margin 5 %, models alike: fails", "at most", 0.025, slices("regression", "mae", 0.05, 300, relative=True), 60, 0),
    Claim("slices", "20 slices of 300, mean absolute error twice as large in one: fails", "at least", 0.9, slices("regression", "mae", 0.05, 300, 2.0, relative=True), 20, 0),
    Claim("floors", "a binary model that knows nothing, 1,000 rows: reaches an AUC of 0.65", "at most", 0.01, above_floor("binary", "auc", 0.65, 1000, knows=False), 200, 20),
    Claim("floors", "a binary model that knows the chances, 1,000 rows: reaches an AUC of 0.65", "at least", 0.95, above_floor("binary", "auc", 0.65, 1000, knows=True), 200, 20),
    Claim("floors", "a model of three classes that knows nothing, 1,000 rows: reaches a macro F1 of 0.4", "at most", 0.01, above_floor("multiclass", "macro_f1", 0.4, 1000, knows=False), 100, 5),
    Claim("floors", "a model of three classes that knows half, 1,000 rows: reaches a macro F1 of 0.4", "at least", 0.95, above_floor("multiclass", "macro_f1", 0.4, 1000, knows=True), 100, 5),
    Claim("floors", "a model of numbers that knows nothing, 1,000 rows: reaches an R² of 0.1", "at most", 0.01, above_floor("regression", "r2", 0.1, 1000, knows=False), 100, 5),
    Claim("floors", "a model of numbers that knows half the variance, 1,000 rows: reaches an R² of 0.1", "at least", 0.95, above_floor("regression", "r2", 0.1, 1000, knows=True), 100, 5),
    Claim("floors", "a random order of fifty with one relevant, 500 queries: reaches an NDCG of 0.4", "at most", 0.01, above_floor("ranking", "ndcg", 0.4, 500, knows=False), 20, 0),
    Claim("leakage", "an honest input with an AUC of about 0.75 alone, 1,000 rows: called a leak (0.85)", "at most", 0.01, leaks(0.85, 1000, None), 200, 20),
    Claim("leakage", "the same with the limit 0.8 of regulated, 5,000 rows: called a leak", "at most", 0.01, leaks(0.8, 5000, None), 100, 10),
    Claim("leakage", "a copy of the label with a tenth of it wrong, 1,000 rows: called a leak (0.85)", "at least", 0.99, leaks(0.85, 1000, 0.1), 200, 20),
    Claim("folds", "five folds of 1,000 rows, nothing wrong: the AUC varies by more than 0.05", "at most", 0.01, unstable(0.05, 0.0), 200, 20),
    Claim("folds", "five folds of 1,000 rows, one of them nearly guessed: the AUC varies by more than 0.05", "at least", 0.9, unstable(0.05, 6.0), 200, 20),
    Claim("monitoring", "three classes, accuracy, margin 0.03, nothing wrong, 2,000 labels a week: alarm", "at most", 0.02, realised("multiclass", "accuracy", 0.03, ALIKE), 100, 6),
    Claim("monitoring", "three classes, accuracy lower by 0.15, 2,000 labels a week: found", "at least", 0.9, realised("multiclass", "accuracy", 0.03, 2.0), 60, 6),
    Claim("monitoring", "mean absolute error, margin 10 %, nothing wrong, 2,000 labels a week: alarm", "at most", 0.02, realised("regression", "mae", 0.1, ALIKE, relative=True), 100, 6),
    Claim("monitoring", "mean absolute error larger by a half, 2,000 labels a week: found", "at least", 0.9, realised("regression", "mae", 0.1, 1.3, relative=True), 60, 6),
    Claim("monitoring", "confidence of 500 rows a day, nothing wrong: it falls by more than 0.05", "at most", 0.0027, unsure(0.05, 0.0), 200, 20),
    Claim("monitoring", "confidence of 500 rows a day, scores that know half as much: it falls by more than 0.05", "at least", 0.9, unsure(0.05, 0.5), 200, 20),
)  # fmt: skip
