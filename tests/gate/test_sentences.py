"""What each kind of check finds, in one sentence with the measured value and the limit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from modelyard.evidence.artifact import Artifact
from modelyard.gate.findings import find
from modelyard.manifests.policy import (
    AnyCheck,
    ArtifactCheck,
    CalibrationCheck,
    ChampionCheck,
    ContractCheck,
    DriftCheck,
    EvidenceCheck,
    LeakageCheck,
    RowsCheck,
    SlicesCheck,
    StabilityCheck,
    ThresholdCheck,
)
from modelyard.metrics.evaluation import SliceResult
from modelyard.metrics.folds import FoldMetric, Stability
from modelyard.metrics.leakage import InputStrength
from support.evidence import DRIFT, EVALUATION, bundle, metric

RULE: dict[str, Any] = {"id": "c", "why": "w"}
METRICS = (metric("auc", 0.7412, 0.73), metric("log_loss", 0.5, 0.6))


def said(check: AnyCheck, **parts: Any) -> tuple[str, str]:
    """Outcome and sentence; fields of the evaluation are replaced, other parts are parts of the bundle."""
    changes = {name: parts.pop(name) for name in list(parts) if name not in ("drift", "scan", "evaluation")}
    if changes:
        parts["evaluation"] = replace(EVALUATION, **changes)
    finding = find(check, bundle(**parts))
    return finding.outcome, finding.sentence


@pytest.mark.parametrize(
    ("limits", "outcome", "required"),
    [
        ({"minimum": 0.65}, "pass", "at least 0.65"),
        ({"minimum": 0.75}, "fail", "at least 0.75"),
        ({"minimum": 0.5, "maximum": 0.74}, "fail", "at least 0.5, at most 0.74"),
        ({}, "pass", "any value"),
    ],
)
def test_threshold(limits: dict[str, Any], outcome: str, required: str) -> None:
    check = ThresholdCheck(metric="auc", **RULE, **limits)
    assert said(check, metrics=METRICS) == (outcome, f"auc is 0.7412 (required: {required}).")


def test_a_metric_that_the_task_does_not_have() -> None:
    check = ThresholdCheck(metric="ndcg", **RULE)
    assert said(check, metrics=METRICS) == (
        "error",
        "ndcg is not measured for binary models; name the rule's tasks in the policy.",
    )
    compared = said(ChampionCheck(metric="ndcg", margin=0.01, **RULE), metrics=METRICS)
    sliced = said(SlicesCheck(metric="ndcg", margin=0.01, **RULE), metrics=METRICS)
    assert compared == sliced == said(check, metrics=METRICS)
    undefined = said(ThresholdCheck(metric="auc", **RULE), metrics=(metric("auc", None, None),))
    assert undefined == ("inconclusive", "auc is undefined on this holdout of 6,000 rows.")


def test_champion() -> None:
    check = ChampionCheck(metric="auc", margin=0.01, **RULE)
    assert said(check, metrics=METRICS) == (
        "pass",
        "auc differs from v1.0.0 by +0.0112 [+0.0092, +0.0132]: superior (margin 0.01).",
    )
    worse = (metric("auc", 0.7, 0.73),)
    assert said(check, metrics=worse)[1].endswith("[-0.0320, -0.0280]: inferior (margin 0.01).")
    first = "There is no champion yet: this is the first version."
    assert said(check, champion=None) == ("pass", first)
    assert said(SlicesCheck(metric="auc", margin=0.01, **RULE), champion=None) == ("pass", first)


def test_slices() -> None:
    def part(level: str, difference: float, sufficient: bool = True) -> SliceResult:
        return SliceResult("region", level, 2000, sufficient, (metric("auc", 0.7 + difference, 0.7),))

    slices = (part("north", 0.0), part("south", -0.05), part("few", 0.0, sufficient=False))
    check = SlicesCheck(metric="auc", margin=0.03, **RULE)
    assert said(check, slices=slices) == (
        "fail",
        "The worst of 2 slices is region=south: auc -0.0500 (2,000 rows). Inferior slices: 1 (margin 0.03)."
        " Slices too small to judge: 1.",
    )
    assert said(check, slices=slices[:1])[1].endswith("Inferior slices: 0 (margin 0.03).")
    assert said(check, slices=slices[2:]) == ("inconclusive", "No slice has enough rows for a comparison.")


def test_rows() -> None:
    rows = f"The holdout has 6,000 rows, {EVALUATION.positives:,} of them positive"
    check = RowsCheck(minimum=1000, minimum_per_class=100, **RULE)
    assert said(check) == ("pass", f"{rows} (required: 1,000 rows, 100 of each class).")
    assert said(RowsCheck(minimum=9000, **RULE)) == ("inconclusive", f"{rows} (required: 9,000 rows).")
    regression = said(check, positives=None)
    assert regression == ("pass", "The holdout has 6,000 rows (required: 1,000 rows).")
    classes = said(check, positives=None, smallest_class=99)
    assert classes == (
        "inconclusive",
        "The holdout has 6,000 rows, 99 of the smallest class (required: 1,000 rows, 100 of each class).",
    )


def test_calibration() -> None:
    assert EVALUATION.calibration
    calibration = replace(EVALUATION.calibration, expected_error=0.12, mean_prediction=0.3, base_rate=0.25)
    check = CalibrationCheck(maximum_error=0.08, **RULE)
    assert said(check, calibration=calibration) == (
        "fail",
        "The expected calibration error is 0.120 (limit 0.08); the mean prediction is 0.300, the base rate 0.250.",
    )
    assert said(check, calibration=None) == (
        "inconclusive",
        "Calibration is not known; it needs a binary model and 200 held-out rows.",
    )


@pytest.mark.parametrize(
    ("scan", "rule", "outcome", "sentence"),
    [
        (Artifact("lightgbm-text", 1234, 0.2), {}, "pass",
         "The artifact is lightgbm-text and has 1,234 bytes (limit 500,000,000)."),
        (Artifact("lightgbm-text", 1234, 0.2), {"maximum_row_milliseconds": 1.0}, "pass",
         "The artifact is lightgbm-text and has 1,234 bytes (limit 500,000,000); one row takes at most 0.2 ms (limit 1 ms)."),
        (Artifact("lightgbm-text", 1234, 5.0), {"maximum_row_milliseconds": 1.0}, "fail",
         "The artifact is lightgbm-text and has 1,234 bytes (limit 500,000,000); one row takes at most 5 ms (limit 1 ms)."),
        (Artifact("lightgbm-text", 1234), {"maximum_row_milliseconds": 1.0}, "inconclusive",
         "The artifact is lightgbm-text and has 1,234 bytes (limit 500,000,000); the time to score one row was not measured."),
        (Artifact("lightgbm-text", 1234), {"maximum_bytes": 1000}, "fail",
         "The artifact is lightgbm-text and has 1,234 bytes (limit 1,000)."),
        (Artifact("pickle", 1), {"formats": ["onnx", "skops"]}, "fail", "The artifact is of the format pickle (allowed: onnx, skops)."),
        (Artifact(None, 1), {}, "fail",
         "The artifact is of an unknown format (allowed: lightgbm-text, xgboost-json, xgboost-ubj, catboost-cbm, skops, onnx,"
         " safetensors, npz, json)."),
    ],
)  # fmt: skip
def test_artifact(scan: Artifact, rule: dict[str, Any], outcome: str, sentence: str) -> None:
    assert said(ArtifactCheck(**RULE, **rule), scan=scan) == (outcome, sentence)


def test_leakage() -> None:
    leakage = replace(EVALUATION.leakage, inputs=(InputStrength("x", 0.91), InputStrength("y", None)), overlap=0)
    check = LeakageCheck(maximum_single_input_auc=0.95, **RULE)
    assert said(check, leakage=leakage) == (
        "pass",
        "The strongest single input, x, reaches AUC 0.910 (limit 0.95);"
        " 0 of 6,000 held-out rows are in the training data (limit 0).",
    )
    strict = LeakageCheck(maximum_single_input_auc=0.9, maximum_identical_share=0.01, **RULE)
    assert said(strict, leakage=replace(leakage, overlap=3, identical=61)) == (
        "fail",
        "Possible leakage: the input x alone reaches AUC 0.910 (limit 0.9);"
        " 3 of 6,000 held-out rows are in the training data (limit 0);"
        " 61 of 6,000 held-out rows equal a training row (limit 60).",
    )
    assert said(strict, leakage=replace(leakage, identical=None))[0] == "fail", "a leak is one also without that count"
    bare = replace(leakage, inputs=(), overlap=1)
    assert said(LeakageCheck(maximum_overlap=1, **RULE), leakage=bare) == (
        "pass",
        "1 of 6,000 held-out rows are in the training data (limit 1).",
    )


def test_stability() -> None:
    check = StabilityCheck(metric="auc", maximum_deviation=0.03, **RULE)
    folds = Stability(("a", "b"), (10, 10), (FoldMetric("auc", (0.7, 0.8), 0.75, 0.07),))
    assert said(check, stability=folds) == (
        "fail",
        "auc over 2 folds is 0.7500 ± 0.0700 (limit of the deviation 0.03).",
    )
    assert said(check, stability=None)[1] == "Fewer than two folds were evaluated; files.folds names their table."


def test_contract() -> None:
    check = ContractCheck(allow_added=True, **RULE)
    assert said(check)[1] == "The contract's inputs are the same as the champion's."
    assert said(check, inputs_added=("x",)) == ("pass", "The contract's inputs changed as allowed: +x.")
    assert said(check, inputs_removed=("x", "y")) == ("fail", "The contract's inputs changed (removed: x, y).")
    strict = ContractCheck(allow_added=False, allow_removed=True, **RULE)
    assert said(strict, inputs_added=("z",), inputs_removed=("x",)) == (
        "fail",
        "The contract's inputs changed (added: z).",
    )


def test_drift() -> None:
    [column] = DRIFT.columns
    columns = tuple(replace(column, name=name, state="drifted", alarm=True) for name in "abcde")
    drift = replace(DRIFT, columns=(*columns, column, replace(column, state="insufficient")))
    check = DriftCheck(maximum_alarm_share=0.3, **RULE)
    assert said(check, drift=drift) == (
        "fail",
        "5 of 6 columns (83 %, limit 30 %) drifted from v1.0.0: a, b, c, d, ….",
    )
    assert said(check)[1] == "0 of 1 columns (0 %, limit 30 %) drifted from v1.0.0."
    thin = replace(DRIFT, columns=(replace(column, state="insufficient"),))
    assert said(check, drift=thin) == ("inconclusive", "No column has enough rows to compare.")


@pytest.mark.parametrize(
    ("check", "missing", "sentence"),
    [
        (EvidenceCheck(require=["training", "drift"], **RULE), "drift", "The drift evidence is missing."),
        (DriftCheck(maximum_alarm_share=0.3, **RULE), "drift", "The drift evidence is missing."),
        (ArtifactCheck(**RULE), "scan", "The artifact evidence is missing."),
        (RowsCheck(minimum=1, **RULE), "evaluation", "The evaluation evidence is missing."),
    ],
)
def test_missing_evidence(check: AnyCheck, missing: str, sentence: str) -> None:
    assert said(check, **{missing: None}) == ("error", sentence)


def test_existing_evidence_names_its_artifact() -> None:
    check = EvidenceCheck(require=["training", "drift"], **RULE)
    assert said(check) == ("pass", f"All required evidence is about artifact {'a' * 12} (training, drift).")
