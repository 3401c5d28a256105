"""A retraining that another job ran is proposed from its folder, and only what the clone itself allows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from modelyard.errors import ModelyardError
from modelyard.evidence.training import LONGEST
from support.evidence import TRAINING
from support.retrained import AFTER, BEFORE, FIRST, LOCK, POINTER, RUN, HandedOver


@pytest.fixture
def handed(tmp_path: Path) -> HandedOver:
    return HandedOver(tmp_path)


def test_lock_and_pointer_are_proposed_with_the_reasons_and_the_cost(handed: HandedOver) -> None:
    done = handed.propose()
    assert (done.done, done.pull) == ("opened", 1) and done.why == "auc is better by 0.0566."
    assert handed.pushed() == {POINTER: AFTER.encode(), "models/churn/dvc.lock": LOCK.format(md5="b").encode()}
    body = handed.forge.pulls[1].body
    assert "60 s of training on 1,000 rows; an artifact of 2,048 bytes" in body
    [record] = handed.records()
    assert (record.cause, record.seconds, record.proposed) == ("schedule", 60.0, True)
    assert handed.propose().done == "unchanged"


def test_a_model_without_evidence_is_not_proposed(handed: HandedOver) -> None:
    done = handed.propose(model="fraud")
    assert (done.done, done.why) == ("not proposed", "The job that trains left nothing about fraud.")
    assert handed.propose("due", model="fraud").why == "Nothing is due: no trigger of model.yaml holds."
    assert handed.forge.pulls == {} and handed.records() == []


def test_whether_it_is_due_is_decided_here(handed: HandedOver) -> None:
    handed.say(replace(RUN, cause="due"))
    done = handed.propose("due")
    assert (done.done, done.why) == ("not proposed", "Nothing is due: no trigger of model.yaml holds.")
    [record] = handed.records()
    assert not record.proposed, "its cost counts all the same"
    assert handed.pushed() == {} and handed.forge.pulls == {}


def test_another_commit_or_champion_is_an_error(handed: HandedOver) -> None:
    handed.measured(training=replace(TRAINING, commit="f" * 40))
    with pytest.raises(ModelyardError, match="was trained on 'ffffffffffff', and this is"):
        handed.propose()
    handed.measured(training=replace(TRAINING, commit=handed.base), evaluation=replace(FIRST, champion="v9.9.9"))
    with pytest.raises(ModelyardError, match=r"compared with 'v9\.9\.9', and the champion is none"):
        handed.propose()
    assert handed.pushed() == {} and handed.records() == []


@pytest.mark.parametrize("kind", ["training", "evaluation", "drift"])
def test_evidence_that_lacks_a_part_is_an_error(handed: HandedOver, kind: str) -> None:
    (handed.folder / f"churn/{kind}.json").unlink()
    with pytest.raises(ModelyardError, match=f"The {kind} evidence is missing"):
        handed.propose()


def test_what_it_measured_is_nothing_without_its_lock(handed: HandedOver) -> None:
    (handed.folder / "churn/generated/dvc.lock").unlink()
    with pytest.raises(ModelyardError, match=r"it has no dvc\.lock"):
        handed.propose()


def test_a_new_lock_counts_as_a_run_whatever_the_record_says(handed: HandedOver) -> None:
    handed.say(replace(RUN, reproduced=False))
    handed.propose()
    assert len(handed.records()) == 1
    handed.leave({"generated/dvc.lock": LOCK.format(md5="a")})
    handed.propose()
    assert len(handed.records()) == 1, "the same lock: nothing ran"


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (replace(RUN, cause="manual"), "retrained with --cause 'manual', not schedule"),
        (replace(RUN, seconds=LONGEST + 1), "a duration or a size that cannot be"),
        (replace(RUN, rows=None), "a duration or a size that cannot be"),
    ],
)
def test_a_record_of_another_run_is_an_error(handed: HandedOver, run: object, said: str) -> None:
    handed.say(run)  # type: ignore[arg-type]
    with pytest.raises(ModelyardError, match=said):
        handed.propose()
    assert handed.records() == [] and handed.pushed() == {}


def test_a_pointer_without_news_is_not_part_of_the_change(handed: HandedOver) -> None:
    handed.leave({f"imports/{POINTER}": BEFORE})
    handed.propose()
    assert set(handed.pushed()) == {"models/churn/dvc.lock"}
