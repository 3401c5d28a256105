from __future__ import annotations

from dataclasses import replace

import pytest
from modelyard.gate.findings import find
from modelyard.manifests.policy import FairnessCheck, LeakageCheck, StabilityCheck
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
