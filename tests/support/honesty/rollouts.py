"""Rollouts of versions that are alike, or of a worse one: how often, and how soon, traffic is taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from modelyard.manifests.deployment import Analysis, ErrorAnalysis, LatencyAnalysis, MarginAnalysis
from modelyard.metrics.scores import Floats
from modelyard.rollout.analysis import Minutes, Samples, analyse, judge_step

from support.honesty.claim import Claim, Trial

STEPS = ((5, 10), (25, 30), (50, 60))
"""The default canary: percent of the traffic, and minutes."""
Rate = Callable[[int], float]


def canary(analysis: Analysis, rate: Rate, per_minute: int, worse: float = 0.0) -> Trial:
    """The default canary, judged every minute: whether it is taken back. ``rate`` is of errors, by minute."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        totals, fails = np.zeros(2, np.int64), [np.empty(0, np.int64)] * 2
        at = [np.empty(0, np.int64)] * 2
        minute = 0
        for weight, hold in STEPS:
            for _ in range(hold):
                candidate = int(rng.binomial(per_minute, weight / 100))
                for side, requests in enumerate((per_minute - candidate, candidate)):
                    bad = int(rng.binomial(requests, min(rate(minute) + worse * side, 1.0)))
                    totals[side] += requests
                    fails[side] = np.concatenate([fails[side], np.full(bad, minute)])
                    at[side] = np.concatenate([at[side], np.full(requests - bad, minute)])
                minute += 1
                if minute % 3 == 0 and _outcome(analysis, totals, fails, at) == "fail":
                    return [True]
        return [False]

    return trial


def _outcome(analysis: Analysis, totals: np.ndarray, fails: list[np.ndarray], at: list[np.ndarray]) -> str:
    sides = [
        Samples(
            requests=int(totals[i]), errors=len(fails[i]), minutes=Minutes(requests=np.concatenate([fails[i], at[i]]))
        )
        for i in (0, 1)
    ]
    return judge_step(analyse(analysis, sides[0], sides[1], "healthy")).outcome


def found_by(analysis: Analysis, champion: float, candidate: float, most: int, want: str = "fail") -> Trial:
    """Equal shares and two error rates, looked at every 250 requests: whether the outcome comes by ``most``."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        failed = [rng.random(most) < rate for rate in (champion, candidate)]
        minutes = np.arange(most) // 50
        for n in range(250, most + 1, 250):
            sides = [
                Samples(requests=n, errors=int(one[:n].sum()),
                        minutes=Minutes(requests=np.concatenate([minutes[:n][one[:n]], minutes[:n][~one[:n]]])))
                for one in failed
            ]  # fmt: skip
            if judge_step(analyse(analysis, sides[0], sides[1], "healthy")).outcome == want:
                return [True]
        return [False]

    return trial


def measured(
    analysis: Analysis, draw: Callable[[np.random.Generator, int, int], Samples], most: int, want: str, every: int = 500
) -> Trial:
    """Looked at every ``every`` rows: whether the outcome comes by ``most`` rows. ``draw`` takes the side, 0 or 1."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        whole = [draw(rng, most, side) for side in (0, 1)]
        for n in range(every, most + 1, every):
            first, second = (_first(side, n) for side in whole)
            if judge_step(analyse(analysis, first, second, "healthy")).outcome == want:
                return [True]
        return [False]

    return trial


def _first(side: Samples, n: int) -> Samples:
    minutes = side.minutes
    return Samples(
        requests=n, latencies=side.latencies[:n], scores=side.scores[:n], confidences=side.confidences[:n],
        losses=side.losses[:n],
        minutes=Minutes(latencies=minutes.latencies[:n], scores=minutes.scores[:n], losses=minutes.losses[:n]),
    )  # fmt: skip


def _brier(rng: np.random.Generator, rows: int) -> Floats:
    p = rng.beta(1, 3, rows)
    return np.asarray((p - (rng.random(rows) < p)) ** 2, dtype=np.float64)


def losses(worse: float) -> Callable[[np.random.Generator, int, int], Samples]:
    """Brier losses on labelled rows, 20 a minute; the candidate's are larger by ``worse``."""
    return lambda rng, rows, side: Samples(
        losses=np.minimum(_brier(rng, rows) + worse * side, 1), minutes=Minutes(losses=np.arange(rows) // 20)
    )


def latencies(factor: float) -> Callable[[np.random.Generator, int, int], Samples]:
    """Lognormal milliseconds that double for a while, 20 a minute; the candidate's are ``factor`` times as long."""

    def draw(rng: np.random.Generator, rows: int, side: int) -> Samples:
        minutes = np.arange(rows) // 20
        busy = np.where((minutes > 30) & (minutes < 50), 2.0, 1.0)
        made = rng.lognormal(3, 0.6, rows) * busy * (factor if side else 1.0)
        return Samples(latencies=made, minutes=Minutes(latencies=minutes))

    return draw


def scores(shift: float) -> Callable[[np.random.Generator, int, int], Samples]:
    """Scores, 20 a minute; the candidate's are shifted."""
    return lambda rng, rows, side: Samples(
        scores=rng.normal(shift * side, 1, rows), minutes=Minutes(scores=np.arange(rows) // 20)
    )


_ERRORS = Analysis(errors=ErrorAnalysis(margin=0.01))
_BARE = Analysis(errors=ErrorAnalysis(margin=0.0))
_LABELS = Analysis(ground_truth=MarginAnalysis(margin=0.02))
_LATENCY = Analysis(latency=LatencyAnalysis(quantile=0.95, maximum_ratio=1.3))
_EVEN = Analysis(latency=LatencyAnalysis(quantile=0.95, maximum_ratio=1.0))
_SCORES = Analysis(scores=MarginAnalysis(margin=0.1))


def _outage(minute: int) -> float:
    return 0.2 if 40 <= minute < 55 else 0.005


CLAIMS = (
    *(
        Claim("rollout", f"canary of identical versions, {what}: taken back", "at most", 0.05, canary(_ERRORS, rate, per_minute), 100, few)
        for what, rate, per_minute, few in (
            ("15 min outage of 20 % for both, 1,000 a minute", _outage, 1000, 8),
            ("15 min outage of 20 % for both, 20 a minute", _outage, 20, 0),
            ("errors rise from 0.5 to 5 %", lambda minute: 0.005 + 0.045 * minute / 100, 200, 0),
            ("0.5 % errors, then 10 % from minute 40", lambda minute: 0.005 if minute < 40 else 0.1, 200, 0),
        )
    ),
    Claim("rollout", "canary with 3 points more errors, outage for both, 1,000 a minute: taken back", "at least", 0.95, canary(_ERRORS, _outage, 1000, 0.03), 60, 10),
    Claim("rollout", "canary with 3 points more errors from 1 %, 200 a minute: taken back", "at least", 0.95, canary(_ERRORS, lambda _: 0.01, 200, 0.03), 60, 0),
    *(
        Claim("rollout", f"identical versions with {rate:.1%} errors, margin 0, looked at 80 times: taken back", "at most", 0.05, found_by(_BARE, rate, rate, 20_000), 200, few)
        for rate, few in ((0.001, 0), (0.01, 6), (0.05, 0))
    ),
    Claim("rollout", "1 → 3 % errors, margin 0.01: taken back within 4,000 requests each", "at least", 0.5, found_by(_ERRORS, 0.01, 0.03, 4000), 200, 20),
    Claim("rollout", "equal Brier losses, margin 0.02: passes within 10,000 labelled rows each", "at least", 0.95, measured(_LABELS, losses(0), 10_000, "pass"), 60, 8),
    Claim("rollout", "equal Brier losses, margin 0: taken back within 10,000 rows", "at most", 0.05, measured(Analysis(ground_truth=MarginAnalysis(margin=0.0)), losses(0), 10_000, "fail"), 200, 8),
    Claim("rollout", "Brier losses worse by 0.05, margin 0.02: taken back within 10,000 rows", "at least", 0.95, measured(_LABELS, losses(0.05), 10_000, "fail"), 60, 8),
    Claim("rollout", "equal latencies, ratio 1, a busy time: taken back within 10,000 requests", "at most", 0.05, measured(_EVEN, latencies(1), 10_000, "fail"), 200, 8),
    Claim("rollout", "equal latencies, ratio 1.3, a busy time: passes within 10,000 requests", "at least", 0.95, measured(_LATENCY, latencies(1), 10_000, "pass"), 60, 8),
    Claim("rollout", "latencies 1.8 times as long, ratio 1.3: taken back within 10,000 requests", "at least", 0.95, measured(_LATENCY, latencies(1.8), 10_000, "fail"), 60, 8),
    Claim("rollout", "equal scores, margin 0 of their distributions: taken back within 10,000 rows", "at most", 0.05, measured(Analysis(scores=MarginAnalysis(margin=0.0)), scores(0), 10_000, "fail"), 200, 8),
    Claim("rollout", "scores shifted by half a deviation, margin 0.1: taken back within 10,000 rows", "at least", 0.95, measured(_SCORES, scores(0.5), 10_000, "fail"), 60, 5),
)  # fmt: skip
