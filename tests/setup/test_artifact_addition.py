"""Models that were trained elsewhere: added with their file and a held-out table, and replaced by a newer file."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from modelyard.candidate.reproduction import reproduce_candidate
from modelyard.candidate.steps import CandidateRun
from modelyard.checkout.checkout import Checkout
from modelyard.errors import ModelyardError, Refused, UsageError
from modelyard.manifests.repository import ModelRepository
from modelyard.setup.artifact_addition import add_artifact, replace_files
from modelyard.setup.contract_guess import Wishes
from modelyard.setup.model_addition import Addition
from support.models import CELLS, train
from support.yard import commit_all, git, repository_of_dvc, tool

GIVEN = [(flavor, task) for flavor, task in CELLS if flavor != "python" and task != "ranking"]
HOLDOUT = "data/holdout.parquet"


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    return repository_of_dvc(tmp_path / "yard")


def add(yard: Path, artifact: Path, holdout: Path, name: str = "given", **wishes: str) -> Addition:
    return add_artifact(ModelRepository(yard), name, artifact, holdout, Wishes(**wishes), (), "")


def state(yard: Path) -> str:
    return git(yard, "status", "--porcelain", "--untracked-files=all", "--ignored", "--", ".", ":!.dvc")


@pytest.mark.parametrize(("flavor", "task"), GIVEN)
def test_every_flavor_is_added_with_the_contract_that_its_file_tells(
    yard: Path, tmp_path: Path, flavor: str, task: str
) -> None:
    trained = train(tmp_path / "theirs", flavor, task)
    file = next(trained.folder.glob("model.*[!l]"))  # not model.yaml
    added = add(yard, file, trained.folder / HOLDOUT, task=task)
    found = yaml.safe_load((yard / "models/given/model.yaml").read_text())
    wanted = yaml.safe_load((trained.folder / "model.yaml").read_text())
    assert found["trained"] == "elsewhere" and found["flavor"] == {"name": flavor}
    named = {one["name"]: one["type"] for one in wanted["contract"]["inputs"]}
    assert {one["name"]: one["type"] for one in found["contract"]["inputs"]} == named
    assert (yard / f"models/given/{found['files']['artifact']}").read_bytes() == file.read_bytes()
    assert "models/given/dvc.lock" in added.change.writes
    run = CandidateRun(Checkout(yard).model("given"), lambda text: None)
    done = run.retrain(push=False)
    assert not done.reproduced and run.evaluate().rows == len(trained.holdout)


def test_a_hostile_file_is_refused_before_anything_is_written(yard: Path, tmp_path: Path) -> None:
    theirs = train(tmp_path / "theirs", "lightgbm", "binary").folder
    good, holdout = theirs / "model.txt", theirs / HOLDOUT
    text = good.read_text()
    files = {
        "crafted.txt": re.sub(r"left_child=-?\d+", "left_child=99999", text, count=1).encode(),
        "cut.txt": text[: len(text) // 3].encode(),
        "model.pkl": pickle.dumps({"a": 1}),
        "page.txt": b"<html>not a model</html>",
        "empty.txt": b"",
        "huge-header.onnx": b"\x08\x07\x12\xff\xff\xff\xff\x7f",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "link.txt").symlink_to(good)
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder").mkdir()
    before = state(yard)
    for name, problem in [
        ("crafted.txt", "is not a valid LightGBM"),
        ("cut.txt", "is truncated"),
        ("model.pkl", "is a pickle, which can run code"),
        ("page.txt", "has none of the known formats"),
        ("empty.txt", "has none of the known formats"),
        ("huge-header.onnx", "huge-header.onnx"),
        ("link.txt", "is a symbolic link"),
        ("pipe.txt", "is no plain file"),
        ("folder", "folder"),
        ("nothing.txt", "There is no file"),
    ]:
        with pytest.raises(UsageError) as error:
            add(yard, tmp_path / name, holdout)
        assert problem in error.value.problem and str(yard) not in error.value.problem, error.value.problem
        assert "modelyard retrain" not in error.value.remedy
        assert state(yard) == before, name
    assert "skops.io.dump" in error_of(yard, tmp_path / "model.pkl", holdout).remedy


def error_of(yard: Path, artifact: Path, holdout: Path, **wishes: str) -> ModelyardError:
    with pytest.raises(ModelyardError) as error:
        add(yard, artifact, holdout, **wishes)
    return error.value


def test_a_table_that_does_not_fit_the_file_is_refused(yard: Path, tmp_path: Path) -> None:
    theirs = train(tmp_path / "theirs", "catboost", "binary").folder
    frame = pd.read_parquet(theirs / HOLDOUT)
    before = state(yard)
    for name, table, problem in [
        ("without-input", frame.drop(columns="amount"), "The model reads 'amount'"),
        ("no-rows", frame[:0], "has no rows"),
        ("one-class", frame.assign(label=1), "label"),
    ]:
        path = tmp_path / f"{name}.parquet"
        table.to_parquet(path, index=False)
        assert problem in error_of(yard, theirs / "model.cbm", path).problem
        assert state(yard) == before
    onnx = train(tmp_path / "theirs", "onnx", "binary").folder
    more = pd.read_parquet(onnx / HOLDOUT).assign(another=1.5)
    more.to_parquet(tmp_path / "more.parquet", index=False)
    assert "reads 3 numbers without names" in error_of(yard, onnx / "model.onnx", tmp_path / "more.parquet").problem
    assert (
        "is of the flavor onnx (onnx), not lightgbm"
        in error_of(yard, onnx / "model.onnx", onnx / HOLDOUT, flavor="lightgbm").problem
    )
    assert state(yard) == before


def test_labels_in_words_and_rows_without_a_label(yard: Path, tmp_path: Path) -> None:
    theirs = train(tmp_path / "theirs", "lightgbm", "binary")
    frame = pd.read_parquet(theirs.folder / HOLDOUT).drop(columns=["id"])
    frame["label"] = frame["label"].map({0: "stays", 1: "goes"})
    frame.loc[:4, "label"] = None
    frame.to_parquet(tmp_path / "words.parquet", index=False)
    added = add(yard, theirs.folder / "model.txt", tmp_path / "words.parquet", positive="stays")
    assert any("the wrong way round" in warning for warning in added.warnings)
    written = pd.read_parquet(yard / "models/given" / HOLDOUT)
    assert len(written) == len(frame) - 5 and set(written["label"]) == {0, 1}
    assert next(iter(written["row_id"])) == "row-6", "a row keeps its number"
    added = add(yard, theirs.folder / "model.txt", tmp_path / "words.parquet", name="right", positive="goes")
    assert not any("wrong way" in warning for warning in added.warnings)


def test_the_next_version_is_a_new_file(yard: Path, tmp_path: Path) -> None:
    theirs, newer = (train(tmp_path / name, "lightgbm", "binary").folder for name in ("theirs", "newer"))
    text = (newer / "model.txt").read_text()
    (newer / "model.txt").write_text(re.sub(r"(leaf_value=-?0\.)\d", r"\g<1>9", text, count=1))
    add(yard, theirs / "model.txt", theirs / HOLDOUT)
    commit_all(yard, "given")
    repository = ModelRepository(yard)
    lock = (yard / "models/given/dvc.lock").read_text()
    manifest = (yard / "models/given/model.yaml").read_bytes()
    with pytest.raises(UsageError, match="exactly these files"):
        replace_files(repository, "given", theirs / "model.txt", None, Wishes())
    done = replace_files(repository, "given", newer / "model.txt", None, Wishes())
    assert sorted(done.change.writes) == ["models/given/dvc.lock", "models/given/model.txt"]
    assert (yard / "models/given/dvc.lock").read_text() != lock
    assert (yard / "models/given/model.yaml").read_bytes() == manifest
    with pytest.raises(UsageError, match="is a pickle"):
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(1))
        replace_files(repository, "given", tmp_path / "model.pkl", None, Wishes())
    frame = pd.read_parquet(theirs / HOLDOUT)
    frame[:200].to_csv(tmp_path / "fewer.csv", index=False)
    with pytest.raises(UsageError, match="spot"):  # a CSV file has no vectors
        replace_files(repository, "given", None, tmp_path / "fewer.csv", Wishes())
    frame[:200].to_parquet(tmp_path / "fewer.parquet", index=False)
    done = replace_files(repository, "given", None, tmp_path / "fewer.parquet", Wishes())
    assert len(pd.read_parquet(yard / "models/given" / HOLDOUT)) == 200


def test_the_files_of_a_checkout_are_those_of_the_lock(yard: Path, tmp_path: Path) -> None:
    theirs = train(tmp_path / "theirs", "lightgbm", "binary").folder
    add(yard, theirs / "model.txt", theirs / HOLDOUT)
    commit_all(yard, "given")
    file = yard / "models/given/model.txt"
    content = file.read_bytes()
    file.unlink()
    run = CandidateRun(Checkout(yard).model("given"), lambda text: None)
    run.retrain(push=False)
    assert file.read_bytes() == content, "a missing file comes from DVC"
    file.write_bytes(content + b"\n")
    with pytest.raises(ModelyardError) as error:
        run.retrain(push=False)
    assert "is not the file that dvc.lock pins" in error.value.problem
    assert "modelyard add given --artifact" in error.value.remedy
    assert file.read_bytes() == content + b"\n", "what nobody else has is not overwritten"


def test_who_wants_a_second_run_refuses_it(yard: Path, tmp_path: Path) -> None:
    theirs = train(tmp_path / "theirs", "lightgbm", "binary").folder
    with pytest.raises(UsageError, match="requires a second run"):
        add_artifact(ModelRepository(yard), "given", theirs / "model.txt", theirs / HOLDOUT, Wishes(), (), "regulated")
    add(yard, theirs / "model.txt", theirs / HOLDOUT)
    tool(yard, "validate")
    manifest = yard / "models/given/model.yaml"
    manifest.write_text(manifest.read_text().replace("policy: standard", "policy: regulated"))
    said = tool(yard, "validate", expect=None)
    assert said.returncode == 1 and "requires a second run" in said.stdout + said.stderr
    commit_all(yard, "given")
    view = Checkout(yard).model("given")
    run = CandidateRun(view, lambda text: None)
    run.retrain(push=False)
    run.evaluate()
    run.drift()
    run.scan()
    gate = tool(yard, "gate", "given", expect=1)
    assert "the model was trained elsewhere" in " ".join(gate.stdout.split())
    with pytest.raises(Refused, match="nobody here can reproduce it"):
        reproduce_candidate(view, lambda text: None)
    assert "no pipeline to export" in tool(yard, "export", "kubeflow", "given", expect=2).stderr
    pipeline = yard / "models/given/dvc.yaml"
    pipeline.write_text(pipeline.read_text().replace("frozen: true", "frozen: false"))
    said = tool(yard, "validate", expect=None)
    assert "is not frozen" in said.stdout + said.stderr


def test_a_stage_of_the_repository_that_writes_the_file_is_named(yard: Path, tmp_path: Path) -> None:
    trained = train(tmp_path / "theirs", "lightgbm", "binary")
    (yard / "dvc.yaml").write_text("stages:\n  fit:\n    cmd: python fit.py\n    outs: [out/best model.txt]\n")
    commit_all(yard, "Their pipeline")
    (yard / "out").mkdir()
    own = yard / "out/best model.txt"
    own.write_bytes((trained.folder / "model.txt").read_bytes())
    added = add(yard, own, trained.folder / HOLDOUT, task="binary")
    said = [warning for warning in added.warnings if "the stage fit in dvc.yaml" in warning]
    assert len(said) == 1 and said[0].endswith("modelyard add given --artifact 'out/best model.txt'")
    elsewhere = add(yard, trained.folder / "model.txt", trained.folder / HOLDOUT, name="other", task="binary")
    assert not any("the stage" in warning for warning in elsewhere.warnings)
