"""Versions of every flavor in real MLServer, BentoML and MLflow: each answers the probe rows as registered."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from modelyard.candidate.evaluation import evaluate
from modelyard.candidate.files import Candidate
from modelyard.candidate.lineage import installed_packages
from modelyard.checkout.checkout import Checkout
from modelyard.demo.stage import free_ports
from modelyard.errors import ModelyardError
from modelyard.flavors.values import spelled
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.rollout.plan import Action, Traffic
from modelyard.scoring.signature import signature_of
from modelyard.targets.interface import Package
from support.models import train
from support.packages import target_of
from support.yard import CONFIG, git, write
from targets.conftest import NO_JOBS, TARGETS, running, targets_python

CELLS = [
    ("lightgbm", "binary"), ("xgboost", "regression"), ("catboost", "multiclass"), ("sklearn", "multiclass"),
    ("onnx", "binary"), ("python", "regression"),
]  # fmt: skip
NAMES = [f"{flavor}-{task}" for flavor, task in CELLS]
needs_mlserver = pytest.mark.skipif(
    targets_python() >= (3, 13), reason="MLServer 1.7.1 needs Python below 3.13, and this machine has none"
)
PREDICT = """\
import json, sys
import mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
for name, columns in json.load(open(sys.argv[2])).items():
    frame = pandas.DataFrame({column: pandas.Series(values, dtype=object) for column, values in columns.items()})
    scores = mlflow.pyfunc.load_model(f"models:/{name}@production").predict(frame)
    print("scores", json.dumps([name, pandas.DataFrame(scores).to_numpy().tolist()]))
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Package]:
    """A version of each flavor, with the probe rows that its evaluation chose."""
    folder = tmp_path_factory.mktemp("flavors")
    write(folder, {"modelyard.yaml": CONFIG})
    git(folder, "init", "--quiet", "--initial-branch=main")
    found = {}
    for flavor, task in CELLS:
        model = train(folder, flavor, task)
        candidate = Candidate.of(Checkout(folder).model(model.name))
        probe = evaluate(candidate, None).probe
        assert probe.rows == 100
        files = {"src/scorer.py": (model.folder / "src/scorer.py").read_bytes()} if flavor == "python" else {}
        found[model.name] = Package(
            model=model.name, version="v1.0.0", artifact=candidate.artifact, sha256=candidate.sha256(),
            manifest=(model.folder / "model.yaml").read_bytes(), probe=probe, files=files,
            packages=installed_packages(candidate),
        )  # fmt: skip
    return found


@pytest.fixture(scope="module")
def mlserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("mlserver")
    http, grpc, metrics = free_ports(3)
    settings = {
        "host": "127.0.0.1",
        "http_port": http,
        "grpc_port": grpc,
        "metrics_port": metrics,
        "parallel_workers": 0,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    url = f"http://127.0.0.1:{http}"
    with running(folder, f"{url}/v2/health/live", "mlserver", "start", "."):
        yield folder, url


def move(name: str, package: Package) -> Iterator[tuple[Action, Package | None]]:
    """What deploy does for a first version."""
    yield Action("install", package.version), package
    yield Action("route", package.version, Traffic(package.version)), None


def spelled_probe(package: Package) -> dict[str, list[Any]]:
    """The probe rows as a caller writes them."""
    signature = signature_of(parse(Model, package.manifest, "model.yaml"))
    assert package.probe
    columns = package.probe.columns(signature)
    return {column.name: spelled(column, columns[column.name]) for column in signature.inputs}


@needs_mlserver
@pytest.mark.parametrize("name", NAMES)
def test_mlserver(mlserver: tuple[Path, str], packages: dict[str, Package], name: str) -> None:
    folder, url = mlserver
    target, package = target_of("mlserver", folder, ".", url=url), packages[name]
    for action, given in move(name, package):
        target.apply(name, action, given)
    assert package.probe
    assert str(target.probe(name, "v1.0.0", package.probe)) == "probe 100/100"


@needs_mlserver
def test_mlserver_serves_no_version_that_gives_other_answers(
    mlserver: tuple[Path, str], packages: dict[str, Package]
) -> None:
    folder, url = mlserver
    good = packages["lightgbm-binary"]
    assert good.probe
    wrong = changed(good.probe, scores=(0.5, *good.probe.scores[1:]))
    package = msgspec.structs.replace(good, version="v2.0.0", probe=wrong)
    with pytest.raises(ModelyardError, match="lightgbm-binary"):
        target_of("mlserver", folder, ".", url=url).apply("lightgbm-binary", Action("install", "v2.0.0"), package)


@pytest.mark.parametrize("name", NAMES)
def test_bentoml(packages: dict[str, Package], name: str, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    url, package = f"http://127.0.0.1:{port}", packages[name]
    target = target_of("bentoml", tmp_path, "bentos", python=str(TARGETS / "python"), url=url)
    for action, given in move(name, package):
        target.apply(name, action, given)
    current = (tmp_path / "bentos" / name / "current").resolve()
    command = ("bentoml", "serve", str(current), "--host", "127.0.0.1", "--port", str(port))
    assert package.probe and target.probe(name, "v1.0.0", package.probe) is None, "nothing answers yet"
    with running(tmp_path, f"{url}/readyz", *command, BENTOML_DO_NOT_TRACK="True", BENTOML_HOME=str(tmp_path / "home")):
        assert str(target.probe(name, "v1.0.0", package.probe)) == "probe 100/100"


def test_mlflow(packages: dict[str, Package], tmp_path: Path) -> None:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = (
        "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--backend-store-uri", "sqlite:///mlflow.db",
        "--artifacts-destination", str(tmp_path / "artifacts"), "--workers", "1",
    )  # fmt: skip
    rows = {name: spelled_probe(package) for name, package in packages.items()}
    (tmp_path / "rows.json").write_bytes(msgspec.json.encode(rows))
    with running(tmp_path, f"{url}/health", *command, MLFLOW_TRACKING_URI=url, **NO_JOBS):
        target = target_of("mlflow", tmp_path, url=url)
        for name, package in packages.items():
            for action, given in move(name, package):
                target.apply(name, action, given)
        done = subprocess.run(
            [str(TARGETS / "python"), "-c", PREDICT, url, str(tmp_path / "rows.json")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    answers = dict(json.loads(line.partition(" ")[2]) for line in done.stdout.splitlines() if line.startswith("scores"))
    for name, package in packages.items():
        assert package.probe
        found = np.array(answers[name], dtype=np.float64)
        assert package.probe.differing(found[:, 0] if found.shape[1] == 1 else found) == [], name
