"""What ``adopt`` would add to a repository that exists, what it leaves, and which models it finds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from modelyard.errors import ModelyardError, UsageError
from modelyard.setup.adoption import adopt, plan_adoption
from support.yard import IDENTITY, commit_all, git, tool, write

ANSWERS = ("ci=none",)
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 1234\n"
DVC_YAML = """\
stages:
  train:
    cmd: python train.py
    deps: [train.py, data/train.csv, data/holdout.csv]
    outs: [out/model.cbm, report.txt]
"""


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A repository of somebody else, on the branch master, with a model in git, one in LFS and one that DVC makes."""
    folder = tmp_path / "their models"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "master")
    write(folder, {
        "dvc.yaml": DVC_YAML, "README.md": "# Ours\n", ".gitignore": "*.log\n", "notes.txt": "a text\n",
        "lfs/prices.onnx": POINTER, "old.pkl": "x", "config.json": "{}\n", "sub/dvc.yaml": "stages: [not, a, mapping]\n",
    })  # fmt: skip
    rows = np.random.default_rng(1).normal(size=(200, 2))
    booster = lightgbm.train({"objective": "binary", "verbosity": -1}, lightgbm.Dataset(rows, rows[:, 0] > 0), 2)
    booster.save_model(folder / "churn.txt")
    commit_all(folder, "Ours")
    return folder


def test_models_are_found_by_what_they_are(theirs: Path) -> None:
    found = {model.file: model for model in plan_adoption(theirs, ANSWERS).models}
    assert set(found) == {"churn.txt", "lfs/prices.onnx", "old.pkl", "out/model.cbm"}
    assert found["churn.txt"].command == "modelyard add churn --artifact churn.txt --holdout data/holdout.csv"
    assert found["lfs/prices.onnx"].origin == "kept by Git LFS" and "git lfs pull" in found["lfs/prices.onnx"].problem
    assert "pickle" in found["old.pkl"].problem and found["old.pkl"].command == ""
    assert found["out/model.cbm"].origin == "an output of the stage train in dvc.yaml"
    assert "dvc pull" in found["out/model.cbm"].problem


def test_no_file_that_is_there_changes_and_the_rest_is_a_model_repository(theirs: Path) -> None:
    before = {path: path.read_bytes() for path in theirs.rglob("*") if path.is_file() and ".git" not in path.parts}
    plan = plan_adoption(theirs, ANSWERS)
    assert git(theirs, "status", "--porcelain") == "", "planning writes nothing"
    assert {path for path, _ in plan.kept} == {"dvc.yaml", "README.md", ".gitignore"}
    adopt(theirs, plan)
    assert {path: path.read_bytes() for path in before} == before
    assert "default_branch: master" in (theirs / "modelyard.yaml").read_text()
    assert "/evidence/" in (theirs / ".modelyard/.gitignore").read_text()
    tool(theirs, "validate")
    with pytest.raises(UsageError, match="is a model repository already"):
        plan_adoption(theirs, ANSWERS)


def test_ignore_rules_that_hide_models_are_told(theirs: Path) -> None:
    (theirs / ".gitignore").write_text("models/\n*.md\n")
    commit_all(theirs, "Hide")
    advice = [advice for path, advice in plan_adoption(theirs, ANSWERS).kept if path == ".gitignore"]
    assert any("it hides models/NAME/model.yaml" in said for said in advice)


def test_odd_names_and_hostile_pipelines_are_shown_as_they_are(theirs: Path) -> None:
    booster = (theirs / "churn.txt").read_text()
    write(theirs, {
        "modèles/größe model.txt": booster, "$(touch hacked).txt": booster,
        "evil/dvc.yaml": "stages:\n  '; rm -rf /':\n    cmd: x\n    outs: [../../../etc/model.onnx, '$(id).cbm']\n",
    })  # fmt: skip
    commit_all(theirs, "Odd")
    found = {model.file: model for model in plan_adoption(theirs, ANSWERS).models}
    assert found["modèles/größe model.txt"].command.endswith(
        "--artifact 'modèles/größe model.txt' --holdout data/holdout.csv"
    )
    assert "--artifact '$(touch hacked).txt'" in found["$(touch hacked).txt"].command
    assert all(model.name.replace("-", "").replace("_", "").isascii() for model in found.values())
    assert not any("etc/model.onnx" in path for path in found), "what is outside of the repository is no model of it"


def test_the_command_shows_first_and_does_it_with_yes(theirs: Path) -> None:
    shown = tool(theirs, "adopt", "--answer", "ci=github")
    assert "Would be written:" in shown.stdout and ".github/workflows/propose.yml" in shown.stdout
    assert "Nothing was written." in shown.stderr and not (theirs / "modelyard.yaml").exists()
    assert "Written:" in tool(theirs, "adopt", "--answer", "ci=github", "--yes").stdout
    assert (theirs / ".github/workflows/propose.yml").is_file() and (theirs / "requirements").is_dir()


def test_workflows_run_on_the_repositorys_own_branch(theirs: Path) -> None:
    writes = plan_adoption(theirs, ("ci=github",)).change.writes
    files = {path: bytes(content) for path, content in writes.items() if "/workflows/" in path}
    assert b"branches: [master]" in files[".github/workflows/propose.yml"]
    assert b"--base origin/master" in files[".github/workflows/propose.yml"]
    assert not any(b"branches: [main]" in content or b"origin/main" in content for content in files.values())
    jenkins = plan_adoption(theirs, ("ci=jenkins",)).change.writes["Jenkinsfile"]
    assert b"branch 'master'" in jenkins and b"'main'" not in jenkins  # type: ignore[operator]


def test_folders_of_models_that_are_not_ours_are_told(theirs: Path) -> None:
    write(theirs, {"models/old/notes.txt": "theirs\n"})
    commit_all(theirs, "Models of before")
    assert ("models/old", "validate wants model.yaml in it; move the folder, or write one") in plan_adoption(
        theirs, ANSWERS
    ).kept


def test_an_interrupted_adoption_is_completed_by_any_command(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_adoption(theirs, ANSWERS)
    done = Path.replace

    def stopped(self: Path, target: Path) -> Path:
        if target.name == "modelyard.yaml":
            raise OSError(28, "No space left on device")
        return done(self, target)

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(ModelyardError, match="is not complete"):
        adopt(theirs, plan)
    monkeypatch.undo()
    assert not (theirs / "modelyard.yaml").exists()
    assert "Completed a change" in tool(theirs, "validate").stderr
    assert all((theirs / path).exists() for path in plan.change.writes)


def test_what_cannot_be_adopted_is_refused(theirs: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not the top folder of a git repository"):
        plan_adoption(theirs / "sub", ANSWERS)
    (theirs / "churn.txt").write_text("changed")
    with pytest.raises(UsageError, match=r"churn.txt is not committed"):
        plan_adoption(theirs, ANSWERS)
    git(theirs, "checkout", "--", "churn.txt")
    (theirs / "policies").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="policies is a symbolic link"):
        plan_adoption(theirs, ANSWERS)
    (theirs / "policies").unlink()
    (theirs / "waivers").write_text("a file")
    with pytest.raises(UsageError, match="is a file, and a folder is needed there"):
        adopt(theirs, plan_adoption(theirs, ANSWERS))
    assert not (theirs / "modelyard.yaml").exists(), "all or none"
    empty = tmp_path / "empty"
    git(tmp_path, "init", "--quiet", "empty")
    with pytest.raises(UsageError, match="has no commit"):
        plan_adoption(empty, ANSWERS)


def test_killed_at_any_moment_it_adds_all_or_none(theirs: Path) -> None:
    plan = plan_adoption(theirs, ANSWERS)
    wanted = set(plan.change.writes)
    command = [sys.executable, "-m", "modelyard", "adopt", "--answer", "ci=none", "--yes"]
    for wait in np.random.default_rng(4).uniform(0.2, 2.5, 8):
        process = subprocess.Popen(
            command, cwd=theirs, env=os.environ | IDENTITY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        there = {path for path in wanted if (theirs / path).exists()}
        if there:  # decided: whoever comes next completes it
            tool(theirs, "validate")
            assert {path for path in wanted if (theirs / path).exists()} == wanted
            git(theirs, "clean", "-fdq")
        assert git(theirs, "status", "--porcelain") == ""
