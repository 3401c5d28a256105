from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from modelyard.demo.stage import free_ports
from modelyard.errors import ModelyardError
from modelyard.rollout.plan import Action, Traffic
from support.packages import ROWS, Made, carry, take_off, target_of
from support.waiting import SECONDS
from targets.conftest import TARGETS, running


def test_a_version_becomes_a_bento_that_answers_as_the_version(made: dict[str, Made], tmp_path: Path) -> None:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    target = target_of("bentoml", tmp_path, "bentos", python=str(TARGETS / "python"), url=url)
    carry(target, made, Traffic("v1.0.0"))
    assert target.health("churn", "v1.0.0").state == "down"
    carry(target, made, Traffic("v1.1.0"), frozenset({"v1.0.0"}))
    current = tmp_path / "bentos" / "churn" / "current"
    command = ("bentoml", "serve", str(current.resolve()), "--host", "127.0.0.1", "--port", str(port))
    with running(tmp_path, f"{url}/readyz", *command, BENTOML_DO_NOT_TRACK="True", BENTOML_HOME=str(tmp_path / "home")):
        assert target.health("churn", "v1.1.0").state == "healthy"
        columns = {"x": ROWS[:4, 0].tolist(), "y": ROWS[:4, 1].tolist()}
        answer = ask(url, columns)
        assert answer["model_version"] == "v1.1.0"
        assert answer["scores"] == pytest.approx(made["v1.1.0"].score(ROWS[:4]))
        with pytest.raises(urllib.error.HTTPError) as wrong:
            ask(url, {"x": [1.0]})
        assert wrong.value.code == 400 and b"'y' is missing" in wrong.value.read()
    carry(target, made, Traffic("v1.0.0"), frozenset({"v1.1.0"}))
    assert current.resolve().name == "v1.0.0"
    take_off(target)
    assert not current.exists()


def ask(url: str, columns: dict[str, list[float]]) -> dict[str, object]:
    request = urllib.request.Request(f"{url}/predict", json.dumps({"inputs": columns}).encode())
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        found: dict[str, object] = json.loads(answer.read())
    return found


def test_an_interpreter_without_bentoml_is_an_error(made: dict[str, Made], tmp_path: Path) -> None:
    target = target_of("bentoml", tmp_path, "bentos", python="/usr/bin/python3")
    with pytest.raises(ModelyardError, match="could not build"):
        target.apply("churn", Action("install", "v1.0.0"), made["v1.0.0"].package)
    failing = target_of("bentoml", tmp_path, "bentos", python="python3", reload=["false"])
    (tmp_path / "bentos" / "churn" / "v1.0.0").mkdir(parents=True)
    with pytest.raises(ModelyardError, match="false failed"):
        failing.apply("churn", Action("route", "v1.0.0", Traffic("v1.0.0")), None)
