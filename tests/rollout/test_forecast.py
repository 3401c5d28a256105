from __future__ import annotations

import re

import numpy as np
import pytest
from modelyard.manifests.deployment import Analysis, ErrorAnalysis, LatencyAnalysis, MarginAnalysis, Step
from modelyard.rollout.analysis import Minutes, Samples, analyse, judge_step
from modelyard.rollout.forecast import forecast

DAY = 1440.0
ERRORS = Analysis(errors=ErrorAnalysis(margin=0.01))
TENTH = (Step(weight=10, hold="10m"), Step(weight=50, hold="1h"))


def test_the_forecast_of_errors_comes_true() -> None:
    rng = np.random.default_rng(1)
    said = forecast(ERRORS, TENTH, Samples(requests=144_000, errors=1440), DAY)  # 100 a minute, 1 % errors
    found = re.fullmatch(
        r"at the traffic of the last 24 h, errors needs about ([\d,]+) samples of the candidate to pass at 10 %: ([\d.]+) h",
        said,
    )
    assert found, said
    candidate, hours = int(found[1].replace(",", "")), float(found[2])
    assert candidate == pytest.approx(hours * 60 * 10, rel=0.1)
    passed = 0
    for _ in range(40):
        sides = []
        for rows in (9 * candidate, candidate):
            errors = int((rng.random(rows) < 0.01).sum())
            minutes = rng.integers(0, int(hours * 60), rows)
            sides.append(Samples(requests=rows, errors=errors, minutes=Minutes(requests=minutes)))
        passed += judge_step(analyse(ERRORS, sides[0], sides[1], "healthy")).outcome == "pass"
    assert passed >= 30, "nine of ten, but for chance"


def test_the_test_that_takes_longest_is_named_and_a_larger_share_is_faster() -> None:
    rng = np.random.default_rng(1)
    scores, losses = rng.beta(2, 5, 20_000), rng.random(500) / 4
    day = Samples(20_000, 20, rng.lognormal(3, 0.6, 20_000), scores, np.maximum(scores, 1 - scores), losses)
    rule = Analysis(
        errors=ErrorAnalysis(margin=0.02), latency=LatencyAnalysis(maximum_ratio=1.5), scores=MarginAnalysis(margin=0.2),
        confidence=MarginAnalysis(margin=0.1), ground_truth=MarginAnalysis(margin=0.05),
    )  # fmt: skip
    slow, fast = (forecast(rule, (Step(weight=weight),), day, DAY) for weight in (5, 50))
    assert "ground_truth needs about" in slow and "days" in slow
    assert float(slow.split(": ")[1].split()[0]) > 4 * float(fast.split(": ")[1].split()[0])
    assert "a copy of all requests" in forecast(rule, (Step(mirror=True),), day, DAY)


def test_where_nothing_can_be_said_nothing_is() -> None:
    day = Samples(1000, 5)
    assert forecast(ERRORS, (), day, DAY) == forecast(ERRORS, (Step(weight=100),), day, DAY) == ""
    assert forecast(ERRORS, TENTH, Samples(), DAY) == forecast(ERRORS, TENTH, day, 0) == ""
    assert forecast(Analysis(scores=MarginAnalysis(margin=0.1)), TENTH, day, DAY) == "", "no scores were kept"
    strict = Analysis(errors=ErrorAnalysis(margin=0.0))
    assert forecast(strict, TENTH, day, DAY) == "errors has a margin that a candidate like the champion never passes"
