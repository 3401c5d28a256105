from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modelyard.demo.stage import free_ports
from modelyard.errors import ModelyardError, UsageError
from modelyard.manifests.deployment import Analysis
from modelyard.rollout.plan import Action, Traffic
from modelyard.targets.interface import Package, Target
from support.packages import ROWS, Made, carry, take_off, target_of
from support.waiting import SECONDS
from targets.conftest import running, targets_python

pytestmark = pytest.mark.skipif(
    targets_python() >= (3, 13), reason="MLServer 1.7.1 needs Python below 3.13, and this machine has none"
)


@dataclass
class MLServer:
    """A real one, and the target that speaks with it."""

    url: str
    target: Target

    def infer(self, path: str, rows: Any) -> tuple[str | None, list[float]]:
        """(model_version, scores) of a v2 request."""
        data = np.asarray(rows)
        inputs = [
            {"name": name, "shape": [len(data), 1], "datatype": "FP64", "data": data[:, i].tolist()}
            for i, name in enumerate("xy")
        ]
        body = {"inputs": inputs}
        request = urllib.request.Request(f"{self.url}/v2/models/churn{path}/infer", json.dumps(body).encode())
        request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            found = json.loads(answer.read())
        return found.get("model_version"), found["outputs"][0]["data"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLServer]:
    folder = tmp_path_factory.mktemp("mlserver")
    http, grpc, metrics = free_ports(3)
    settings = {
        "host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics, "parallel_workers": 0,
        "load_models_at_startup": True,
    }  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(settings))
    url = f"http://127.0.0.1:{http}"
    with running(folder, f"{url}/v2/health/live", "mlserver", "start", "."):
        yield MLServer(url, target_of("mlserver", folder, ".", url=url, metrics_url=f"http://127.0.0.1:{metrics}"))


def test_versions_are_deployed_to_a_real_mlserver_and_rolled_back(server: MLServer, made: dict[str, Made]) -> None:
    target, one, other = server.target, made["v1.0.0"], made["v1.1.0"]
    carry(target, made, Traffic("v1.0.0"))
    assert server.infer("", ROWS[:5])[1] == pytest.approx(one.score(ROWS[:5]))
    assert target.health("churn", "v1.0.0").state == "healthy"
    green = Traffic("v1.0.0", "v1.1.0", 100.0, salt="s")
    carry(target, made, green)
    assert server.infer("", ROWS[:5])[1] == pytest.approx(other.score(ROWS[:5]))
    for version in made:
        named, scores = server.infer(f"/versions/{version}", ROWS[:5])
        assert named == version and scores == pytest.approx(made[version].score(ROWS[:5])), "both stand side by side"
    back = carry(target, made, Traffic("v1.0.0"), frozenset({"v1.1.0"}))
    assert [action.do for action in back] == ["route"]
    assert server.infer("", ROWS[:5])[1] == pytest.approx(one.score(ROWS[:5]))
    for _ in range(7):
        server.infer("/versions/v1.1.0", ROWS[:1])
    counted = target.samples("churn", 0.0, Analysis(), None)
    assert counted["v1.1.0"].requests == 8 and counted["v1.1.0"].errors == 0, "its metrics carry the version"
    carry(target, made, Traffic("v1.1.0"))
    assert set(target.observe()["churn"].installed) == {"v1.1.0"}
    take_off(target)
    assert target.health("churn", "v1.1.0").state == "failed"


def test_a_version_that_mlserver_cannot_load_leaves_nothing_behind(
    server: MLServer, made: dict[str, Made], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"tree\nbroken")
    package = Package("broken", "v1.0.0", broken, "0" * 64, made["v1.0.0"].package.manifest)
    with pytest.raises(ModelyardError, match="load"):
        server.target.apply("broken", Action("install", "v1.0.0"), package)


def test_wrong_settings_and_a_server_that_is_away(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="settings: Object missing required field `url`"):
        target_of("mlserver", tmp_path, "models")
    with pytest.raises(UsageError, match="has no folder"):
        target_of("mlserver", tmp_path, url="http://127.0.0.1:9")
    away = target_of("mlserver", tmp_path, "models", url="http://127.0.0.1:9")
    assert away.health("churn", "v1.0.0").state == "down" and away.observe() == {}
