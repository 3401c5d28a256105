"""A second run, and whether it supports the candidate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from modelyard.evidence.training import Difference, Reproduction
from modelyard.gate.reproduction import unreproduced
from modelyard.manifests.conversion import parse
from modelyard.manifests.policy import Policy
from support.evidence import ARTIFACT, EVALUATION, bundle, metric
from support.yard import POLICIES

COMMIT = "c" * 40
REGULATED = parse(Policy, (POLICIES / "regulated.yaml").read_bytes(), "regulated.yaml")
STANDARD = parse(Policy, (POLICIES / "standard.yaml").read_bytes(), "standard.yaml")
SAME = Reproduction("churn", "", "pass", ARTIFACT, ARTIFACT, None, (), (), (), COMMIT)
OTHER = replace(SAME, outcome="fail", artifact_after="b" * 64, largest_difference=0.02, once_more="e" * 64)


def why(found: Reproduction | None, policy: Policy = REGULATED, **evaluation: Any) -> str:
    measured = replace(EVALUATION, metrics=(metric("auc", 0.74, 0.73), metric("log_loss", 0.5, 0.5)), **evaluation)
    return unreproduced(policy, bundle(reproduction=found, evaluation=measured), COMMIT)


def test_only_a_second_run_at_the_commit_counts() -> None:
    assert why(SAME) == "" == why(replace(OTHER, outcome="inconclusive"))
    assert why(None) == "churn was not run a second time at the commit cccccccccccc."
    assert why(replace(SAME, commit="d" * 40)) == why(None), "another commit has other code"


@pytest.mark.parametrize(("before", "after", "expected"), [
    ("0.740000", "0.744000", ""), ("0.740000", "0.736000", ""), ("0.740000", "0.748000", "auc 0.740000 and then 0.748000"),
    ("0.740000", "0.500000", "auc 0.740000 and then 0.500000"), ("0.740000", "", "auc 0.740000 and then unknown"),
])  # fmt: skip
def test_other_bytes_need_the_same_metrics_within_the_margins(before: str, after: str, expected: str) -> None:
    said = why(replace(OTHER, metrics=(Difference("auc", before, after), Difference("f1", "0.5", "0.1"))))
    assert said == (f"A second run of churn gave other bytes and another result: {expected}." if expected else "")


def test_without_a_margin_or_the_same_rows_nothing_says_how_far_apart() -> None:
    bare = parse(
        Policy, b"name: bare\ndescription: d\nchecks: [{id: r, kind: rows, minimum: 1, why: w}]\n", "bare.yaml"
    )
    assert "nothing in the policy says" in why(OTHER, bare) and "nothing in the policy" in why(
        replace(OTHER, largest_difference=None)
    )
    assert "in another way (99/100)" in why(replace(SAME, outcome="fail", probe="99/100"))


@pytest.mark.parametrize("once_more", ["", "b" * 64])
@pytest.mark.parametrize("outcome", ["inconclusive", "fail"])
def test_a_deterministic_pipeline_needs_the_same_bytes(outcome: Any, once_more: str) -> None:
    said = why(replace(OTHER, outcome=outcome, once_more=once_more))
    assert said == (
        "The pipeline of churn makes the artifact bbbbbbbbbbbb, each time that it runs; dvc.lock pins aaaaaaaaaaaa."
    ), "other bytes with the same predictions on the held-out rows may answer others in another way"


def test_which_policy_asks() -> None:
    assert (REGULATED.reproduced, STANDARD.reproduced) == ("required", "advisory")
