"""Headlines, next steps and the numbers and sentences that every form of a report shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from modelyard.evidence.production import Joined
from modelyard.evidence.verdict import CheckResult, Outcome, Verdict, overall
from modelyard.gate.backtest import Backtest, BacktestedVersion
from modelyard.gate.rule_changes import RuleChange
from modelyard.manifests.names import Version
from modelyard.metrics.drift import ColumnDrift
from modelyard.metrics.evaluation import MetricResult, SliceResult
from modelyard.metrics.flips import Flips
from modelyard.metrics.intervals import Interval
from modelyard.metrics.window import Day, Monitoring, Realised
from modelyard.registry.numbering import Numbering
from modelyard.report.content import (
    Report,
    between,
    change_of,
    drift_sign,
    drift_word,
    evaluation_sentence,
    flips_sentence,
    label_counts,
    lacking_sentence,
    metric_difference,
    number,
    prediction_counts,
    share,
    worst_slices,
)
from modelyard.report.headline import failures_first
from modelyard.report.window import estimate_sentence, ground_truth_sentence, headline, slice_rows, sparkline
from report import samples
from support.evidence import EVALUATION, bundle

COST = "no rule compares it with v1.0.0; better in 8 metrics, worse in 0, 1 undecided"


def check(outcome: Outcome, level: str = "soft", name: str = "c", kind: str = "", wide: bool = False) -> CheckResult:
    interval = Interval(-0.1, 0.1) if wide else None
    return samples.filled(
        CheckResult, "", id=name, level=level, outcome=outcome, kind=kind, interval=interval, reason=f"`{name}` is off"
    )


def report(*checks: CheckResult, **given: object) -> Report:
    verdict = Verdict(overall(checks), "standard", "policies/standard.yaml", checks, {})
    return replace(Report(verdict, bundle(), "c" * 40), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([check("pass")], f"✅ churn may be merged: {COST}"),
        ([check("pass"), check("waived")], "🟡 churn may be merged with a waiver: `c` is off"),
        (
            [check("pass"), check("fail", "advisory")],
            f"✅ churn may be merged: {COST}; 1 advisory warning",
        ),
        ([check("fail"), check("pass")], "⛔ Do not merge churn: `c` is off"),
        ([check("inconclusive")], "⚪ churn needs more data: `c` is off"),
        (
            [check("error"), check("fail", name="f"), check("fail"), check("inconclusive")],
            "⛔ Do not merge churn: `c` is off; 2 more checks failed, 1 inconclusive",
        ),
        ([check("fail", "advisory")], "⚪ churn is not judged: no check of the policy can block"),
        ([], "⚪ churn is not judged: no check of the policy can block"),
    ],
)
def test_the_headline_is_the_verdict(checks: list[CheckResult], expected: str) -> None:
    found = report(*checks)
    assert found.headline == expected
    assert found.plain_headline == expected.split(" ", 1)[1].replace("`", "")
    assert found.headline.startswith(("✅", "🟡")) == (found.verdict.outcome in ("pass", "waived"))


def test_a_reason_falls_back_to_the_sentence() -> None:
    missing = replace(check("error"), reason="", sentence="The drift evidence is missing.")
    assert report(missing).headline == "⛔ Do not merge churn: the drift evidence is missing"
    assert report(replace(missing, sentence="x" * 900)).headline.endswith("x…")


def test_a_first_version_counts_what_does_not_apply_apart() -> None:
    checks = [check("pass"), replace(check("pass"), applicable=False)]
    first = report(*checks, bundle=bundle(evaluation=replace(EVALUATION, champion=None)))
    assert first.headline == "✅ churn may be merged: a first version; 1 check passed, 1 not applicable"
    assert [c.applicable for c in first.checks] == [True, False]


def test_a_change_of_rules_alone_is_told_as_one() -> None:
    versions = tuple(BacktestedVersion("churn", f"v1.{n}.0", n, "pass", "fail" if n else "pass", ()) for n in range(2))
    changes = (RuleChange("auc-floor minimum 0.7 → 0.6", True), RuleChange("x is added", False))
    same = bundle(evaluation=replace(EVALUATION, identical_bytes=True))
    found = report(
        check("pass"), bundle=same, backtest=Backtest("standard", versions, changes), approvers=("2 of risk",)
    )
    assert found.headline == "📜 Rules of churn change: 1 looser, 1 stricter; 1 of the last 2 versions would flip"
    assert found.next_step == "Next: approval by 2 of risk. Merging changes the rules and registers no version."
    blocked = replace(found, verdict=report(check("fail")).verdict)
    assert blocked.headline == "⛔ Do not merge churn: `c` is off", "a verdict that blocks comes first"


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([check("pass")], "Next: a review by @a, @b; merging registers it as v2.0.0 and deploys it."),
        (
            [
                replace(check("inconclusive", name=n), settled_by=s)
                for n, s in (("a", "9 rows"), ("b", ""), ("c", "9 rows"))
            ],
            "Next: a, c need 9 rows; b needs what its sentence names as missing.",
        ),
        ([check("fail")], "Next: the author corrects the candidate, or a waiver of c is approved by @a, @b."),
        ([check("fail"), check("fail", "hard", "h")], "Next: the author corrects the candidate; h cannot be waived."),
        (
            [check("error", kind="drift")],
            "Next: the author runs the commands at the end again; evidence is missing or unreadable.",
        ),
        (
            [check("error", kind="threshold")],
            "Next: correct the rule or model.yaml, as these checks say: c.",
        ),
        ([check("fail", "advisory")], "Next: the owners of the policy add a check that can block."),
    ],
)
def test_the_next_step_names_who_does_what(checks: list[CheckResult], expected: str) -> None:
    found = report(*checks, owners=("@a", "@b"), numbering=Numbering(Version("v2.0.0"), ("data",)))
    assert found.next_step == expected
    assert "by the owners" in report(check("pass")).next_step


def test_failures_come_first_and_advisory_checks_last() -> None:
    names = [(c.id, c.outcome) for c in failures_first([
        check("pass", name="a"), check("fail", "advisory", "b"), check("waived", name="c"), check("error", name="d"),
        check("fail", name="e"), check("inconclusive", name="f"),
    ])]  # fmt: skip
    assert [name for name, _ in names] == ["d", "e", "f", "c", "b", "a"]


def test_numbers_that_are_not_known_are_dashes() -> None:
    assert (number(None), share(None), between(None)) == ("–", "–", "–")
    assert (number(0.12345), share(0.4131), share(0.4131, 2), between(Interval(0.1, 0.2))) == (
        "0.1235", "41.3 %", "41.31 %", "[0.1000, 0.2000]",
    )  # fmt: skip
    alone = MetricResult("auc", True, 0.7, None, None, Interval(0.6, 0.8), "DeLong")
    assert metric_difference(alone) == "[0.6000, 0.8000]"
    assert metric_difference(replace(alone, difference=0.1, interval=None)) == "+0.1000"


def test_slices_are_ordered_by_gain_whichever_way_the_metric_goes() -> None:
    def part(level: str, difference: float | None, higher: bool, sufficient: bool = True) -> SliceResult:
        result = MetricResult("m", higher, 0.5, 0.5 if difference is not None else None, difference, None, "")
        return SliceResult("c", level, 300, sufficient, (result,))

    up = [part("a", 0.1, True), part("b", -0.1, True), part("thin", -0.9, True, sufficient=False)]
    assert [p.level for p, _ in worst_slices(up)] == ["b", "a"]
    down = [part("a", 0.1, False), part("b", -0.1, False)]
    assert [p.level for p, _ in worst_slices(down)] == ["a", "b"]
    assert worst_slices([]) == [] and len(worst_slices(up, 1)) == 1


def test_the_state_of_a_column() -> None:
    column = samples.filled(ColumnDrift, "x", alarm=False, state="stable")
    assert (drift_word(column), drift_sign(column)) == ("stable", "·")
    unused = replace(column, state="drifted")
    assert (drift_word(unused), drift_sign(unused)) == ("unused", "🔸")
    assert (drift_word(replace(unused, alarm=True)), drift_sign(replace(unused, alarm=True))) == ("alarm", "🔺")
    assert drift_sign(replace(column, state="insufficient")) == "⚪"


def test_sentences_count_in_the_singular_and_the_plural() -> None:
    assert flips_sentence(Flips(0, 0)) == "No decision flips."
    assert flips_sentence(Flips(1, 0, 1)) == "1 decision flips: 1 to positive, 0 to negative. 1 of them is correct now."
    assert flips_sentence(Flips(1000, 2, 3)).startswith("1,002 decisions flip: 1,000 to positive")
    assert evaluation_sentence(EVALUATION) == "6,000 held-out rows, compared with v1.0.0."
    assert evaluation_sentence(replace(EVALUATION, champion=None)).endswith("a first version without a champion.")
    assert ground_truth_sentence(Realised(0, 1, 0, None)) == "1 prediction has a label. No label is due yet."
    assert ground_truth_sentence(Realised(10, 9, 1, 4.25)) == (
        "9 predictions have a label. 1 of 10 due labels is missing; the oldest prediction without one is 4.2 days old."
    )


def test_every_prediction_and_every_label_is_counted_once() -> None:
    joined = Joined(predictions=100, labelled=50, corrected=5, known=10, repeated=7, waiting=33, delivered=70, duplicates=1,
                    changed=2, contradicting=3, unreadable=4, unknown=5, lacking=("name",))  # fmt: skip
    *parts, total = [int(count) for _, count in prediction_counts(joined)]
    assert sum(parts) == total == 100
    assert label_counts(joined)[0] == ["delivered", "70"]
    assert lacking_sentence(joined).endswith(": name.") and lacking_sentence(replace(joined, lacking=())) == ""


def test_a_gap_without_an_interval_shows_its_change_alone() -> None:
    gap = samples.report("x").bundle.evaluation
    assert gap is not None
    first = gap.fairness[0].gaps[0]
    assert (
        change_of(first) == "+0.5000 [+0.5000, +0.5000]"
        and change_of(replace(first, change_interval=None)) == "+0.5000"
    )


@pytest.mark.parametrize(
    ("outcome", "said"),
    [("pass", "meets its monitoring rules"), ("waived", "with waivers"), ("fail", "needs attention"),
     ("inconclusive", "needs more data"), ("error", "could not be judged")],
)  # fmt: skip
def test_the_headline_of_a_window(outcome: Outcome, said: str) -> None:
    model, monitoring, verdict = samples.window("v1.2.3", environment="production")
    assert headline("churn", monitoring, replace(verdict, outcome=outcome)).startswith("churn v1.2.3 in production ")
    assert said in headline(model, monitoring, replace(verdict, outcome=outcome))


def test_a_day_without_traffic_is_a_dot() -> None:
    days = tuple(Day(str(n), rows, 0, None) for n, rows in enumerate([0, 1, 50, 100]))
    assert sparkline(days) == "·▁▄█" and sparkline(()) == ""
    assert len(sparkline(days * 40)) == 60


def test_slices_are_realised_else_estimated_else_nothing() -> None:
    _, whole, _ = samples.window("x")
    headings, rows = slice_rows(whole, 1) or ([], [])
    assert headings == ["worst by x", "labels", "realised", "[95 %]"] and len(rows) == 1
    waiting = replace(whole, realised=None)
    headings, rows = slice_rows(waiting, 5) or ([], [])
    assert headings[1:3] == ["predictions", "estimated"] and len(rows) == 2
    assert slice_rows(replace(waiting, estimated_slices=()), 5) is None
    assert estimate_sentence(waiting).startswith("Estimated without labels: x 0.5000 [0.5000, 0.5000]")
    assert estimate_sentence(replace(waiting, estimate=None)) == ""
    assert isinstance(whole, Monitoring)
