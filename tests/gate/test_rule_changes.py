"""Every way to make a rule looser is called looser."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from modelyard.gate.rule_changes import evaluation_changes, file_changes, policy_changes
from modelyard.manifests.conversion import convert, parse
from modelyard.manifests.document import parse_document
from modelyard.manifests.model import Evaluation, Model
from modelyard.manifests.policy import Policy
from support.yard import MODEL_YAML, POLICIES

STANDARD = convert(Policy, parse_document((POLICIES / "standard.yaml").read_bytes(), "policies/standard.yaml"))
MODEL = parse(Model, MODEL_YAML.format(name="churn").encode(), "model.yaml")


def changed(check: str, **fields: Any) -> Policy:
    checks = [msgspec.structs.replace(c, **fields) if c.id == check else c for c in STANDARD.checks]
    return msgspec.structs.replace(STANDARD, checks=checks)


@pytest.mark.parametrize(
    ("check", "fields", "looser"),
    [
        ("auc-floor", {"minimum": 0.5}, True),
        ("auc-floor", {"minimum": 0.8}, False),
        ("auc-floor", {"minimum": None}, True),
        ("auc-floor", {"maximum": 0.9}, False),
        ("auc-floor", {"metric": "accuracy"}, True),
        ("auc-floor", {"level": "advisory"}, True),
        ("auc-floor", {"level": "hard"}, False),
        ("auc-against-champion", {"margin": 0.5}, True),
        ("auc-against-champion", {"margin": 0.001}, False),
        ("no-leak", {"maximum_overlap": 10}, True),
        ("enough-rows", {"minimum_per_class": 1}, True),
        ("contract-kept", {"allow_removed": True}, True),
        ("groups-treated-alike", {"maximum_increase": None}, True),
        ("evidence-complete", {"require": ["training"]}, True),
        ("safe-format", {"formats": ["lightgbm-text", "pickle"]}, True),
        ("safe-format", {"formats": ["lightgbm-text"]}, False),
        ("safe-format", {"maximum_bytes": 10**12}, True),
        ("auc-floor", {"tasks": ["ranking"]}, True),
        ("auc-floor", {"tasks": ["binary", "ranking"]}, False),
        ("auc-floor", {"tasks": []}, False),
        ("enough-rows", {"tasks": ["binary"]}, True),
        ("calibrated", {"only_with": ["groups"]}, True),
        ("groups-treated-alike", {"only_with": []}, False),
        ("auc-against-champion", {"relative": True}, True),
    ],
)
def test_one_field(check: str, fields: dict[str, Any], looser: bool) -> None:
    [change] = policy_changes(STANDARD, changed(check, **fields))
    assert change.loosens is looser and change.sentence.startswith(check)


def test_texts_do_not_count_as_changes_but_added_and_removed_checks_do() -> None:
    assert policy_changes(STANDARD, changed("auc-floor", why="Because.")) == ()
    fewer = msgspec.structs.replace(STANDARD, checks=STANDARD.checks[1:])
    [gone] = policy_changes(STANDARD, fewer)
    [come] = policy_changes(fewer, STANDARD)
    assert gone.loosens and not come.loosens


@pytest.mark.parametrize(
    ("after", "looser"),
    [
        ({"slices": []}, True),
        ({"slices": ["region", "age"]}, None),
        ({"groups": []}, True),
        ({"minimum_support": 5000}, True),
        ({"minimum_support": 10}, False),
        ({"block": None}, True),
    ],
)
def test_an_evaluation_with_fewer_slices_loosens_the_rules(after: dict[str, Any], looser: bool | None) -> None:
    before = Evaluation(slices=["region"], groups=["region"], block="day")
    changed = msgspec.structs.replace(before, **after)
    known, proposed = (msgspec.structs.replace(MODEL, evaluation=found) for found in (before, changed))
    found = evaluation_changes(known, proposed)
    assert [change.loosens for change in found] == ([] if looser is None else [looser])


@pytest.mark.parametrize(
    ("part", "after", "sentence"),
    [
        ("contract", {"label": "other"}, "contract.label"),
        ("files", {"holdout": "data/easy.parquet"}, "files.holdout"),
        ("flavor", {"name": "python"}, "flavor.name"),
        ("flavor", {"requirements": "old.txt"}, "flavor.requirements"),
        ("evaluation", {"precision": 0.5}, "evaluation.precision"),
    ],
)
def test_what_is_measured_and_by_what_is_announced(part: str, after: dict[str, Any], sentence: str) -> None:
    changed_part = msgspec.structs.replace(getattr(MODEL, part), **after)
    [change] = evaluation_changes(MODEL, msgspec.structs.replace(MODEL, **{part: changed_part}))
    assert change.loosens and change.sentence.startswith(f"{sentence} ")


def test_files_that_decide_what_is_measured_are_announced() -> None:
    changed_files = [
        "modelyard.yaml",
        ".dvc/config",
        "README.md",
        "models/churn/src/scorer.py",
        "models/churn/src/train.py",
    ]
    found = file_changes("churn", ["src/scorer.py"], changed_files)
    assert [change.sentence for change in found] == [
        "modelyard.yaml is changed",
        ".dvc/config is changed",
        "models/churn/src/scorer.py is changed",
    ]


def test_another_task_and_folds_left_out_loosen_too() -> None:
    folds = msgspec.structs.replace(MODEL, files=msgspec.structs.replace(MODEL.files, folds="folds.parquet"))
    [change] = evaluation_changes(folds, MODEL)
    assert change.loosens and evaluation_changes(MODEL, folds) == ()
    [change] = evaluation_changes(MODEL, msgspec.structs.replace(MODEL, task="regression"))
    assert change.loosens and change.sentence == "task binary → regression"


def test_every_field_of_every_check_has_a_direction_or_is_looser_when_it_changes() -> None:
    for check in STANDARD.checks:
        for field in msgspec.structs.fields(check):
            if isinstance(getattr(check, field.name), float | int) and not isinstance(getattr(check, field.name), bool):
                low, high = (changed(check.id, **{field.name: getattr(check, field.name) + d}) for d in (-0.001, 0.001))
                verdicts = {policy_changes(STANDARD, p)[0].loosens for p in (low, high)}
                assert verdicts == {True, False}, f"{check.id} {field.name}"
