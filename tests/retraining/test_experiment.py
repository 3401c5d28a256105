"""An experiment of DVC as a proposal: real DVC, in plain git and on a forge."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from modelyard.checkout.checkout import Checkout
from modelyard.errors import UsageError
from modelyard.retraining.experiment import propose_experiment
from pipelines.conftest import DVC_YAML, FILES
from support.loop import dvc
from support.pulls import MemoryForge
from support.sharing import copied, shared_folder
from support.yard import commit_all, git, small_repository, tool, write

PARAMS = "models/churn/params.yaml"
BRANCH = "modelyard/experiment/churn/fast"


@pytest.fixture
def yard(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a repository with a remote, and the experiment ``fast`` of churn, which nobody pushed."""
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    return copied(shared_folder(tmp_path_factory, "experiment", build), tmp_path / "place") / "yard"


def build(place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    folder = small_repository(place / "yard")
    write(folder, FILES | {"models/churn/dvc.yaml": DVC_YAML})
    train = folder / "models/churn/src/train.py"
    train.write_text(
        "import yaml\ntrees = yaml.safe_load(open('params.yaml'))['train']['trees']\n"
        "open('model.txt', 'w').write(f'tree {trees}')\nopen('metrics.json', 'w').write('{}')\n"
    )
    (place / "storage").mkdir()
    (folder / "data/flights.dvc").unlink()
    write(folder, {PARAMS: "train: {trees: 5}\n"})
    dvc(folder, "init", "--quiet")
    dvc(folder, "remote", "add", "--quiet", "--default", "storage", "../storage")
    dvc(folder, "add", "--quiet", "data/rows.csv")
    dvc(folder, "repro", "--quiet", "models/churn/dvc.yaml")
    dvc(folder, "push", "--quiet")
    commit_all(folder, "A pipeline")
    git(place, "clone", "--quiet", "--bare", "yard", "origin.git")
    git(folder, "remote", "add", "origin", "../origin.git")
    git(folder, "fetch", "--quiet", "origin")
    experiment(folder, "fast", 9)


def experiment(folder: Path, name: str, trees: int) -> None:
    command = [str(Path(sys.executable).parent / "dvc"), "exp", "run", "--quiet", "--name", name]
    command += ["--set-param", f"train.trees={trees}", "dvc.yaml"]
    subprocess.run(command, cwd=folder / "models/churn", check=True, capture_output=True)
    git(folder, "checkout", "--quiet", "--", ".")
    dvc(folder, "checkout", "--quiet", "--force")


def test_the_command_pushes_a_branch_and_the_results(yard: Path, tmp_path: Path) -> None:
    said = tool(yard, "propose", "churn", "--from-exp", "fast").stdout
    assert said == f"pushed branch {BRANCH}. It is the experiment fast.\n"
    assert git(yard, "status", "--porcelain") == "", "the checkout is as it was"
    changed = git(yard, "diff", "--name-only", "main", f"origin/{BRANCH}").split()
    assert changed == ["models/churn/dvc.lock", PARAMS]
    other = tmp_path / "other"
    git(tmp_path, "clone", "--quiet", "--branch", BRANCH, str(yard.parent / "origin.git"), str(other))
    dvc(other, "remote", "modify", "storage", "url", str(yard.parent / "storage"))
    dvc(other, "pull", "--quiet", "models/churn/dvc.yaml")
    assert (other / "models/churn/model.txt").read_text() == "tree 9", "another clone has the result"
    assert "unchanged" in tool(yard, "propose", "churn", "--from-exp", "fast").stdout
    assert "one model" in tool(yard, "propose", "--all", "--from-exp", "fast", expect=2).stderr


def test_a_forge_gets_one_pull_request_that_names_what_changes(yard: Path) -> None:
    forge = MemoryForge()
    view = Checkout(yard).model("churn")
    done = [propose_experiment(view, forge, "fast", lambda text: None) for _ in range(2)]
    assert [one.done for one in done] == ["opened", "unchanged"] and len(forge.pulls) == 1
    pull = forge.pulls[1]
    assert pull.title == "Propose churn from the experiment fast" and f"- `{PARAMS}`" in pull.body


def test_an_experiment_that_cannot_be_proposed_is_refused(yard: Path) -> None:
    view = Checkout(yard).model("churn")

    def refused(name: str, match: str, model: str = "churn") -> str:
        with pytest.raises(UsageError, match=match) as error:
            propose_experiment(Checkout(yard).model(model), None, name, lambda text: None)
        return error.value.remedy

    assert "Did you mean 'fast'?" in refused("fats", "no experiment 'fats'")
    (yard / PARAMS).write_text("train: {trees: 6}\n")
    commit_all(yard, "Six trees")
    assert "dvc exp apply fast" in refused("fast", "params.yaml changed since the experiment fast was made")
    experiment(yard, "fast", 12)
    assert "dvc exp rename" in refused("fast", "There are 2 experiments 'fast'")
    assert git(yard, "branch", "--remotes", "--list", f"origin/{BRANCH}") == "" and view.name == "churn"
