from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import msgspec
import pytest
from modelyard.errors import ModelyardError
from modelyard.evidence.bundle import Bundle, read_bundle
from modelyard.evidence.statement import read_statement, write_statement
from modelyard.evidence.training import Training
from modelyard.evidence.verdict import Verdict
from modelyard.gate.comparisons import non_inferiority
from modelyard.gate.judge import judge
from modelyard.manifests.approvals import Waiver
from modelyard.manifests.conversion import convert, parse
from modelyard.manifests.document import parse_document
from modelyard.manifests.model import Model
from modelyard.manifests.policy import Policy
from modelyard.metrics.drift import Drift
from modelyard.metrics.evaluation import Evaluation, MetricResult
from modelyard.metrics.held_out import HoldoutChange
from modelyard.metrics.intervals import Interval
from support.evidence import ARTIFACT, DRIFT, EVALUATION, SCAN, TRAINING, bundle, metric
from support.yard import MODEL_YAML, POLICIES

TODAY = date(2026, 5, 3)


def verdict(found: Bundle, *waivers: tuple[str, Waiver], policy: str = "standard", today: date = TODAY) -> Verdict:
    document = parse_document((POLICIES / f"{policy}.yaml").read_bytes(), f"policies/{policy}.yaml")
    return judge(convert(Policy, document), document, found, waivers, today)


def outcome(found: Verdict, check: str) -> str:
    return next(result.outcome for result in found.checks if result.id == check)


def test_a_good_candidate_passes_and_names_its_rules() -> None:
    found = verdict(bundle())
    assert found.outcome == "pass"
    assert all(result.file == "policies/standard.yaml" and result.line > 5 for result in found.checks)
    assert [result.line for result in found.checks] == sorted(result.line for result in found.checks)


@pytest.mark.parametrize("kind", ["training", "evaluation", "drift"])
def test_missing_evidence_is_never_a_pass(kind: str) -> None:
    found = verdict(bundle(**{kind: None}))
    assert found.outcome == "error"
    assert outcome(found, "evidence-complete") == "error"


@pytest.mark.parametrize(
    ("change", "check", "expected"),
    [
        ({"rows": 900}, "enough-rows", "inconclusive"),
        ({"positives": 20}, "enough-rows", "inconclusive"),
        ({"leakage": replace(EVALUATION.leakage, overlap=1)}, "no-leak", "fail"),
        ({"holdout_change": HoldoutChange("v1.0.0", rows=9, kept=9, relabelled=1)}, "held-out-rows-kept", "fail"),
        ({"holdout_change": HoldoutChange("v1.0.0", reason="They are not stored.")}, "held-out-rows-kept", "inconclusive"),
        ({"holdout_change": None}, "held-out-rows-kept", "inconclusive"),
        ({"metrics": (metric("auc", 0.6, 0.5), metric("log_loss", 0.5, 0.6))}, "auc-floor", "fail"),
        ({"metrics": (metric("auc", 0.7, 0.75, 0.01), metric("log_loss", 0.5, 0.6))}, "auc-against-champion", "fail"),
        ({"metrics": (metric("auc", 0.7, 0.71, 0.02), metric("log_loss", 0.5, 0.6))}, "auc-against-champion", "inconclusive"),
        ({"metrics": (metric("auc", None, None), metric("log_loss", 0.5, 0.6))}, "auc-floor", "inconclusive"),
        ({"metrics": (metric("auc", 0.7, 0.6),)}, "log-loss-against-champion", "error"),
        ({"slices": ()}, "no-slice-left-behind", "inconclusive"),
        ({"fairness": ()}, "groups-treated-alike", "inconclusive"),
        ({"calibration": None}, "calibrated", "inconclusive"),
        ({"inputs_removed": ("x",)}, "contract-kept", "fail"),
    ],
)  # fmt: skip
def test_a_faulty_candidate_is_blocked(change: dict[str, Any], check: str, expected: str) -> None:
    found = verdict(bundle(evaluation=replace(EVALUATION, **change)))
    assert outcome(found, check) == expected
    assert found.outcome in (expected, "error") and found.blocking


def test_drift_is_shown_but_does_not_block_under_standard() -> None:
    drifted = replace(DRIFT, columns=tuple(replace(c, state="drifted", alarm=True) for c in DRIFT.columns))
    found = verdict(bundle(drift=drifted))
    assert outcome(found, "training-drift") == "fail" and found.outcome == "pass"
    assert verdict(bundle(drift=drifted), policy="regulated").outcome == "fail"


def test_a_first_version_is_judged_by_absolute_rules_only() -> None:
    first = replace(
        EVALUATION,
        champion=None,
        holdout_change=None,
        metrics=(metric("auc", 0.7, None), metric("log_loss", 0.5, None)),
    )
    assert verdict(bundle(evaluation=first)).outcome == "pass"
    weak = replace(first, metrics=(metric("auc", 0.6, None), metric("log_loss", 0.5, None)))
    assert verdict(bundle(evaluation=weak)).outcome == "fail"


def test_only_rules_for_the_model_are_applied_and_what_it_no_longer_declares_still_counts() -> None:
    bare = bundle(evaluation=replace(EVALUATION, declared=(), slices=(), fairness=()))
    document = parse_document((POLICIES / "standard.yaml").read_bytes(), "policies/standard.yaml")
    policy = convert(Policy, document)
    own = parse(Model, MODEL_YAML.format(name="churn").encode(), "model.yaml")
    before = msgspec.structs.replace(own, evaluation=msgspec.structs.replace(own.evaluation, groups=["colour"]))

    def judged(known: Model | None) -> dict[str, str]:
        return {c.id: c.outcome for c in judge(policy, document, bare, (), TODAY, known=known).checks}

    assert "groups-treated-alike" not in judged(own) and "r2-floor" not in judged(own) and judged(None) == judged(own)
    assert judged(before)["groups-treated-alike"] == "inconclusive" and "no-slice-left-behind" not in judged(before)
    nothing = judge(policy, document, bundle(evaluation=None), (), TODAY, known=own)
    assert "r2-floor" not in {check.id for check in nothing.checks} and nothing.outcome == "error"


WAIVER = Waiver(model="churn", check="calibrated", artifact=ARTIFACT, reason="r", requested_by="ada", approved_by="grace",
                expires="2026-05-03")  # fmt: skip


def test_waivers_are_for_these_bytes_this_check_until_that_day_and_by_two_people() -> None:
    assert EVALUATION.calibration
    boastful = bundle(evaluation=replace(EVALUATION, calibration=replace(EVALUATION.calibration, expected_error=0.3)))
    assert verdict(boastful).outcome == "fail"
    waived = verdict(boastful, ("waivers/w.yaml", WAIVER))
    assert waived.outcome == "waived"
    assert next(c for c in waived.checks if c.id == "calibrated").waiver == "waivers/w.yaml"
    for change in (
        {"artifact": "b" * 64},
        {"model": "other"},
        {"check": "auc-floor"},
        {"expires": "2026-05-02"},
        {"approved_by": "ada"},
    ):
        assert verdict(boastful, ("w", msgspec.structs.replace(WAIVER, **change))).outcome == "fail", change
    expired = verdict(boastful, ("waivers/w.yaml", WAIVER), today=date(2026, 5, 4))
    assert expired.outcome == "fail" and any("last day was 2026-05-03" in note for note in expired.notes)


def test_hard_checks_cannot_be_waived() -> None:
    leaked = bundle(evaluation=replace(EVALUATION, leakage=replace(EVALUATION.leakage, overlap=5)))
    waiver = msgspec.structs.replace(WAIVER, check="no-leak")
    assert verdict(leaked, ("w", waiver)).outcome == "fail"


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.001, 0.02, "superior"),
        (-0.009, 0.02, "non-inferior"),
        (-0.02, 0.02, "inconclusive"),
        (-0.05, -0.02, "inferior"),
    ],
)
def test_a_comparison_has_one_of_four_results(low: float, high: float, word: str) -> None:
    up = MetricResult("auc", True, 0.7, 0.7, (low + high) / 2, Interval(low, high), "")
    down = MetricResult("log_loss", False, 0.7, 0.7, -(low + high) / 2, Interval(-high, -low), "")
    assert non_inferiority(up, 0.01)[1] == non_inferiority(down, 0.01)[1] == word


def documents() -> dict[str, bytes]:
    return {
        "training": write_statement("training", "churn", ARTIFACT, TRAINING),
        "evaluation": write_statement("evaluation", "churn", ARTIFACT, EVALUATION),
        "drift": write_statement("drift", "churn", ARTIFACT, DRIFT),
        "artifact": write_statement("artifact", "churn", ARTIFACT, SCAN),
    }


def test_evidence_round_trips_and_is_bound_to_bytes() -> None:
    found = read_bundle("churn", ARTIFACT, documents())
    assert (found.training, found.evaluation, found.drift, found.scan) == (TRAINING, EVALUATION, DRIFT, SCAN)
    assert not found.faults and len(found.digests) == 4
    for model, artifact in (("churn", "b" * 64), ("other", ARTIFACT)):
        strange = read_bundle(model, artifact, documents())
        assert strange.evaluation is None and set(strange.faults) == {"training", "evaluation", "drift", "artifact"}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b'{"_type":"x","subject":[],"predicateType":"y","predicate":{}}', b"\xff", b"[" * 5000],
)
def test_corrupt_evidence_is_an_error_and_not_a_pass(content: bytes) -> None:
    found = read_bundle("churn", ARTIFACT, documents() | {"evaluation": content})
    assert found.evaluation is None and "evaluation" in found.faults
    assert verdict(found).outcome == "error"


def test_evidence_of_one_kind_is_not_accepted_as_another() -> None:
    with pytest.raises(ModelyardError):
        read_statement(documents()["drift"], "training", Training)
    with pytest.raises(ModelyardError):
        read_statement(documents()["training"], "drift", Drift)


def test_evidence_is_strict_json() -> None:
    import json

    def refuse(word: str) -> None:
        raise AssertionError(word)

    for content in documents().values():
        json.loads(content, parse_constant=refuse)
    assert write_statement("evaluation", "churn", ARTIFACT, EVALUATION) == documents()["evaluation"]
    assert isinstance(read_statement(documents()["evaluation"], "evaluation", Evaluation).predicate, Evaluation)
