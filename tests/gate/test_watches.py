"""Each watch against windows at its limits: outcome and sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.evidence.verdict import Finding
from modelyard.gate.watches import MINIMUM_ROWS, find_watch, judge_window
from modelyard.manifests.approvals import Waiver
from modelyard.manifests.conversion import parse
from modelyard.manifests.document import parse_document
from modelyard.manifests.model import Model
from modelyard.manifests.policy import Policy
from modelyard.manifests.watches import (
    AnyWatch,
    ConfidenceWatch,
    GroundTruthWatch,
    InputsWatch,
    OutliersWatch,
    QualityWatch,
    ScoresWatch,
    ServiceWatch,
    TrafficWatch,
)
from modelyard.metrics.estimate import Estimate, EstimatedMetric
from modelyard.metrics.intervals import Interval
from modelyard.metrics.window import Burn, Confidence, Monitoring, Realised, Selection
from production.windows import NOTHING, column, days, drift, outlier_rate, realised, window
from support.yard import MODEL_YAML

MODEL = parse(Model, MODEL_YAML.format(name="churn").encode(), "model.yaml")
TRAFFIC = TrafficWatch(id="traffic", why="w", minimum_rows=100)
SERVICE = ServiceWatch(id="slo", why="w", objective=0.99)
INPUTS = InputsWatch(id="inputs", why="w", maximum_alarm_share=0.5)
SCORES = ScoresWatch(id="scores", why="w", maximum_distance=0.1)
OUTLIERS = OutliersWatch(id="outliers", why="w", maximum_increase=0.03)
CONFIDENCE = ConfidenceWatch(id="confidence", why="w", maximum_fall=0.05)
QUALITY = QualityWatch(id="quality", why="w", metric="auc", margin=0.03, minimum_labels=500)
ESTIMATED = QualityWatch(
    id="quality", why="w", metric="auc", margin=0.03, minimum_labels=500, before_ground_truth="estimate"
)
RELATIVE = QualityWatch(id="quality", why="w", metric="mae", margin=0.1, relative=True, minimum_labels=500)
LATE = GroundTruthWatch(id="late", why="w", due="3d", maximum_missing=0.2)
ALL: tuple[AnyWatch, ...] = (TRAFFIC, SERVICE, INPUTS, SCORES, OUTLIERS, CONFIDENCE, QUALITY, LATE)


def burn(bad: int, long: float | None, short: float | None, requests: int = 1000) -> Burn:
    return Burn(id="slo", requests=requests, bad=bad, long=long, short=short, worst=None, worst_at=None)


def estimate(value: float, half: float = 0.001) -> Estimate:
    return Estimate(9000, (EstimatedMetric("auc", value, Interval(value - half, value + half)),))


def said(finding: Finding) -> tuple[str, str]:
    return finding.outcome, finding.sentence


@pytest.mark.parametrize(
    ("watch", "monitoring", "outcome", "sentence"),
    [
        (TRAFFIC, window(rows=100), "pass", "100 predictions (minimum 100)."),
        (TRAFFIC, window(rows=99), "fail", "99 predictions (minimum 100)."),
        (TRAFFIC, window(rows=99, serving_seconds=3600.0), "fail", "99 predictions (minimum 100)."),
        (TRAFFIC, window(rows=0, serving_seconds=60.0), "inconclusive",
         "0 predictions (minimum 100); the model had served for less than an hour when the window ended."),
        (TRAFFIC, window(rows=100, serving_seconds=60.0), "pass", "100 predictions (minimum 100)."),
        (TRAFFIC, window(days=days(0, 5, 0, 5, 0)), "fail",
         "9,000 predictions (minimum 100); 1 day without traffic (limit 0): 2026-05-03."),
        (TRAFFIC, window(days=days(5, *[0] * 7, 5)), "fail",
         "9,000 predictions (minimum 100); 7 days without traffic (limit 0): 2026-05-02, 2026-05-03, 2026-05-04,"
         " 2026-05-05, 2026-05-06, …."),
        (SERVICE, NOTHING, "inconclusive", "There are no requests in the window."),
        (SERVICE, window(burns=(burn(0, None, None, 0),)), "inconclusive", "There are no requests in the window."),
        (SERVICE, window(burns=(burn(5, 0.5, 0.4),)), "pass",
         "5 of 1,000 requests failed (0.5 %, error budget 1 %); burn rate 0.5 over 1h and 0.4 over 5m (alarm at 14.4 in both)."),
        (SERVICE, window(burns=(burn(400, 20.0, 15.0),)), "fail",
         "400 of 1,000 requests failed (40.0 %, error budget 1 %); burn rate 20.0 over 1h and 15.0 over 5m (alarm at 14.4 in both)."),
        (SERVICE, window(burns=(burn(400, 20.0, 14.0),)), "pass",
         "400 of 1,000 requests failed (40.0 %, error budget 1 %); burn rate 20.0 over 1h and 14.0 over 5m (alarm at 14.4 in both)."),
        (SERVICE, window(burns=(burn(400, 20.0, None),)), "pass",
         "400 of 1,000 requests failed (40.0 %, error budget 1 %); burn rate 20.0 over 1h and unknown over 5m (alarm at 14.4 in both)."),
        (SERVICE, window(burns=(burn(1, None, None, 40),)), "inconclusive",
         "1 of 40 requests failed (2.5 %, error budget 1 %); fewer than 50 requests in the last 1h, so the burn rate is unknown."),
        (SERVICE, window(burns=(burn(0, None, None, 40),)), "pass",
         "0 of 40 requests failed (0.0 %, error budget 1 %); fewer than 50 requests in the last 1h, so the burn rate is unknown."),
        (ServiceWatch(id="slo", why="w", objective=0.9995, maximum_milliseconds=120), window(burns=(burn(1, 2.0, 2.0),)), "pass",
         "1 of 1,000 requests failed or took over 120 ms (0.1 %, error budget 0.05 %); burn rate 2.0 over 1h and 2.0 over 5m"
         " (alarm at 14.4 in both)."),
        (LATE, NOTHING, "inconclusive",
         "There is no ground truth; declare it in model.yaml under ground_truth, or pass --ground-truth."),
        (LATE, window(realised=Realised(0, 10, 0, None)), "inconclusive", "No prediction is older than 3d, so no label is due."),
        (LATE, window(realised=Realised(1000, 800, 200, 9.04)), "pass",
         "20.0 % of 1,000 predictions older than 3d have no label (limit 20 %); the oldest of them is 9.0 days old."),
        (LATE, window(realised=Realised(1000, 799, 201, 9.0)), "fail",
         "20.1 % of 1,000 predictions older than 3d have no label (limit 20 %); the oldest of them is 9.0 days old."),
        (LATE, window(realised=Realised(1000, 1000, 0, None)), "pass",
         "0.0 % of 1,000 predictions older than 3d have no label (limit 20 %)."),
        (QUALITY, NOTHING, "inconclusive", "v1.0.0 was registered without auc, so there is no baseline."),
        (QUALITY, window(accepted={"auc": 0.7}), "inconclusive", "0 labels (500 needed)."),
        (QUALITY, window(accepted={"auc": 0.7}, realised=realised("auc", 0.5, 0.01, 499)), "inconclusive", "499 labels (500 needed)."),
        (QUALITY, window(accepted={"auc": 0.7}, realised=realised("auc", 0.65, 0.01)), "fail",
         "On 1,000 labels, auc is 0.6500 [0.6400, 0.6600] (baseline 0.7000, allowed drop 0.03)."),
        (QUALITY, window(accepted={"auc": 0.7}, realised=realised("auc", 0.69, 0.01)), "pass",
         "On 1,000 labels, auc is 0.6900 [0.6800, 0.7000] (baseline 0.7000, allowed drop 0.03)."),
        (QUALITY, window(accepted={"auc": 0.7}, realised=realised("auc", 0.67, 0.01)), "inconclusive",
         "On 1,000 labels, auc is 0.6700 [0.6600, 0.6800] (baseline 0.7000, allowed drop 0.03)."),
        (RELATIVE, window(accepted={"mae": 20.0}, realised=realised("mae", 21.8, 0.1, higher_is_better=False)), "pass",
         "On 1,000 labels, mae is 21.8000 [21.7000, 21.9000] (baseline 20.0000, allowed rise 2, 10 % of the baseline)."),
        (RELATIVE, window(accepted={"mae": 20.0}, realised=realised("mae", 22.2, 0.1, higher_is_better=False)), "fail",
         "On 1,000 labels, mae is 22.2000 [22.1000, 22.3000] (baseline 20.0000, allowed rise 2, 10 % of the baseline)."),
        (RELATIVE, window(accepted={"mae": 0.2}, realised=realised("mae", 0.221, 0.002, higher_is_better=False)), "inconclusive",
         "On 1,000 labels, mae is 0.2210 [0.2190, 0.2230] (baseline 0.2000, allowed rise 0.02, 10 % of the baseline)."),
        (ESTIMATED, window(accepted={"auc": 0.7}), "inconclusive", "0 labels (500 needed), and auc cannot be estimated without labels."),
        (ESTIMATED, window(accepted={"auc": 0.7}, estimate=estimate(0.75), expected=estimate(0.8)), "fail",
         "0 labels (500 needed); estimated from the scores, auc is 0.6500 [0.6490, 0.6510] (baseline 0.7000, allowed drop 0.03)."),
        (INPUTS, NOTHING, "inconclusive", "The version has no profile, so input drift cannot be measured."),
        (INPUTS, window(drift=drift(column("x", state="insufficient"))), "inconclusive", "No input could be compared with the profile."),
        (INPUTS, window(drift=drift(column("x", alarm=True), column("y"), column("p", role="score", alarm=True))), "pass",
         "1 of 2 inputs drifted (50.0 %, limit 50 %): x."),
        (INPUTS, window(drift=drift(*(column(f"x{n}", alarm=True) for n in range(6)), column("y", state="insufficient"))), "fail",
         "6 of 6 inputs drifted (100.0 %, limit 50 %): x0, x1, x2, x3, x4, …; not comparable: y."),
        (INPUTS, window(drift=drift(column("x"))), "pass", "0 of 1 inputs drifted (0.0 %, limit 50 %)."),
        (SCORES, NOTHING, "inconclusive", "The version has no profile of its scores, so score drift cannot be measured."),
        (SCORES, window(drift=drift(column("p", role="score", js=0.2, p_value=0.001))), "fail",
         "Score drift is 0.200, as the Jensen-Shannon distance to the held-out rows (limit 0.100)."),
        (SCORES, window(drift=drift(column("p", role="score", js=0.09, p_value=1e-9))), "pass",
         "Score drift is 0.090, as the Jensen-Shannon distance to the held-out rows (limit 0.100)."),
        (SCORES, window(drift=drift(column("p", role="score", js=0.2))), "pass",
         "Score drift is 0.200, as the Jensen-Shannon distance to the held-out rows (limit 0.100);"
         " windows of this length and size often differ as much (p = 0.5)."),
        (SCORES, window(drift=drift(column("p_low", role="score", js=0.05), column("p_high", role="score", js=0.2, p_value=0.001))), "fail",
         "Score drift of p_high is 0.200, as the Jensen-Shannon distance to the held-out rows (limit 0.100)."),
        (OUTLIERS, NOTHING, "inconclusive",
         "The outlier rate is unknown: the profile has no outlier limit, or the log lacks input columns."),
        (OUTLIERS, window(outliers=outlier_rate(3717)), "fail", "41.3 % of rows are outliers (held-out rows 1 %, limit 4 %)."),
        (OUTLIERS, window(outliers=outlier_rate(90)), "pass", "1.0 % of rows are outliers (held-out rows 1 %, limit 4 %)."),
        (OUTLIERS, window(outliers=outlier_rate(360)), "inconclusive",
         "4.0 % of rows are outliers (held-out rows 1 %, limit 4 %); the interval, 3.6 % to 4.4 %, includes the limit."),
        (CONFIDENCE, NOTHING, "inconclusive", "The confidence is unknown: the version's profile holds no probabilities."),
        (CONFIDENCE, window(confidence=Confidence(0.7, 0.8)), "fail", "Mean confidence is 0.700 (held-out rows 0.800, allowed drop 0.05)."),
        (CONFIDENCE, window(confidence=Confidence(0.76, 0.8)), "pass", "Mean confidence is 0.760 (held-out rows 0.800, allowed drop 0.05)."),
    ],
)  # fmt: skip
def test_each_watch_at_its_limits(watch: AnyWatch, monitoring: Monitoring, outcome: str, sentence: str) -> None:
    assert said(find_watch(watch, monitoring)) == (outcome, sentence)


def test_every_kind_of_watch_is_covered() -> None:
    assert {type(watch) for watch in ALL} == set(get_args(AnyWatch))


def test_distributions_with_too_few_rows_are_inconclusive() -> None:
    thin = window(
        rows=MINIMUM_ROWS - 1,
        outliers=outlier_rate(150, 199),
        confidence=Confidence(0.1, 0.9),
        drift=drift(column("x", alarm=True), column("p", role="score", js=0.8, p_value=1e-6)),
    )
    for watch in (INPUTS, SCORES, OUTLIERS, CONFIDENCE):
        assert said(find_watch(watch, thin)) == ("inconclusive", "199 predictions in the window (200 needed).")
        assert find_watch(watch, window(**(vars(thin) | {"rows": MINIMUM_ROWS}))).outcome == "fail"


@pytest.mark.parametrize("metric", ["brier", "log_loss"])
def test_a_metric_whose_lower_values_are_better_may_rise_by_the_margin(metric: str) -> None:
    watch = QualityWatch(id="q", why="w", metric=metric, margin=0.03, minimum_labels=1)  # type: ignore[arg-type]
    for value, outcome in ((0.10, "pass"), (0.22, "pass"), (0.23, "inconclusive"), (0.25, "fail")):
        found = realised(metric, value, 0.01, higher_is_better=False)
        finding = find_watch(watch, window(accepted={metric: 0.2}, realised=found))
        assert finding.outcome == outcome, value
        assert finding.sentence.endswith("(baseline 0.2000, allowed rise 0.03).")


values = st.floats(0.01, 0.99)


@given(values, values, st.floats(0.0001, 0.1), st.floats(0, 0.2))
def test_quality_fails_only_when_the_whole_interval_is_beyond_the_margin(
    value: float, baseline: float, half: float, margin: float
) -> None:
    watch = QualityWatch(id="q", why="w", metric="auc", margin=margin, minimum_labels=1)
    finding = find_watch(watch, window(accepted={"auc": baseline}, realised=realised("auc", value, half)))
    low, high = value - half - baseline, value + half - baseline
    assert finding.outcome == ("fail" if high < -margin else "pass" if low >= -margin else "inconclusive")
    assert finding.difference == pytest.approx(value - baseline)


@given(values, values, values, st.floats(0, 0.05))
def test_the_bias_of_the_estimate_does_not_count(now: float, then: float, baseline: float, bias: float) -> None:
    def judged(shift: float) -> Finding:
        estimates = {"estimate": estimate(now + shift), "expected": estimate(then + shift)}
        return find_watch(ESTIMATED, window(accepted={"auc": baseline}, **estimates))

    plain, biased = judged(0.0), judged(bias)
    assert plain.candidate is not None and biased.candidate is not None
    assert biased.candidate == pytest.approx(plain.candidate) == pytest.approx(baseline + now - then)


@given(st.integers(0, 5000), st.integers(200, 5000), st.floats(0, 0.5))
def test_the_outlier_rate_fails_only_when_its_interval_is_above_the_limit(
    found: int, rows: int, increase: float
) -> None:
    measured = outlier_rate(min(found, rows), rows)
    finding = find_watch(
        OutliersWatch(id="o", why="w", maximum_increase=increase), window(rows=rows, outliers=measured)
    )
    low, high = measured.interval.low - 0.01, measured.interval.high - 0.01
    assert finding.outcome == ("fail" if low > increase else "pass" if high <= increase else "inconclusive")
    assert ("includes the limit" in finding.sentence) == (finding.outcome == "inconclusive")


POLICY = """\
name: p
description: d
checks: []
monitoring:
  - {id: traffic, kind: traffic, why: w}
  - {id: outliers, kind: outliers, why: w, level: advisory}
  - {id: quality, kind: quality, why: w, metric: auc, margin: 0.01}
"""


def judged(monitoring: Monitoring, *watches: AnyWatch, waivers: tuple[tuple[str, Waiver], ...] = ()) -> tuple[str, ...]:
    lines = parse_document(POLICY.encode(), "policies/p.yaml")
    policy = Policy(name="p", description="d", checks=[], monitoring=list(watches))
    found = judge_window(policy, lines, MODEL, "a" * 64, monitoring, waivers, date(2026, 5, 8))
    assert len(found.policy_sha256) == 64 and found.policy_file == "policies/p.yaml"
    return (found.outcome, *(f"{c.outcome} {c.line}" for c in found.checks), *found.notes)


def test_the_verdict_is_the_worst_rule_that_can_block_and_names_its_line() -> None:
    advisory = OutliersWatch(id="outliers", why="w", level="advisory")
    bad = window(outliers=outlier_rate(9000), accepted={"auc": 0.7}, realised=realised("auc", 0.9, 0.01))
    assert judged(bad, TRAFFIC, advisory) == ("pass", "pass 5", "fail 6")
    assert judged(bad, TRAFFIC, OUTLIERS) == ("fail", "pass 5", "fail 6")
    assert judged(window(accepted={"auc": 0.7}), TRAFFIC, advisory, QUALITY)[0] == "inconclusive"


def test_a_waiver_covers_one_rule_of_one_artifact() -> None:
    waiver = Waiver(
        model="churn",
        artifact="a" * 64,
        check="outliers",
        requested_by="ada",
        approved_by="grace",
        reason="w",
        expires="2026-06-01",
    )
    bad = window(outliers=outlier_rate(9000))
    assert judged(bad, TRAFFIC, OUTLIERS, waivers=(("waivers/1.yaml", waiver),))[0] == "waived"


def test_a_policy_without_monitoring_rules_is_inconclusive() -> None:
    assert judged(window(notes=("a note",))) == ("inconclusive", "a note", "The policy p has no monitoring rules.")


def test_labels_that_are_missing_not_at_random_are_weighed_where_the_rule_says_so() -> None:
    found = realised("auc", 0.60, 0.01, 900)
    skewed = Selection(js=0.3, p_value=0.0, labelled=0.2, missing=0.6)
    kept = replace(found.metrics[0], candidate=0.70, interval=Interval(0.69, 0.71))
    month = window(
        realised=replace(found, selection=skewed, weighed=400, weighed_metrics=(kept,)), accepted={"auc": 0.70}
    )
    wait = QualityWatch(id="quality", why="w", metric="auc", margin=0.03)
    assert find_watch(wait, month).outcome == "inconclusive"
    weigh = QualityWatch(id="quality", why="w", metric="auc", margin=0.03, missing_labels="weigh")
    judged = find_watch(weigh, month)
    assert (
        judged.outcome == "pass" and "On 400 of 900 labelled rows, kept so that they stand for all" in judged.sentence
    )
    many = QualityWatch(id="quality", why="w", metric="auc", margin=0.03, missing_labels="weigh", minimum_labels=500)
    assert "Only 400 labelled rows can stand for all." in find_watch(many, month).sentence
