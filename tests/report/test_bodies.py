"""The Markdown of pull requests, issues, comments and replies."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.evidence.bundle import Bundle
from modelyard.evidence.production import Erasure, Joined
from modelyard.evidence.training import Changes, Difference
from modelyard.evidence.verdict import CheckResult
from modelyard.gate.triggers import Cause, Due, Worth
from modelyard.manifests.conversion import convert, parse
from modelyard.manifests.document import parse_document
from modelyard.manifests.model import Model
from modelyard.manifests.policy import Policy
from modelyard.manifests.rules import checks_for
from modelyard.metrics.drift import Drift
from modelyard.metrics.evaluation import Evaluation
from modelyard.registry.lineage import Lineage
from modelyard.report.markdown.bodies import (
    EXPLAINED,
    PLAN_LIMIT,
    explain,
    forgetting_body,
    increment_body,
    plan_part,
    render_cause,
    retrain_body,
    rollback_story,
)
from modelyard.report.markdown.card import Card, render_card
from modelyard.report.markdown.comment import artifact_in, joint_digest, marker, outcome_sign, render_comment
from modelyard.report.markdown.safe import code, fold, node, shortened, text
from modelyard.report.markdown.sections import changes_section, lineage_section, numbering_section
from modelyard.report.markdown.summary import PLAN, REPORT, plan_in, with_plan
from modelyard.rollout.plan import Delivery, JournalEntry
from modelyard.rollout.progress import RolloutState
from report import samples
from report.proposals import report
from support.evidence import DRIFT, EVALUATION
from support.yard import MODEL_YAML, POLICIES

MODEL = parse(Model, MODEL_YAML.format(name="churn").encode(), "model.yaml")
EVIL = "x|</td><script>alert(1)</script> @everyone `rm` https://evil.example #1 ](javascript:x)"


def harmless(body: str) -> bool:
    return not any(part in body for part in ("<script", "@everyone", "https://", "| </td>")) and "](java" not in body


@pytest.mark.parametrize("cause", ["manual", "schedule", "drift", "due"])
def test_a_retraining_says_why_what_it_cost_and_what_happens_next(cause: Cause) -> None:
    due = Due((("age", "v1.0.0 is 40 days old"),), "", "1 of 4 runs in 30d")
    body = retrain_body(
        "churn", cause, due, Worth(True, "auc is better by 0.0100."), EVALUATION, DRIFT, 1000, 2048, 200.0
    )
    assert body.startswith("## Retrain churn\n") and "| why now | " in body and "auc is better by 0.0100" in body
    assert "3 min of training on 1,000 rows; an artifact of 2,048 bytes" in body
    assert "0 of 1 columns drifted from v1.0.0" in body and "Columns that drifted" not in body
    assert "**If it is merged:**" in body and "**If nobody acts:**" in body
    drifted = replace(DRIFT, columns=(replace(DRIFT.columns[0], alarm=True),))
    body = retrain_body("churn", cause, due, Worth(True, ""), EVALUATION, drifted, 1, 1, 0.2)
    assert "<summary>Columns that drifted</summary>" in body and "1 s of training" in body


def test_a_plan_names_every_deployment_and_counts_those_that_change() -> None:
    moving = Delivery("production", "churn", "v2", "v1", ("install v2",), rollout="step 1 of 3")
    steady = Delivery("staging", "churn", "v1", "v1", ())
    body = plan_part([steady, moving])
    assert (
        body.startswith(f"{PLAN}\n## Merging changes 1 deployment\n")
        and "- v1\n+ v2\n" in body
        and "step 1 of 3" in body
    )
    assert body.count("```") == 4
    assert "## Merging changes nothing" in plan_part([steady]) and "2 deployments" in plan_part([moving] * 2)


def test_a_plan_of_many_deployments_is_cut_and_says_so() -> None:
    many = [Delivery("production", f"m{i}", "v2", "v1", ("x" * 5_000,)) for i in range(300)]
    body = plan_part(many)
    assert len(body) < PLAN_LIMIT and "## Merging changes 300 deployments" in body
    shown = body.count("```diff")
    assert 10 < shown < 300 and f"{300 - shown} more are not shown." in body and body.count("```") == 2 * shown


def test_a_plan_is_one_part_of_the_comment() -> None:
    first, second = plan_part([Delivery("staging", "a", "v2", "v1", ("x",))]), plan_part([])
    report = f"{REPORT}\n## ✅ a may be merged\n"
    both = with_plan(report, first)
    assert both.startswith(report) and plan_in(both) == first and plan_in(report) == ""
    assert with_plan(both, second) == with_plan(report, second) and with_plan(both, "") == report
    assert with_plan(both.replace("\n", "\r\n"), first) == both


def test_a_rollback_tells_its_journal() -> None:
    state = RolloutState("rolled back", "v1", "v2", "a" * 64, reason="errors: 3 % of requests fail")
    told = rollback_story(state, [JournalEntry(samples.AT, "20 % to v2")])
    assert told.startswith("v2 was rolled back: errors: 3 % of requests fail.") and "2026-05-01 00:00" in told
    assert "sha256 aaaaaaaaaaaaaaaa" in told and "readmit" in told and "| time (UTC) | event |" in told
    assert "| time" not in rollback_story(state, [])


def test_an_issue_shows_what_belongs_to_its_rule() -> None:
    _, monitoring, verdict = samples.window("word")
    check = samples.filled(CheckResult, "word", kind="inputs")
    body = render_cause("churn", monitoring, check)
    assert (
        body.startswith("**word**")
        and "| rule | word (word:1234, word) |" in body
        and "Predictions per day: ██" in body
    )
    assert "| column | state |" in body and "worst by" not in body
    quality = render_cause("churn", monitoring, replace(check, kind="quality"))
    assert "worst by" in quality and "| column |" not in quality
    assert verdict.outcome == "fail"


def test_an_increment_and_an_erasure_say_what_merging_does() -> None:
    joined = samples.filled(Joined, "name")
    body = increment_body("churn", "production", "feedback/1.parquet", samples.AT, samples.AT + 86400, joined)
    assert "Labels for the predictions of production from 2026-05-01 00:00 UTC to 2026-05-02 00:00 UTC" in body
    assert "| labels |" in body and "Personal inputs are left out" in body and "no row is added twice" in body
    erasure = samples.filled(Erasure, "v1.0.0", digest="d" * 64)
    body = forgetting_body("churn", erasure, ["feedback/1.parquet"])
    assert "`dddddddddddddddd`" in body and "trained on it: v1.0.0" in body and "--purge" in body
    assert "trained on it: none" in forgetting_body("churn", replace(erasure, trained=()), [])


def test_hostile_names_stay_text_in_every_body() -> None:
    name, monitoring, _ = samples.window(EVIL)
    due = Due((("age", EVIL),), EVIL, EVIL)
    evaluation, drift = samples.filled(Evaluation, EVIL), samples.filled(Drift, EVIL)
    state = samples.filled(RolloutState, EVIL, artifact="a" * 64)
    for body in (
        retrain_body(name, "manual", due, Worth(True, EVIL), evaluation, drift, 1, 1, 1.0),
        rollback_story(state, [JournalEntry(1, EVIL)]),
        render_cause(name, monitoring, samples.filled(CheckResult, EVIL, kind="inputs")),
        render_cause(name, monitoring, samples.filled(CheckResult, EVIL, kind="quality")),
        increment_body(name, EVIL, "path", 0.0, 1.0, samples.filled(Joined, EVIL)),
        forgetting_body(name, samples.filled(Erasure, EVIL, digest="d" * 64), ["path"]),
    ):
        assert harmless(body), body


def test_the_comment_on_a_report_full_of_hostile_names() -> None:
    body = render_comment(
        samples.report(EVIL, bundle=samples.filled(Bundle, EVIL, model="churn", artifact="a" * 64), commit="c" * 40)
    ).body
    shown = re.sub(r"```.*?```|`[^`\n]*`", "", body[: body.index("<sub>commit")], flags=re.S)
    assert harmless(shown) and body.count("<details>") == body.count("</details>")
    assert "`" not in shown.replace("\\`", "")


@given(st.text(max_size=80))
def test_inline_code_cannot_be_left(value: str) -> None:
    shown = code(value)
    assert "\n" not in shown and "|" not in shown.replace("\\|", "")
    assert shown == "–" or (shown.count("`") == 2 and shown[0] == shown[-1] == "`")


def test_a_card_full_of_hostile_names_stays_a_card() -> None:
    lineage, manifest = samples.filled(Lineage, EVIL, model="churn"), samples.model_page("churn", EVIL).manifest
    assert manifest is not None
    whole = render_card(Card(manifest, lineage, samples.filled(Bundle, EVIL)))
    shown = re.sub(r"`[^`\n]*`", "", whole.split("---\n", 2)[2])
    assert harmless(shown)


def test_the_reply_to_explain_shows_the_settings_and_the_result_of_a_rule() -> None:
    document = parse_document((POLICIES / "standard.yaml").read_bytes(), "policies/standard.yaml")
    policy = convert(Policy, document)
    shown = render_comment(report()).body
    whole = explain(MODEL, policy, document, shown, None)
    assert whole.startswith("## How churn is judged: standard") and whole.endswith(EXPLAINED + "\n")
    assert whole.count("<summary>") == len(checks_for(policy, MODEL)) < len(policy.checks)
    assert "r2" not in whole, "a rule for another task is not shown"
    one = explain(MODEL, policy, document, shown, "no-leak")
    assert one.count("<summary>") == 1 and "`policies/standard.yaml:29`" in one and "| setting | value |" in one
    assert "✅ pass</summary>" in one and "It blocks" in one
    assert "What to do about a failure: Remove an input that is known only after the label" in one


def test_the_comment_keeps_its_earlier_runs_and_its_first_link() -> None:
    first = render_comment(report(), url="https://ci.example/1", orders=True)
    again = render_comment(report(), first.body, url="https://ci.example/2")
    assert (
        again.digest == first.digest
        and "https://ci.example/1" in again.body
        and "https://ci.example/2" not in again.body
    )
    other = render_comment(
        replace(report(), commit="d" * 40), first.body, notes=["a note"], picture="https://ci.example/p.svg"
    )
    assert "Earlier runs" in other.body and "`cccccccccc`" in other.body and "⚠️ a note" in other.body
    assert "![Metrics of candidate and champion](https://ci.example/p.svg)" in other.body
    assert "/modelyard explain" in first.body and "/modelyard" not in again.body
    forged = first.body.replace('"pass"', '"pass<b>"')
    assert "Earlier runs" not in render_comment(replace(report(), commit="d" * 40), forged).body, (
        "a broken list is dropped"
    )
    assert artifact_in(first.body) == "a" * 64 and artifact_in("") == "" and marker("churn") in first.body
    assert "full report" not in render_comment(report(), url="javascript:alert(1)").body


def test_one_digest_for_several_reports() -> None:
    assert (joint_digest([]), joint_digest(["a"])) == ("", "a")
    assert joint_digest(["a", "b"]) != joint_digest(["b", "a"])
    assert [outcome_sign(outcome) for outcome in ("pass", "fail", "inconclusive", "waived", "error")] == [
        "✅",
        "⛔",
        "⚪",
        "🟡",
        "💥",
    ]


def test_changes_lineage_and_number_of_a_proposal() -> None:
    many = tuple(f"models/churn/{n}.py" for n in range(40))
    changed = Changes(
        "v1.0.0", (Difference("data/flights", "a" * 32, ""),), (Difference("train.trees", "5", "50"),), many
    )
    lines = changes_section(replace(report(), changes=changed))
    assert "40 files:" in lines and lines[-1] == "- … and 10 more" and "| data/flights | aaaaaaaaaa | – |" in lines
    assert (
        changes_section(replace(report(), changes=Changes("v1.0.0")))[0]
        == "Data and parameters are the same as for v1.0.0."
    )
    assert numbering_section(report()) == []
    training = report().bundle.training
    assert training is not None
    found = lineage_section(
        replace(report(), bundle=replace(report().bundle, training=replace(training, changed=("params.yaml",))))
    )
    assert found[-1] == "Uncommitted changes at training: params.yaml."


@given(st.text(max_size=120), st.integers(1, 60))
def test_text_is_shortened_to_its_limit_and_a_label_has_no_markup(value: str, limit: int) -> None:
    assert len(shortened(value, limit)) <= max(limit, 1)
    assert not set(node(value)) & set('"[](){}<>|`')
    assert "\n" not in text(value)


def test_an_empty_section_is_not_folded() -> None:
    assert fold("title", []) == [] and fold("title", ["a"])[0] == "<details><summary>title</summary>"
    assert msgspec.json.encode([]) == b"[]"
