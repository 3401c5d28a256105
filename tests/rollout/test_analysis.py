from __future__ import annotations

import numpy as np
import pytest
from modelyard.manifests.deployment import Analysis, ErrorAnalysis, LatencyAnalysis, MarginAnalysis
from modelyard.rollout.analysis import Samples, analyse, judge_step
from msgspec.structs import replace

FULL = Analysis(
    minimum_samples=200,
    errors=ErrorAnalysis(margin=0.01),
    latency=LatencyAnalysis(quantile=0.9, maximum_ratio=1.5),
    scores=MarginAnalysis(margin=0.15),
    confidence=MarginAnalysis(margin=0.1),
    ground_truth=MarginAnalysis(margin=0.1),
)
RNG = np.random.default_rng(0)


def samples(n: int, **changes: object) -> Samples:
    scores = RNG.beta(2, 5, n)
    made = Samples(n, 0, RNG.gamma(4, 1, n), scores, np.maximum(scores, 1 - scores), (RNG.random(n) - scores) ** 2)
    return replace(made, **changes)


def test_an_equal_candidate_passes_every_test_with_enough_traffic() -> None:
    judgement = judge_step(analyse(FULL, samples(8000), samples(8000), "healthy"))
    assert judgement.outcome == "pass", judgement.sentence


@pytest.mark.parametrize(
    ("changes", "test"),
    [
        ({"errors": 400}, "errors"),
        ({"latencies": RNG.gamma(4, 2.5, 4000)}, "latency"),
        ({"scores": RNG.beta(5, 2, 4000)}, "scores"),
        ({"confidences": np.full(4000, 0.5)}, "confidence"),
        ({"losses": np.full(4000, 0.8)}, "ground_truth"),
    ],
)
def test_a_worse_candidate_fails_the_test_that_measures_it(changes: dict[str, object], test: str) -> None:
    findings = analyse(FULL, samples(4000), samples(4000, **changes), "healthy")
    assert {finding.test: finding.outcome for finding in findings}[test] == "fail"
    assert judge_step(findings).sentence.startswith(test)


def test_below_the_minimum_of_samples_every_test_is_inconclusive() -> None:
    findings = analyse(FULL, samples(5000), samples(199, errors=199), "healthy")
    assert {finding.outcome for finding in findings} == {"inconclusive"}
    assert judge_step(findings).sentence == "errors: 199 of 200 samples of the candidate"
    assert "of the champion" in judge_step(analyse(FULL, samples(10), samples(5000), "healthy")).sentence


def test_few_samples_hold_and_more_decide() -> None:
    rule = Analysis(minimum_samples=50, errors=ErrorAnalysis(margin=0.05))
    for n, outcome in ((60, "inconclusive"), (600, "fail")):
        assert judge_step(analyse(rule, samples(n), samples(n, errors=n // 6), "healthy")).outcome == outcome


def test_a_latency_bound_in_milliseconds_needs_no_champion() -> None:
    rule = Analysis(latency=LatencyAnalysis(quantile=0.9, maximum_milliseconds=20))
    assert judge_step(analyse(rule, Samples(), samples(1000), "healthy")).outcome == "pass"
    slow = samples(1000, latencies=np.full(1000, 30.0))
    assert judge_step(analyse(rule, Samples(), slow, "healthy")).outcome == "fail"


def test_a_version_that_does_not_work_fails_without_a_request() -> None:
    assert judge_step(analyse(None, Samples(), Samples(), "failed", "no such feature")).outcome == "fail"
    assert judge_step(analyse(FULL, Samples(), Samples(), "down")).outcome == "inconclusive"
    assert judge_step(analyse(None, Samples(), Samples(), "unknown")).outcome == "pass"


def test_sound_candidates_are_rolled_back_at_most_as_often_as_alpha() -> None:
    rule = Analysis(
        minimum_samples=50, alpha=0.1, errors=ErrorAnalysis(margin=0.0), ground_truth=MarginAnalysis(margin=0.0)
    )
    rng, back = np.random.default_rng(5), 0
    for _ in range(150):
        errors, losses = rng.random((2, 1500)) < 0.05, rng.random((2, 1500))
        for n in range(50, 1500, 75):
            pair = [Samples(n, int(errors[i][:n].sum()), losses=losses[i][:n]) for i in (0, 1)]
            if judge_step(analyse(rule, pair[0], pair[1], "healthy")).outcome == "fail":
                back += 1
                break
    assert back <= 15 + 11
