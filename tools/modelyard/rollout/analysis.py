"""The analysis of a rollout step: tests whether the candidate is worse than the champion on their shared traffic."""

from __future__ import annotations

from typing import Literal

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from modelyard.manifests.deployment import Analysis, LatencyAnalysis
from modelyard.rollout.progress import Judgement, Outcome
from modelyard.rollout.sequential import Interval, distribution, mean, quantile_ranks, share

Floats = NDArray[np.float64]
Health = Literal["healthy", "down", "failed", "unknown"]
_NONE: Floats = np.empty(0)


class Samples(Struct, frozen=True):
    """Measurements of one version since the rollout began. Arrays may be shorter than ``requests``, in any order."""

    requests: int = 0
    errors: int = 0
    latencies: Floats = field(default_factory=lambda: _NONE)
    """Milliseconds (requests,)."""
    scores: Floats = field(default_factory=lambda: _NONE)
    """(rows,)."""
    confidences: Floats = field(default_factory=lambda: _NONE)
    """(rows,) in [0, 1]."""
    losses: Floats = field(default_factory=lambda: _NONE)
    """(labelled rows,) in [0, 1]."""


class Finding(Struct, frozen=True):
    """The result of one test."""

    test: str
    outcome: Outcome
    sentence: str


def analyse(
    analysis: Analysis | None, champion: Samples, candidate: Samples, health: Health, why: str = ""
) -> tuple[Finding, ...]:
    """The results of all tests of a step. A failed health check is the only finding; without analysis there is none.

    Each test gets an equal part of ``alpha`` (Bonferroni).
    """
    if health == "failed":
        return (Finding("health", "fail", f"the candidate does not work: {why or 'it cannot be loaded'}"),)
    if analysis is None:
        return ()
    if health == "down":
        return (Finding("health", "inconclusive", f"the target does not answer: {why or 'no server runs'}"),)
    least = analysis.minimum_samples
    rules = (analysis.errors, analysis.latency, analysis.scores, analysis.confidence, analysis.ground_truth)
    alpha = analysis.alpha / max(1, sum(rule is not None for rule in rules))
    found = []
    if analysis.errors:
        found.append(_errors(analysis.errors.margin, least, champion, candidate, alpha))
    if analysis.latency:
        found.append(_latency(analysis.latency, least, champion.latencies, candidate.latencies, alpha))
    if analysis.scores:
        found.append(_scores(analysis.scores.margin, least, champion.scores, candidate.scores, alpha))
    if analysis.confidence:
        doubts = 1 - champion.confidences, 1 - candidate.confidences
        found.append(_means("confidence", "doubt", analysis.confidence.margin, least, *doubts, alpha))
    if analysis.ground_truth:
        losses = champion.losses, candidate.losses
        found.append(_means("ground_truth", "loss", analysis.ground_truth.margin, least, *losses, alpha))
    return tuple(found)


def judge_step(findings: tuple[Finding, ...]) -> Judgement:
    """The judgement of a step: fail if one test fails, else inconclusive if one is, else pass."""
    for outcome in ("fail", "inconclusive"):
        for finding in findings:
            if finding.outcome == outcome:
                return Judgement(outcome, f"{finding.test}: {finding.sentence}")
    sentences = "; ".join(f"{finding.test}: {finding.sentence}" for finding in findings)
    return Judgement("pass", sentences or "this step has no tests")


def _errors(margin: float, least: int, champion: Samples, candidate: Samples, alpha: float) -> Finding:
    if thin := _thin("errors", least, champion.requests, candidate.requests):
        return thin
    ours = share(candidate.errors, candidate.requests, alpha / 2)
    theirs = share(champion.errors, champion.requests, alpha / 2)
    rates = candidate.errors / candidate.requests, champion.errors / champion.requests
    return _compared("errors", f"{rates[0]:.2%} of requests fail, champion {rates[1]:.2%}", ours, theirs, margin)


def _latency(rule: LatencyAnalysis, least: int, champion: Floats, candidate: Floats, alpha: float) -> Finding:
    relative = rule.maximum_ratio is not None
    ours, theirs = np.sort(candidate), np.sort(champion)
    if thin := _thin("latency", least, len(theirs) if relative else None, len(ours)):
        return thin
    parts = 2 if relative else 1
    low, high = _quantile(ours, rule.quantile, alpha / parts)
    bounds = []
    if rule.maximum_milliseconds is not None:
        bounds.append((rule.maximum_milliseconds, rule.maximum_milliseconds))
    if rule.maximum_ratio is not None:
        bottom, top = _quantile(theirs, rule.quantile, alpha / parts)
        bounds.append((bottom * rule.maximum_ratio, top * rule.maximum_ratio))
    shown = f"the {rule.quantile:.0%} quantile is between {low:.3g} and {high:.3g} ms"
    if any(low > top for _, top in bounds):
        return Finding("latency", "fail", f"{shown}, above the limit of {min(top for _, top in bounds):.3g} ms")
    if all(high <= bottom for bottom, _ in bounds):
        return Finding("latency", "pass", shown)
    return Finding("latency", "inconclusive", f"{shown}; more traffic is needed to compare it with the limit")


def _scores(margin: float, least: int, champion: Floats, candidate: Floats, alpha: float) -> Finding:
    if thin := _thin("scores", least, len(champion), len(candidate)):
        return thin
    distance = ks_distance(np.sort(candidate), np.sort(champion))
    slack = distribution(len(candidate), alpha / 2) + distribution(len(champion), alpha / 2)
    interval = Interval(distance - slack, distance + slack)
    return _bounded("scores", f"the distributions of scores differ by {distance:.3f}", interval, margin)


def _means(
    name: str, what: str, margin: float, least: int, champion: Floats, candidate: Floats, alpha: float
) -> Finding:
    if thin := _thin(name, least, len(champion), len(candidate)):
        return thin
    ours, theirs = float(candidate.mean()), float(champion.mean())
    shown = f"mean {what} {ours:.4f}, champion {theirs:.4f}"
    return _compared(name, shown, mean(ours, len(candidate), alpha / 2), mean(theirs, len(champion), alpha / 2), margin)


def ks_distance(one: Floats, other: Floats) -> float:
    """The Kolmogorov–Smirnov distance of two arrays of sorted values, shapes (n,) and (m,)."""
    points = np.concatenate([one, other])
    ours = np.searchsorted(one, points, side="right") / len(one)
    theirs = np.searchsorted(other, points, side="right") / len(other)
    return float(np.abs(ours - theirs).max())


def _thin(name: str, least: int, champion: int | None, candidate: int) -> Finding | None:
    for who, count in (("the candidate", candidate), ("the champion", champion)):
        if count is not None and count < least:
            return Finding(name, "inconclusive", f"{count} of {least} samples of {who}")
    return None


def _compared(name: str, shown: str, ours: Interval, theirs: Interval, margin: float) -> Finding:
    return _bounded(name, shown, Interval(ours.low - theirs.high, ours.high - theirs.low), margin)


def _bounded(name: str, shown: str, difference: Interval, margin: float) -> Finding:
    """Fail when the whole interval is above the margin, pass when the whole interval is at or below it."""
    if difference.low > margin:
        return Finding(name, "fail", f"{shown}: worse by at least {difference.low:.3g}, margin {margin:g}")
    if difference.high <= margin:
        return Finding(name, "pass", f"{shown}: worse by at most {max(difference.high, 0.0):.3g}, margin {margin:g}")
    return Finding(name, "inconclusive", f"{shown}: more traffic is needed to compare it with the margin {margin:g}")


def _quantile(values: Floats, quantile: float, alpha: float) -> tuple[float, float]:
    low, high = quantile_ranks(quantile, len(values), alpha)
    return (float(values[low]) if low >= 0 else 0.0, float(values[high]) if high < len(values) else float("inf"))
