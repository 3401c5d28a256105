"""Models taken out of a repository: everywhere, and not while somebody needs them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from modelyard.checkout.checkout import Checkout
from modelyard.errors import Refused, UsageError
from modelyard.manifests.names import Version
from modelyard.registry.history import Assignment, ModelHistory
from modelyard.setup.model_removal import remove_model
from support.yard import commit_all, git, small_repository, tool, write

WAIVER = "model: {}\ncheck: auc-floor\nartifact: {}\nreason: x\nrequested_by: a\napproved_by: b\nexpires: 2099-01-01\n"


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    yard = small_repository(tmp_path / "yard", ("churn", "fraud"))
    write(yard, {
        "waivers/churn-auc.yaml": WAIVER.format("churn", "a" * 64), "waivers/fraud-auc.yaml": WAIVER.format("fraud", "a" * 64),
        "deployments/production/churn.yaml": "model: churn\nversion: latest\n", "data/churn.csv.dvc": "outs: []\n",
        "dvc.yaml": "artifacts:\n  churn: # c\n    path: models/churn/model.txt\n  fraud:\n    path: models/fraud/model.txt\n",
    })  # fmt: skip
    tool(yard, "owners", "--write")
    commit_all(yard, "more")
    return yard


def test_a_model_goes_everywhere_and_the_rest_stays(yard: Path) -> None:
    write(yard, {"models/churn/model.txt": "x", ".gitignore": "model.txt\n"})
    commit_all(yard, "ignored")
    done = tool(yard, "remove", "churn")
    texts = [yard / name for name in git(yard, "ls-files", "--", ":!data").splitlines() if (yard / name).is_file()]
    assert not [path for path in texts if "churn" in path.read_text()], "no file names it"
    gone = {line[3:] for line in git(yard, "status", "--porcelain").splitlines() if line.strip().startswith("D")}
    assert "waivers/churn-auc.yaml" in gone and not any("fraud" in name for name in gone)
    assert list(yaml.safe_load((yard / "dvc.yaml").read_text())["artifacts"]) == ["fraud"]
    assert not (yard / "models/churn").exists() and "tags churn@" in done.stdout and "data/churn.csv.dvc" in done.stdout
    tool(yard, "owners", "--check")
    assert "churn" not in tool(yard, "validate", expect=None).stdout


@pytest.mark.parametrize("content", [{"models/churn/note.md": "new"}, {"models/churn/params.yaml": "train: {}\n"}])
def test_what_no_commit_has_is_not_lost(yard: Path, content: dict[str, str]) -> None:
    write(yard, content)
    with pytest.raises(Refused, match="in no commit") as refused:
        remove_model(Checkout(yard), "churn", force=False)
    assert next(iter(content)) in refused.value.problem and (yard / "models/churn/model.yaml").is_file()
    remove_model(Checkout(yard), "churn", force=True)
    assert not (yard / "models/churn").exists()


def test_a_live_model_and_one_that_others_read_stay(yard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        yard,
        {
            "models/fraud/dvc.yaml": "stages: {train: {cmd: x, deps: [../churn/data/train.parquet], outs: [model.txt]}}\n"
        },
    )
    with pytest.raises(Refused, match="pipeline of fraud reads"):
        remove_model(Checkout(yard), "churn", force=True)
    git(yard, "checkout", "--quiet", "models")
    live = Assignment(
        environment="production",
        version=Version("v1.0.0"),
        commit="c",
        at=1,
        by="a",
        message="",
        tag="churn#production#1",
    )
    monkeypatch.setattr(
        ModelHistory, "assigned", lambda self, environment: live if environment == "production" else None
    )
    with pytest.raises(Refused, match=r"live in production \(v1.0.0\)") as refused:
        remove_model(Checkout(yard), "churn", force=False)
    assert "modelyard archive churn" in refused.value.remedy
    with pytest.raises(UsageError, match="no model"):
        remove_model(Checkout(yard), "nothing", force=True)
    remove_model(Checkout(yard), "churn", force=True)
