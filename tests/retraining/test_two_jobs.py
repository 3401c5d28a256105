"""The two commands of a retraining in CI, where they say no: real processes in plain git."""

from __future__ import annotations

from pathlib import Path

from support.yard import small_repository, tool, write


def test_what_is_not_due_leaves_no_evidence_and_fails_nothing(tmp_path: Path) -> None:
    yard = small_repository(tmp_path)
    write(yard, {".modelyard/evidence/churn/run.json": "{}", ".modelyard/evidence/churn/imports/data/x.csv.dvc": "{}"})
    said = tool(yard, "run", "churn", "--cause", "due").stdout
    assert said == "churn: not retrained. Nothing is due: no trigger of model.yaml holds.\n"
    assert list((yard / ".modelyard/evidence/churn").iterdir()) == [], "nor that of an earlier run"


def test_a_cause_needs_the_names_of_models(tmp_path: Path) -> None:
    yard = small_repository(tmp_path)
    for more in (["--unregistered"], ["--base", "HEAD"], ["churn", "--stage", "train"], []):
        assert "--cause needs names of models" in tool(yard, "run", *more, "--cause", "due", expect=2).stderr


def test_in_plain_git_there_is_no_job_to_hand_over_to(tmp_path: Path) -> None:
    yard = small_repository(tmp_path)
    assert "modelyard propose MODEL" in tool(yard, "propose", "churn", "--from", "x", expect=2).stderr
