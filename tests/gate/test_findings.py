from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from modelyard.gate.findings import find
from modelyard.manifests.policy import BestOf, ChampionCheck, FairnessCheck, LeakageCheck, StabilityCheck
from modelyard.metrics.evaluation import BaselineResult, MetricResult
from modelyard.metrics.fairness import Gap, GroupFairness, GroupRates
from modelyard.metrics.folds import FoldMetric, Stability
from modelyard.metrics.intervals import Interval
from support.evidence import EVALUATION, bundle

PARITY = "demographic_parity_difference"


def fair(gap: Gap, **rule: object) -> tuple[str, str]:
    thin = GroupRates("few", 3, False, None, None, None)
    found = GroupFairness("g", (thin,), (gap,))
    check = FairnessCheck(id="f", why="w", measure=gap.measure, **rule)  # type: ignore[arg-type]
    finding = find(check, bundle(evaluation=replace(EVALUATION, fairness=(found,))))
    assert "Groups too small to judge: 1" in finding.sentence
    return finding.outcome, finding.sentence


@pytest.mark.parametrize(
    ("value", "low", "high", "on_value", "on_interval"),
    [
        (0.05, 0.01, 0.08, "pass", "pass"),
        (0.09, 0.04, 0.14, "pass", "inconclusive"),
        (0.12, 0.04, 0.2, "fail", "inconclusive"),
        (0.2, 0.12, 0.3, "fail", "fail"),
    ],
)
def test_fairness_is_judged_by_the_value_or_by_the_whole_interval(
    value: float, low: float, high: float, on_value: str, on_interval: str
) -> None:
    gap = Gap(PARITY, value, Interval(low, high), None)
    assert fair(gap, maximum=0.1)[0] == on_value
    assert fair(gap, maximum=0.1, bound="interval")[0] == on_interval
    ratio = Gap("demographic_parity_ratio", 1 - value, Interval(1 - high, 1 - low), None)
    assert fair(ratio, minimum=0.9)[0] == on_value
    assert fair(ratio, minimum=0.9, bound="interval")[0] == on_interval


def test_fairness_gaps_that_grow_against_the_champion() -> None:
    grown = Gap(PARITY, 0.05, Interval(0.03, 0.07), 0.01, 0.04, Interval(0.02, 0.06))
    assert fair(grown, maximum=0.1, maximum_increase=0.05)[0] == "pass"
    assert fair(grown, maximum=0.1, maximum_increase=0.01)[0] == "fail"
    assert fair(grown, maximum=0.1, maximum_increase=0.03, bound="interval")[0] == "inconclusive"
    first = Gap(PARITY, 0.05, Interval(0.03, 0.07), None)
    assert fair(first, maximum=0.1, maximum_increase=0.01)[0] == "pass", "a first version has no champion"


def test_rows_of_equal_content() -> None:
    def outcome(identical: int | None) -> str:
        leakage = replace(EVALUATION.leakage, identical=identical)
        check = LeakageCheck(id="l", why="w", maximum_identical_share=0.01)
        return find(check, bundle(evaluation=replace(EVALUATION, leakage=leakage))).outcome

    assert (outcome(60), outcome(61), outcome(None)) == ("pass", "fail", "inconclusive")


def test_folds_are_judged_by_their_deviation() -> None:
    def outcome(found: Stability | None) -> str:
        check = StabilityCheck(id="s", why="w", metric="auc", maximum_deviation=0.03)
        return find(check, bundle(evaluation=replace(EVALUATION, stability=found))).outcome

    def folds(deviation: float | None) -> Stability:
        return Stability(("a", "b"), (10, 10), (FoldMetric("auc", (0.7, 0.8), 0.75, deviation),))

    assert [outcome(folds(d)) for d in (0.03, 0.05, None)] == ["pass", "fail", "inconclusive"]
    assert outcome(None) == "inconclusive", "what was not measured is no pass"


def test_a_baseline_takes_the_place_of_the_champion_in_one_check() -> None:
    check = ChampionCheck(id="c", why="w", metric="auc", margin=0.02, baseline=BestOf(best_of=10))
    assert check.opponent == "the best of the last 10 versions by auc"
    missing = find(check, bundle(evaluation=replace(EVALUATION, baselines=())))
    assert missing.outcome == "error" and "does not compare with the best of the last 10" in missing.sentence
    worse = MetricResult("auc", True, 0.7, 0.75, -0.05, Interval(-0.06, -0.04), "DeLong")
    against = BaselineResult(check.opponent, "v1.0.0", (worse,))
    found = find(check, bundle(evaluation=replace(EVALUATION, baselines=(against,))))
    assert found.outcome == "fail"
    assert found.sentence == (
        "auc differs from v1.0.0, the best of the last 10 versions by auc, by -0.0500 [-0.0600, -0.0400]: inferior"
        " (margin 0.02)."
    )
    first = find(check, bundle(evaluation=replace(EVALUATION, champion=None)))
    assert first.outcome == "pass", "a first version slides from nothing"
    pinned = ChampionCheck(id="c", why="w", metric="auc", margin=0.02, baseline="v1.0.0")
    named = replace(against, opponent="v1.0.0")
    said = find(pinned, bundle(evaluation=replace(EVALUATION, baselines=(named,)))).sentence
    assert said.startswith("auc differs from v1.0.0 by -0.0500")


def test_an_inconclusive_comparison_says_what_would_settle_it() -> None:
    def sentence(difference: float, reach: float, **more: Any) -> str:
        interval = Interval(difference - reach, difference + reach)
        result = MetricResult("auc", True, 0.75 + difference, 0.75, difference, interval, "DeLong")
        check = ChampionCheck(id="c", why="w", metric="auc", margin=0.01)
        return find(
            check, bundle(evaluation=replace(EVALUATION, rows=2000, metrics=(replace(result, **more),)))
        ).sentence

    assert sentence(0.0, 0.02).endswith("If it stays, about 8,000 held-out rows settle it; there are 2,000.")
    assert sentence(-0.0101, 0.02).endswith(
        "The difference is too near the margin for any number of rows up to 200,000."
    )
    thin = sentence(0.0, 0.02, interval=None, reason="3 blocks are too few to say; 5 are needed")
    assert thin == "auc has no interval on this holdout of 2,000 rows: 3 blocks are too few to say; 5 are needed."
