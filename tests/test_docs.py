"""Documentation that cannot fall behind."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import click
import pytest
from modelyard.cli import COMMANDS, cli
from modelyard.manifests.conversion import MANIFEST_KINDS, json_schema, parse
from modelyard.manifests.deployment import Deployment

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_stands_in_the_readme(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert (command.help or "").splitlines()[0] == COMMANDS[name]
    for parameter in command.params:
        assert isinstance(parameter, click.Argument) or parameter.help, f"{name} {parameter.name} has no help"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"| `modelyard {name}`" in readme, "the README's table lacks it"


@pytest.mark.parametrize("name", MANIFEST_KINDS)
def test_the_editors_schemas_are_the_classes(name: str) -> None:
    path = ROOT / "model-repo-template/.modelyard/schemas" / f"{name}.schema.json"
    assert json.loads(path.read_text(encoding="utf-8")) == json_schema(MANIFEST_KINDS[name]), "run: make schemas"


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    reasons = (ROOT / "docs/decisions/dependencies.md").read_text(encoding="utf-8")
    import tomllib

    project = tomllib.loads(text)["project"]
    wanted = [*project["dependencies"], *(d for ds in project["optional-dependencies"].values() for d in ds)]
    names = {d.split(">")[0].split("=")[0].split("[")[0].strip() for d in wanted} - {"modelyard"}
    assert not {name for name in names if f"`{name}`" not in reasons}


def test_commits_name_no_registry_host() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in path.read_text(encoding="utf-8")


def test_the_example_of_a_rollout_is_a_deployment() -> None:
    _, example, *_ = (ROOT / "docs/rollouts.md").read_text(encoding="utf-8").split("```")
    assert parse(Deployment, example.removeprefix("yaml\n").encode(), "docs/rollouts.md").rollout.analysis


@pytest.mark.parametrize("name", ["mlserver", "kserve", "seldon", "sagemaker", "bentoml", "mlflow"])
def test_every_setting_of_a_target_is_told(name: str) -> None:
    settings = importlib.import_module(f"modelyard.targets.{name}").Settings
    page = (ROOT / "docs/targets.md").read_text(encoding="utf-8")
    told = page.split(f"**{name}** — ")[1].split("\n\n**")[0]
    assert not {field for field in settings.__struct_fields__ if f"`{field}`" not in told}
