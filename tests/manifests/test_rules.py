"""The policy packs hold for models of every task, and a rule that no model can pass is refused before anything runs."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.flavors.discovery import BUILT_IN, flavor_named
from modelyard.flavors.formats import SAFE_FORMATS
from modelyard.manifests.check import METRIC_TASKS, TASKS
from modelyard.manifests.conversion import convert, parse
from modelyard.manifests.document import parse_document
from modelyard.manifests.model import Model
from modelyard.manifests.policy import (
    ArtifactCheck,
    CalibrationCheck,
    ChampionCheck,
    FairnessCheck,
    Policy,
    SlicesCheck,
    StabilityCheck,
    ThresholdCheck,
)
from modelyard.manifests.rules import applies, checks_for, never_judged, rule_faults, tasks_of, watches_for
from modelyard.manifests.watches import QualityWatch
from modelyard.metrics.scores import TASKS as MEASURED
from support.yard import MODEL_YAML, POLICIES

DECLARED = [tuple(found) for size in range(4) for found in itertools.combinations(("groups", "slices", "folds"), size)]
MODEL = parse(Model, MODEL_YAML.format(name="churn").encode(), "model.yaml")
PACKS = {
    name: convert(Policy, parse_document((POLICIES / f"{name}.yaml").read_bytes(), name))
    for name in ("standard", "regulated")
}
RULE: dict[str, Any] = {"id": "r", "why": "w"}


def model(task: str, *declares: str) -> Model:
    evaluation = msgspec.structs.replace(
        MODEL.evaluation, slices=["x"] * ("slices" in declares), groups=["colour"] * ("groups" in declares)
    )
    files = msgspec.structs.replace(MODEL.files, folds="folds.parquet" if "folds" in declares else "")
    return msgspec.structs.replace(MODEL, task=task, evaluation=evaluation, files=files)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("declares", DECLARED)
def test_every_rule_of_standard_can_be_judged_for_every_model(task: str, declares: tuple[str, ...]) -> None:
    rules = (*PACKS["standard"].checks, *PACKS["standard"].monitoring)
    assert [rule.id for rule in rules if never_judged(rule, task, declares)] == []


@pytest.mark.parametrize("task", TASKS)
def test_regulated_asks_for_slices_and_of_binary_models_for_groups(task: str) -> None:
    rules = (*PACKS["regulated"].checks, *PACKS["regulated"].monitoring)
    complete = ("slices", "groups") if task == "binary" else ("slices",)
    assert [rule.id for rule in rules if never_judged(rule, task, complete)] == []
    lacks = {(why := never_judged(rule, task, ())) and why[0] for rule in rules} - {None}
    assert lacks == {f"model.yaml declares no {name}" for name in complete}


@pytest.mark.parametrize("name", PACKS)
@pytest.mark.parametrize("task", TASKS)
def test_a_pack_compares_every_task_with_the_champion_and_sets_a_floor(name: str, task: str) -> None:
    found = checks_for(PACKS[name], model(task, "slices", "groups"))
    needed: list[type] = [ThresholdCheck, ChampionCheck, SlicesCheck]
    assert {type(check) for check in found}.issuperset(needed)
    assert (QualityWatch in [type(watch) for watch in watches_for(PACKS[name], model(task))]) == (task != "ranking")
    assert len({check.id for check in found}) == len(found)


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_allows_what_flavors_keep_and_nothing_else(name: str) -> None:
    [check] = [check for check in PACKS[name].checks if isinstance(check, ArtifactCheck)]
    assert tuple(check.formats) == SAFE_FORMATS
    assert all(set(flavor_named(flavor).formats) <= set(check.formats) for flavor in BUILT_IN)


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_has_no_faults(name: str) -> None:
    assert [list(rule_faults(rule)) for rule in (*PACKS[name].checks, *PACKS[name].monitoring)] == [
        [] for _ in (*PACKS[name].checks, *PACKS[name].monitoring)
    ]


def test_metrics_are_listed_for_the_tasks_that_measure_them() -> None:
    for task in TASKS:
        measured = {metric.name for metric in MEASURED[task].metrics}
        measured |= {"auc", "average_precision", "recall_at_precision"} if task == "binary" else set()
        assert measured == {metric for metric, tasks in METRIC_TASKS.items() if task in tasks}


@pytest.mark.parametrize(
    ("rule", "task", "declares", "expected"),
    [
        (ThresholdCheck(metric="auc", minimum=0.5, **RULE), "binary", (), None),
        (ThresholdCheck(metric="auc", minimum=0.5, **RULE), "regression", (), "auc is not measured for regression models"),
        (ThresholdCheck(metric="auc", minimum=0.5, tasks=["binary"], **RULE), "regression", (), None),
        (CalibrationCheck(maximum_error=0.1, **RULE), "multiclass", (), "a rule of the kind calibration is not judged"),
        (QualityWatch(metric="ndcg", margin=0.1, **RULE), "ranking", (), "a rule of the kind quality is not judged"),
        (FairnessCheck(measure="demographic_parity_ratio", minimum=0.8, **RULE), "binary", (), "declares no groups"),
        (FairnessCheck(measure="demographic_parity_ratio", minimum=0.8, **RULE), "binary", ("groups",), None),
        (FairnessCheck(measure="demographic_parity_ratio", minimum=0.8, only_with=["groups"], **RULE), "binary", (), None),
        (StabilityCheck(metric="mae", maximum_deviation=1, **RULE), "regression", ("slices",), "declares no folds"),
        (SlicesCheck(metric="log_loss", margin=1, **RULE), "multiclass", (), "declares no slices"),
    ],
)  # fmt: skip
def test_what_can_never_be_judged(rule: Any, task: str, declares: tuple[str, ...], expected: str | None) -> None:
    found = never_judged(rule, task, declares)
    assert found is None if expected is None else found is not None and expected in found[0]


@given(
    st.sampled_from([*PACKS["standard"].checks, *PACKS["regulated"].checks, *PACKS["regulated"].monitoring]),
    st.sampled_from(TASKS),
    st.sampled_from(DECLARED),
    st.lists(st.sampled_from(TASKS), unique=True),
    st.lists(st.sampled_from(["groups", "slices", "folds"]), unique=True),
)
def test_a_rule_is_judged_or_refused_or_for_other_models(
    rule: Any, task: Any, declares: tuple[str, ...], tasks: list[Any], only_with: list[Any]
) -> None:
    changed = msgspec.structs.replace(rule, tasks=tasks, only_with=only_with)
    if never_judged(changed, task, declares):
        assert applies(changed, task, declares)
        mended = msgspec.structs.replace(
            changed, tasks=list(tasks_of(changed)), only_with=["groups", "slices", "folds"]
        )
        assert never_judged(mended, task, declares) is None, "the remedies mend it"
    elif applies(changed, task, declares):
        assert task in tasks_of(changed) and (changed.reads is None or changed.reads in declares)


@pytest.mark.parametrize(
    ("rule", "place", "expected"),
    [
        (ThresholdCheck(metric="auc", **RULE), (), "sets no limit"),
        (FairnessCheck(measure="demographic_parity_ratio", **RULE), (), "sets no limit"),
        (ThresholdCheck(metric="mae", maximum=1, tasks=["binary"], **RULE), ("tasks", 0), "It is for: regression."),
        (CalibrationCheck(maximum_error=1, tasks=["binary", "ranking"], **RULE), ("tasks", 1), "It is for: binary."),
        (SlicesCheck(metric="average_precision", margin=0.1, **RULE), ("metric",), "parts of the held-out rows"),
        (ArtifactCheck(formats=["skops", "skop"], **RULE), ("formats", 1), "Did you mean 'skops'?"),
        (ArtifactCheck(formats=["pickle"], **RULE), ("formats", 0), "Known: lightgbm-text, xgboost-json, xgboost-ubj, "),
        (ArtifactCheck(formats=["other"], **RULE), None, ""),
    ],
)  # fmt: skip
def test_rules_that_contradict_themselves(rule: Any, place: tuple[str | int, ...] | None, expected: str) -> None:
    found = list(rule_faults(rule))
    if place is None:
        assert found == []
        return
    [(where, what, remedy)] = found
    assert where == place and expected in f"{what} {remedy}"
