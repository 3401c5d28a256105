"""The analysis of a rollout step: tests whether the candidate is worse than the champion on their shared traffic."""

from __future__ import annotations

from typing import Literal

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace
from numpy.typing import NDArray

from modelyard.manifests.deployment import Analysis, LatencyAnalysis
from modelyard.rollout.progress import Judgement, Outcome
from modelyard.rollout.sequential import distribution, quantile_ranks
from modelyard.rollout.strata import Difference, Measured, compared, distance

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Health = Literal["healthy", "down", "failed", "unknown"]
_NONE: Floats = np.empty(0)
_NEVER: Integers = np.empty(0, dtype=np.int64)
_AT_MOST = 30.0
"""A test that needs more than so many times the traffic it has says that the difference is too near the margin."""


class Minutes(Struct, frozen=True):
    """When each measurement was made, in minutes since 1970; empty arrays where the target does not know."""

    requests: Integers = field(default_factory=lambda: _NEVER)
    """Of the requests that failed first, then of the others (requests,)."""
    latencies: Integers = field(default_factory=lambda: _NEVER)
    scores: Integers = field(default_factory=lambda: _NEVER)
    """Of scores and confidences (rows,)."""
    losses: Integers = field(default_factory=lambda: _NEVER)


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
    minutes: Minutes = field(default_factory=Minutes)

    @property
    def failures(self) -> Measured:
        """1 for each request that failed, 0 for each that did not."""
        return Measured(np.repeat([1.0, 0.0], [self.errors, self.requests - self.errors]), self.minutes.requests)


class Finding(Struct, frozen=True):
    """The result of one test."""

    test: str
    outcome: Outcome
    sentence: str


def analyse(
    analysis: Analysis | None,
    champion: Samples,
    candidate: Samples,
    health: Health,
    why: str = "",
    concurrent: bool = True,
) -> tuple[Finding, ...]:
    """The results of all tests of a step. A failed health check is the only finding; without analysis there is none.

    Each test gets an equal part of ``alpha`` (Bonferroni). Champion and candidate are compared minute by minute, so the
    whole rollout is one sequence and its steps need no parts of ``alpha``. Not ``concurrent`` are samples of the
    champion from before the candidate got all traffic; the findings then say that they compare before with after.
    """
    if health == "failed":
        return (Finding("health", "fail", f"the candidate does not work: {why or 'it cannot be loaded'}"),)
    if analysis is None:
        return ()
    if health == "down":
        return (Finding("health", "inconclusive", f"the target does not answer: {why or 'no server runs'}"),)
    if not concurrent:
        champion = replace(champion, minutes=Minutes())
    rules = (analysis.errors, analysis.latency, analysis.scores, analysis.confidence, analysis.ground_truth)
    test = _Test(analysis.minimum_samples, analysis.alpha / max(1, sum(rule is not None for rule in rules)), concurrent)
    theirs, ours = champion.minutes, candidate.minutes
    found = []
    if analysis.errors:
        rates = (f"{side.errors / max(side.requests, 1):.2%}" for side in (candidate, champion))
        shown = "{} of requests fail, champion {}".format(*rates)
        found.append(test.means("errors", shown, analysis.errors.margin, champion.failures, candidate.failures))
    if analysis.latency:
        sides = Measured(champion.latencies, theirs.latencies), Measured(candidate.latencies, ours.latencies)
        found.append(test.latency(analysis.latency, *sides))
    if analysis.scores:
        sides = Measured(champion.scores, theirs.scores), Measured(candidate.scores, ours.scores)
        found.append(test.scores(analysis.scores.margin, *sides))
    if analysis.confidence:
        sides = Measured(1 - champion.confidences, theirs.scores), Measured(1 - candidate.confidences, ours.scores)
        found.append(test.means("confidence", _shown("doubt", *sides), analysis.confidence.margin, *sides))
    if analysis.ground_truth:
        sides = Measured(champion.losses, theirs.losses), Measured(candidate.losses, ours.losses)
        found.append(test.means("ground_truth", _shown("loss", *sides), analysis.ground_truth.margin, *sides))
    return tuple(found)


def judge_step(findings: tuple[Finding, ...]) -> Judgement:
    """The judgement of a step: fail if one test fails, else inconclusive if one is, else pass."""
    for outcome in ("fail", "inconclusive"):
        for finding in findings:
            if finding.outcome == outcome:
                return Judgement(outcome, f"{finding.test}: {finding.sentence}")
    sentences = "; ".join(f"{finding.test}: {finding.sentence}" for finding in findings)
    return Judgement("pass", sentences or "this step has no tests")


def _shown(what: str, champion: Measured, candidate: Measured) -> str:
    ours, theirs = (float(side.values.mean()) if len(side.values) else 0.0 for side in (candidate, champion))
    return f"mean {what} {ours:.4f}, champion {theirs:.4f}"


class _Test:
    """Tests of one step, each of which takes a sound candidate back with probability ``alpha`` at most."""

    def __init__(self, least: int, alpha: float, concurrent: bool) -> None:
        self._least, self._alpha, self._concurrent = least, alpha, concurrent

    def means(self, name: str, shown: str, margin: float, champion: Measured, candidate: Measured) -> Finding:
        """Whether the candidate's mean is above the champion's by more than a margin."""
        if thin := self._thin(name, champion, candidate):
            return thin
        difference = compared(champion, candidate)
        interval = difference.interval(self._alpha)
        shown = self._said(shown, champion, candidate)
        if interval.low > margin:
            return Finding(name, "fail", f"{shown}: worse by at least {interval.low:.3g}, margin {margin:g}")
        if interval.high <= margin:
            return Finding(name, "pass", f"{shown}: worse by at most {max(interval.high, 0.0):.3g}, margin {margin:g}")
        return Finding(name, "inconclusive", f"{shown}: {self._needed(difference, margin, candidate)}")

    def latency(self, rule: LatencyAnalysis, champion: Measured, candidate: Measured) -> Finding:
        """Whether a quantile of the candidate's latency is above a limit, or above a ratio to the champion's."""
        relative = rule.maximum_ratio is not None
        if thin := self._thin("latency", champion if relative else None, candidate):
            return thin
        ours = np.sort(candidate.values)
        alpha = self._alpha / 2 if relative and rule.maximum_milliseconds is not None else self._alpha
        low, high = _quantile(ours, rule.quantile, alpha)
        shown = f"the {rule.quantile:.0%} quantile is between {low:.3g} and {high:.3g} ms"
        outcomes: list[Outcome] = []
        wanted = "more traffic is needed to compare it with the limit"
        if rule.maximum_milliseconds is not None:
            limit = rule.maximum_milliseconds
            outcomes.append("fail" if low > limit else "pass" if high <= limit else "inconclusive")
            if outcomes[0] == "fail":
                return Finding("latency", "fail", f"{shown}, above the limit of {limit:.3g} ms")
        if rule.maximum_ratio is not None:
            # As many of the candidate's answers, sped up by the ratio, as of the champion's may be slow.
            slow = float(np.quantile(champion.values, rule.quantile, method="higher"))
            scaled = (candidate.values > slow * rule.maximum_ratio).astype(np.float64)
            difference = compared(
                Measured((champion.values > slow).astype(np.float64), champion.minutes),
                Measured(scaled, candidate.minutes),
            )
            interval = difference.interval(alpha)
            shown = self._said(f"{shown}, the champion's is {slow:.3g} ms", champion, candidate)
            outcomes.append("fail" if interval.low > 0 else "pass" if interval.high <= 0 else "inconclusive")
            if outcomes[-1] == "fail":
                return Finding("latency", "fail", f"{shown}: more than {rule.maximum_ratio:g} times as long")
            wanted = self._needed(difference, 0.0, candidate)
        if all(outcome == "pass" for outcome in outcomes):
            return Finding("latency", "pass", shown)
        return Finding("latency", "inconclusive", f"{shown}; {wanted}")

    def scores(self, margin: float, champion: Measured, candidate: Measured) -> Finding:
        """Whether the distributions of scores are further apart than a margin."""
        if thin := self._thin("scores", champion, candidate):
            return thin
        found, rows = distance(champion, candidate)
        slack = distribution(rows, self._alpha)
        shown = self._said(f"the distributions of scores differ by {found:.3f}", champion, candidate)
        if found - slack > margin:
            return Finding("scores", "fail", f"{shown}, by at least {found - slack:.3g}, margin {margin:g}")
        if found + slack <= margin:
            return Finding("scores", "pass", f"{shown}, by at most {found + slack:.3g}, margin {margin:g}")
        return Finding(
            "scores", "inconclusive", f"{shown}: more traffic is needed to compare it with the margin {margin:g}"
        )

    def _thin(self, name: str, champion: Measured | None, candidate: Measured) -> Finding | None:
        for who, side in (("the candidate", candidate), ("the champion", champion)):
            if side is not None and len(side.values) < self._least:
                return Finding(name, "inconclusive", f"{len(side.values)} of {self._least} samples of {who}")
        return None

    def _said(self, shown: str, champion: Measured, candidate: Measured) -> str:
        if not self._concurrent:
            return f"{shown} (before and after the switch, not at the same time)"
        if not (champion.timed and candidate.timed):
            return f"{shown} (the target keeps no times, so what happened to both counts as a difference)"
        return shown

    def _needed(self, difference: Difference, margin: float, candidate: Measured) -> str:
        """What would settle it, at the rates seen so far."""
        times = difference.times_needed(margin, self._alpha)
        if times > _AT_MOST:
            return f"the difference, {difference.value:.3g}, is too near the margin of {margin:g} to tell soon"
        more = round(len(candidate.values) * (times - 1))
        minutes = int(np.ptp(candidate.minutes)) + 1 if candidate.timed else 0
        wait = f", about {minutes * (times - 1) / 60:.1f} h at the present traffic" if minutes else ""
        return f"about {more:,} more samples of the candidate are needed to compare it with the margin {margin:g}{wait}"


def _quantile(values: Floats, quantile: float, alpha: float) -> tuple[float, float]:
    low, high = quantile_ranks(quantile, len(values), alpha)
    return (float(values[low]) if low >= 0 else 0.0, float(values[high]) if high < len(values) else float("inf"))
