"""Model folders with the files of an MLflow server: taken whole, checked, or left out with the reason."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from modelyard.errors import ModelyardError, UsageError
from modelyard.manifests.repository import ModelRepository
from modelyard.setup.contract_guess import Wishes
from modelyard.setup.mlflow_import import import_mlflow
from modelyard.setup.mlflow_model import Taken, take_model
from modelyard.targets.mlflow_server import MLflowServer
from support.mlflow import MLflowStub, mlflow_stub
from support.models import Trained, train
from support.versions import add_version, opened
from support.yard import commit_all, git, repository_of_dvc, small_repository, tool
from targets.conftest import TARGETS, mlflow_server

BINARY = Wishes(task="binary")
FLAVORS = {"lightgbm": "model.lgb", "xgboost": "data/model.xgb", "catboost": "model.cb", "onnx": "model.onnx"}


def described(flavor: str, file: str) -> bytes:
    key = "pickled_model" if flavor == "sklearn" else "data"
    return f"flavors:\n  {flavor}: {{{key}: {file}}}\n  python_function: {{loader_module: mlflow.{flavor}}}\n".encode()


@pytest.fixture
def stub() -> Iterator[MLflowStub]:
    with mlflow_stub() as served:
        yield served


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    return repository_of_dvc(tmp_path / "yard")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(tmp_path_factory.mktemp("theirs"), "lightgbm", "binary")


def table(trained: Trained) -> Path:
    return trained.folder / "data/holdout.parquet"


def content(trained: Trained) -> bytes:
    [file] = trained.folder.glob("model.*[!l]")  # not model.yaml
    return file.read_bytes()


def take(yard: Path, url: str, holdout: Path, number: int = 0) -> Taken | None:
    repository = ModelRepository(yard)
    return take_model(repository, MLflowServer(url), "spam", number, holdout, BINARY, ("@team",), "", lambda text: None)


def state(yard: Path) -> str:
    return git(yard, "status", "--porcelain", "--untracked-files=all", "--ignored", "--", ".", ":!.dvc")


def test_the_file_of_the_version_in_use_becomes_a_model_folder(stub: MLflowStub, yard: Path, theirs: Trained) -> None:
    files = {"MLmodel": described("lightgbm", "model.lgb"), "model.lgb": content(theirs), "conda.yaml": b""}
    stub.register("spam", 1, {"model.pkl": b"\x80\x04."}, params={"trees": "5"})
    stub.register("spam", 2, files, aliases=("Production",))
    stub.register("spam", 3, {}, aliases=("challenger",))
    arguments = ("import", "mlflow", "--url", stub.url, "--model", "spam", "--holdout", str(table(theirs)))
    said = json.loads(tool(yard, *arguments, "--task", "binary", "--owner", "@team", "--json").stdout)
    assert (said["versions"], said["folder"]["version"], said["folder"]["file"]) == (3, 2, "model.lgb")
    assert "models/spam/model.yaml" in said["folder"]["written"]
    assert (yard / "models/spam/model.txt").read_bytes() == content(theirs)
    assert "model.txt" in (yard / "models/spam/dvc.lock").read_text()
    assert f"version 2 of {stub.url}" in ModelRepository(yard).model("spam").description
    commit_all(yard, "spam, from MLflow")
    assert tool(yard, "validate").returncode == 0
    before = git(yard, "for-each-ref"), state(yard)
    again = tool(yard, *arguments)
    assert "0 versions imported" in again.stdout and "models/spam exists" in again.stderr
    assert (git(yard, "for-each-ref"), state(yard)) == before
    assert opened(yard).model("spam").champion is None
    assert not [call for call in stub.calls if call.endswith(".pkl")], "no pickle is fetched"


@pytest.mark.parametrize("flavor", [flavor for flavor in FLAVORS if flavor != "lightgbm"])
def test_files_of_other_libraries_are_taken(stub: MLflowStub, yard: Path, tmp_path: Path, flavor: str) -> None:
    trained = train(tmp_path / "theirs", flavor, "binary")
    stub.register("spam", 1, {"MLmodel": described(flavor, FLAVORS[flavor]), FLAVORS[flavor]: content(trained)})
    done = take(yard, stub.url, table(trained), 1)
    assert done and ModelRepository(yard).model("spam").trained == "elsewhere"
    assert content(trained) in [path.read_bytes() for path in (yard / "models/spam").glob("model.*")]


def test_what_may_run_code_or_is_no_model_is_not_taken(
    stub: MLflowStub, yard: Path, theirs: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = content(theirs)
    broken = re.sub(rb"left_child=-?\d+", b"left_child=99999", text, count=1)
    aliased = b"a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" + b"".join(
        b"%c: &%c [%b]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(ord("c"), ord("k"))
    )
    cases: list[tuple[dict[str, bytes], str]] = [
        ({"MLmodel": described("sklearn", "model.pkl"), "model.pkl": pickle.dumps(1)}, "model.pkl may run code"),
        ({"model.joblib": pickle.dumps(1)}, "model.joblib may run code"),
        ({"MLmodel": described("lightgbm", "model.lgb"), "model.lgb": pickle.dumps({"a": 1})}, "is a pickle"),
        ({"MLmodel": described("lightgbm", "model.lgb"), "model.lgb": broken}, "is not a valid LightGBM"),
        ({"MLmodel": described("lightgbm", "model.lgb"), "model.lgb": text[:900]}, "of spam 6"),
        ({"MLmodel": described("lightgbm", "../../../etc/passwd"), "x.lgb": text}, "names no file"),
        ({"MLmodel": described("lightgbm", "model.lgb")}, "names no file"),
        ({"MLmodel": b"flavors: [", "model.lgb": text}, "MLmodel"),
        ({"MLmodel": aliased, "model.lgb": text}, "MLmodel"),
        ({}, "names no file"),
    ]
    for number, (files, _) in enumerate(cases, 2):
        stub.register("spam", number, files)
    before = state(yard)
    for number, (_, said) in enumerate(cases, 2):
        with pytest.raises(ModelyardError) as error:
            take(yard, stub.url, table(theirs), number)
        assert said in error.value.problem and str(yard) not in error.value.problem, error.value.problem
        assert state(yard) == before
    monkeypatch.setattr("modelyard.setup.mlflow_model.MAXIMUM_ARTIFACT_BYTES", 1000)
    stub.register("spam", 1, {"MLmodel": described("lightgbm", "model.lgb"), "model.lgb": text})
    with pytest.raises(ModelyardError, match="more than 1,000 bytes"):
        take(yard, stub.url, table(theirs), 1)
    assert state(yard) == before


def test_a_version_that_cannot_be_chosen_or_fetched_is_said(stub: MLflowStub, yard: Path, theirs: Trained) -> None:
    stub.register("spam", 1, {})
    stub.versions[0] |= {"source": "s3://bucket/model"}
    for number, said in ((0, "which version of spam is in use"), (7, "no version 7"), (1, "but at s3://bucket/model")):
        with pytest.raises(UsageError, match=said):
            take(yard, stub.url, table(theirs), number)
    stub.versions[0] |= {"current_stage": "Production"}
    with pytest.raises(UsageError, match="but at s3"):
        take(yard, stub.url, table(theirs))
    for arguments, said in (
        (("--holdout", "x.csv"), "the table of one model"),
        (("--model", "spam", "--version", "1"), "Without --holdout"),
    ):
        assert said in tool(yard, "import", "mlflow", "--url", stub.url, *arguments, expect=2).stderr


def test_a_name_whose_versions_were_registered_here_stays_taken(
    stub: MLflowStub, tmp_path: Path, theirs: Trained
) -> None:
    yard = small_repository(tmp_path / "yard", models=("spam",))
    add_version(yard, "spam", "v1.0.0")
    git(yard, "rm", "-r", "--quiet", "models/spam", "deployments/staging/spam.yaml")
    commit_all(yard, "remove it")
    stub.register("spam", 2, {}, aliases=("champion",))
    import_mlflow(opened(yard), MLflowServer(stub.url), frozenset(), lambda text: None)
    with pytest.raises(UsageError, match="an earlier model of this name"):
        take(yard, stub.url, table(theirs))


LOG = """
import os, sys
import lightgbm, mlflow
from sklearn.linear_model import LogisticRegression

mlflow.set_tracking_uri(os.environ["ADDRESS"])
with mlflow.start_run():
    mlflow.log_metric("auc", 0.71)
    mlflow.lightgbm.log_model(lightgbm.Booster(model_file=sys.argv[1]), name="model", registered_model_name="eggs")
    pickled = LogisticRegression().fit([[0], [1]], [0, 1])
    mlflow.sklearn.log_model(pickled, name="ham", registered_model_name="ham", serialization_format="cloudpickle")
client = mlflow.MlflowClient()
client.set_registered_model_alias("eggs", "production", 1)
client.set_registered_model_alias("ham", "champion", 1)
"""


def test_models_that_mlflow_itself_logged(yard: Path, tmp_path: Path, theirs: Trained) -> None:
    file = theirs.folder / "model.txt"
    with mlflow_server(tmp_path) as url:
        log = [str(TARGETS / "python"), "-c", LOG, str(file)]
        subprocess.run(log, env=os.environ | {"ADDRESS": url}, check=True, capture_output=True)
        arguments = ("import", "mlflow", "--url", url, "--holdout", str(table(theirs)), "--task", "binary")
        done = tool(yard, *arguments, "--owner", "@team", "--model", "eggs")
        assert "1 versions imported" in done.stdout and "model.lgb of eggs 1" in done.stderr
        assert (yard / "models/eggs/model.txt").read_bytes() == file.read_bytes()
        refused = tool(yard, *arguments, "--owner", "@team", "--model", "ham", expect=2)
        assert "1 versions imported" in refused.stdout and "model.pkl may run code" in refused.stderr
    assert git(yard, "tag").split() == ["eggs@v1.0.0", "ham#champion#1", "ham@v1.0.0"]
    assert not (yard / "models/ham").exists()
