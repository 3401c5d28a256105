"""Evidence documents as values: statements, differences, verdicts, windows, erasures."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError
from modelyard.evidence.approval import RuleResult
from modelyard.evidence.bundle import read_bundle
from modelyard.evidence.production import (
    Erasure,
    ShownCheck,
    ShownMetric,
    ShownMonitoring,
    ShownRealised,
    ShownVerdict,
    ShownWindow,
)
from modelyard.evidence.statement import MAXIMUM_BYTES, read_statement, write_statement
from modelyard.evidence.training import Difference, Training, differences, environment_digest, flat
from modelyard.evidence.verdict import SEVERITY, CheckResult, Outcome, Verdict, overall, worst
from support.evidence import ARTIFACT, TRAINING


@given(
    st.text(max_size=20), st.text(max_size=70), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)
)
def test_a_statement_reads_back_and_has_its_own_digest(model: str, artifact: str, packages: dict[str, str]) -> None:
    training = replace(TRAINING, packages=packages)
    content = write_statement("training", model, artifact, training)
    found = read_statement(content, "training", Training)
    assert (found.model, found.artifact, found.predicate) == (model, artifact, training)
    assert found.digest == hashlib.sha256(content).hexdigest()
    assert write_statement("training", model, artifact, training) == content and content.endswith(b"}\n")


@given(st.binary(max_size=200))
def test_any_bytes_are_evidence_or_an_error(content: bytes) -> None:
    with pytest.raises(ModelyardError, match="The training evidence "):
        read_statement(content, "training", Training)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            ("urn:modelyard:evidence:training:1", "urn:x"),
            "has the type 'urn:x', not 'urn:modelyard:evidence:training:1'",
        ),
        (("https://in-toto.io/Statement/v1", "x"), "has the type"),
        (('"sha256"', '"md5"'), "does not name exactly one artifact by its sha256"),
        (('"lock_sha256"', '"other"'), "is not valid"),
    ],
)
def test_a_document_of_another_kind_is_an_error(change: tuple[str, str], match: str) -> None:
    content = write_statement("training", "churn", ARTIFACT, TRAINING).decode().replace(*change).encode()
    with pytest.raises(ModelyardError, match=match):
        read_statement(content, "training", Training)


def test_a_document_has_a_largest_size() -> None:
    with pytest.raises(ModelyardError, match=r"has 10,000,001 bytes \(limit 10,000,000\)"):
        read_statement(bytes(MAXIMUM_BYTES + 1), "training", Training)


def test_every_fault_of_a_bundle_is_a_sentence() -> None:
    other = write_statement("training", "churn", "b" * 64, TRAINING)
    found = read_bundle("churn", ARTIFACT, {"training": other, "drift": b"{"})
    assert found.faults["training"] == f"The training evidence is about churn {'b' * 12}, not churn {'a' * 12}."
    assert found.faults["evaluation"] == "The evaluation evidence is missing."
    assert found.faults["drift"].startswith("The drift evidence is not valid: ")


NESTED = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, min_size=1, max_size=3),
)
MAPPINGS = st.dictionaries(st.text("abc", min_size=1, max_size=2), NESTED, max_size=3)


@given(MAPPINGS, MAPPINGS)
def test_differences_are_those_keys_that_differ(before: dict[str, Any], after: dict[str, Any]) -> None:
    old, new = flat(before), flat(after)
    found = differences(before, after)
    assert differences(before, before) == () and [d.name for d in found] == sorted(d.name for d in found)
    assert {d.name: (d.before, d.after) for d in found} == {
        key: (old.get(key, ""), new.get(key, "")) for key in old.keys() | new.keys() if old.get(key) != new.get(key)
    }


def test_nested_keys_are_joined_by_dots() -> None:
    assert flat({"train": {"trees": 5, "a": {"b": None}}, "x": [1]}) == {
        "train.trees": "5",
        "train.a.b": "None",
        "x": "[1]",
    }
    assert differences({"a": {"b": 1}}, {"a": {"c": 1}}) == (Difference("a.b", "1", ""), Difference("a.c", "", "1"))


def test_the_digest_of_an_environment_does_not_depend_on_its_order() -> None:
    assert environment_digest({"a": "1", "b": "2"}) == environment_digest({"b": "2", "a": "1"})
    assert environment_digest({"a": "1"}) == hashlib.sha256(b"a==1\n").hexdigest()


OUTCOMES = st.sampled_from(SEVERITY)


def result(outcome: Outcome, level: str) -> CheckResult:
    return CheckResult(
        id="c", kind="k", level=level, outcome=outcome, sentence="s", why="w", file="f", line=1
    )  # fmt: skip


@given(st.lists(st.tuples(OUTCOMES, st.sampled_from(["advisory", "soft", "hard"])), max_size=6))
def test_a_verdict_is_that_of_its_worst_check_that_can_block(parts: list[tuple[Outcome, str]]) -> None:
    checks = tuple(result(outcome, level) for outcome, level in parts)
    can_block = [outcome for outcome, level in parts if level != "advisory"]
    assert overall(checks) == (min(can_block, key=SEVERITY.index) if can_block else "inconclusive")
    verdict = Verdict(outcome=overall(checks), policy="p", policy_file="f", checks=checks, evidence={})
    assert bool(verdict.blocking) == any(outcome in ("error", "fail", "inconclusive") for outcome in can_block)
    assert worst([outcome for outcome, _ in parts], "waived") == (
        min((o for o, _ in parts), key=SEVERITY.index) if parts else "waived"
    )


def test_a_rule_is_met_by_enough_people() -> None:
    assert RuleResult("r", "risk", 2, ("@a", "@b")).met and not RuleResult("r", "risk", 2, ("@a",)).met


def test_a_window_in_short() -> None:
    monitoring = ShownMonitoring("production", "v1.0.0", "a", "b", 10, ShownRealised(5, (ShownMetric("auc", 0.7),)), {})
    checks = tuple(
        ShownCheck(f"{level}-{outcome}", level, outcome) for level in ("advisory", "soft") for outcome in SEVERITY
    )
    window = ShownWindow(monitoring, ShownVerdict("fail", checks))
    assert window.failed == ("soft-error", "soft-fail")
    assert window.realised("auc") == 0.7 and window.realised("brier") is None


@pytest.mark.parametrize(
    ("change", "complete"),
    [({}, True), ({"unreached": ("production",)}, False), ({"evidence": ("a.json",)}, False),
     ({"waiting": {"staging": 1}}, False), ({"trained": ("v1.0.0",)}, True)],
)  # fmt: skip
def test_an_erasure_is_complete_when_no_known_place_holds_the_id(change: dict[str, Any], complete: bool) -> None:
    erasure = Erasure(
        at=0.0, digest="d", logs={"staging": 1}, waiting={"staging": 0}, unreached=(), increments=(), trained=(),
        judged=(), unknown=(),
    )  # fmt: skip
    assert replace(erasure, **change).complete is complete
