"""The backtest of a changed policy: which versions flip, and which changes loosen a rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from modelyard.gate.backtest import Promoted, backtest
from modelyard.gate.rule_changes import RuleChange
from modelyard.manifests.approvals import Waiver
from modelyard.manifests.conversion import convert
from modelyard.manifests.document import parse_document
from modelyard.manifests.policy import Policy
from support.evidence import ARTIFACT, EVALUATION, bundle, metric

POLICY = """\
name: standard
description: d
checks:
  - {id: auc-floor, kind: threshold, metric: auc, minimum: 0.75, why: w}
"""
LINES = parse_document(POLICY.encode(), "policies/standard.yaml")


def promoted(version: str, at: int, auc: float, verdict: str, *waivers: tuple[str, Waiver]) -> Promoted:
    evidence = bundle(evaluation=replace(EVALUATION, metrics=(metric("auc", auc, 0.7),)))
    return Promoted(version, at, date(2026, 5, 3), verdict, evidence, waivers)


def test_versions_flip_in_both_directions_newest_first() -> None:
    waiver = Waiver(model="churn", check="auc-floor", artifact=ARTIFACT, reason="r", requested_by="@ada",
                    expires="2026-05-03")  # fmt: skip
    versions = [
        promoted("v1.0.0", 1, 0.7, "pass"),
        promoted("v1.1.0", 2, 0.8, "fail"),
        promoted("v1.2.0", 3, 0.8, "pass"),
        promoted("v1.3.0", 4, 0.7, "pass", ("waivers/w.yaml", waiver)),
    ]
    changes = [RuleChange("auc-floor minimum 0.7 → 0.75", False), RuleChange("x is removed", True)]
    found = backtest(convert(Policy, LINES), LINES, versions, changes)
    assert [(v.version, v.before, v.after, v.because) for v in found.versions] == [
        ("v1.3.0", "pass", "waived", ()),
        ("v1.2.0", "pass", "pass", ()),
        ("v1.1.0", "fail", "pass", ()),
        ("v1.0.0", "pass", "fail", ("auc-floor",)),
    ]
    assert [v.version for v in found.flipped] == ["v1.1.0", "v1.0.0"]
    assert found.sentence == (
        "The changed policy decides 2 of the last 4 versions the other way; 1 of 2 changes loosen a rule."
    )
