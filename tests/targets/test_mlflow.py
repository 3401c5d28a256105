from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from modelyard.errors import ModelyardError
from modelyard.rollout.plan import Traffic
from support.packages import ROWS, Made, carry, take_off, target_of
from targets.conftest import TARGETS, mlflow_server

LOAD = """\
import json, sys
import mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
rows = pandas.DataFrame(json.loads(sys.argv[3]), columns=["x", "y"])
model = mlflow.pyfunc.load_model(sys.argv[2])
client = mlflow.MlflowClient()
print(json.dumps({"scores": list(model.predict(rows)), "version": model.metadata.metadata["version"]}))
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


def loaded(url: str, model: str) -> dict[str, object]:
    """What MLflow itself loads and scores, in its own environment."""
    done = subprocess.run(
        [str(TARGETS / "python"), "-c", LOAD, url, model, json.dumps(ROWS[:4].tolist())],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_versions_are_registered_and_the_alias_moves(url: str, made: dict[str, Made], tmp_path: Path) -> None:
    target = target_of("mlflow", tmp_path, url=url)
    assert target.observe() == {}
    carry(target, made, Traffic("v1.0.0"))
    found = loaded(url, "models:/churn@production")
    assert found["version"] == "v1.0.0" and found["scores"] == pytest.approx(made["v1.0.0"].score(ROWS[:4]))
    carry(target, made, Traffic("v1.1.0"), frozenset({"v1.0.0"}))
    found = loaded(url, "models:/churn@production")
    assert found["version"] == "v1.1.0" and found["scores"] == pytest.approx(made["v1.1.0"].score(ROWS[:4]))
    back = carry(target, made, Traffic("v1.0.0"), frozenset({"v1.1.0"}))
    assert [action.do for action in back] == ["route"], "nothing is registered twice"
    assert target.health("churn", "v1.0.0").state == "healthy" and target.health("churn", "v9.0.0").state == "failed"
    take_off(target)


def test_an_unreachable_server_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    away = target_of("mlflow", tmp_path, url="http://127.0.0.1:9")
    with pytest.raises(ModelyardError, match=r"MLflow at \S+ does not answer"):
        away.observe()
