"""Documentation that cannot fall behind."""

from __future__ import annotations

import importlib
import json
import re
import tomllib
from pathlib import Path
from typing import get_args

import click
import numpy as np
import pandas as pd
import pytest
from modelyard.cli import COMMANDS, cli
from modelyard.flavors.signature import Input, Kind
from modelyard.flavors.values import canonical
from modelyard.manifests.conversion import MANIFEST_KINDS, json_schema, parse
from modelyard.manifests.deployment import Deployment
from support.pages import pages
from support.yard import DVC_YAML, MODEL_YAML, commit_all, small_repository, tool, write
from test_floors import ORDER

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


PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def test_the_map_has_at_most_900_words() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert len(re.findall(r"\S*\w\S*", text)) <= 900


def test_the_diagrams_of_the_map_show_every_room_and_nothing_else() -> None:
    first, second = re.findall(r"```mermaid\n(.*?)```", (ROOT / "docs/architecture.md").read_text("utf-8"), re.DOTALL)
    shown = [name for line in re.findall(r"^    (\w[\w; ]*)$", first, re.MULTILINE) for name in line.split("; ")]
    assert [name for name in shown if not name.startswith("direction")] == ORDER, (
        "the first diagram is the table's order"
    )
    assert set(re.findall(r"\b[a-z]\d\[(\w+)\]", second)) <= set(ORDER)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]


@pytest.mark.parametrize(
    ("term", "pages"),
    [
        ("MLOps", ["README.md"]),
        ("GitOps", ["README.md"]),
        ("model registry", ["README.md", "docs/architecture.md", "docs/registry.md"]),
        ("data drift", ["README.md", "docs/architecture.md", "docs/measurements.md", "docs/monitoring.md"]),
        ("ground truth", ["README.md", "docs/monitoring.md", "docs/rollouts.md"]),
        ("reconcile", ["README.md", "docs/architecture.md", "docs/rollouts.md"]),
        ("outlier rate", ["README.md", "docs/architecture.md", "docs/measurements.md", "docs/monitoring.md"]),
    ],
)
def test_pages_use_the_terms_of_the_field(term: str, pages: list[str]) -> None:
    for page in pages:
        text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
        assert term.lower() in text.lower(), f"{page} does not say {term}"


def test_pages_that_are_made_of_classes_are_what_the_classes_say() -> None:
    found = pages()
    for path, text in found.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is behind its classes; run: make docs"
    made = {path.name for path in found if path.parent.name == "checks"}
    assert {path.name for path in (ROOT / "docs/checks").iterdir()} == made


def test_spellings_of_one_value_are_one_value() -> None:
    """The first table of docs/inputs.md."""
    page = (ROOT / "docs/inputs.md").read_text(encoding="utf-8")
    table = page.split("| type | JSON | canonical |")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]
    assert {kind for kind, *_ in rows} == {"any", *(f"`{kind}`" for kind in get_args(Kind))}
    for kind, spelled, expected in rows:
        kinds: list[Kind] = [name for name in get_args(Kind) if kind in ("any", f"`{name}`")]
        for name in kinds:
            column = Input("x", name, length=2 if name == "vector" else 0)
            values = [json.loads(text) for text in re.findall(r"`([^`]+)`", spelled)]
            assert values
            for value in canonical(column, values):
                if kind == "any":
                    assert value is None or np.isnan(value).all()
                elif name == "string":
                    assert value == json.loads(expected)
                else:
                    np.testing.assert_array_equal(value, json.loads(expected))


def test_the_example_of_a_flavor_of_ones_own_works(tmp_path: Path) -> None:
    """The package of docs/flavors.md, installed as one, scores a model of its own kind."""
    page = (ROOT / "docs/flavors.md").read_text(encoding="utf-8")
    [entry] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    [(group, points)] = tomllib.loads(entry)["project"]["entry-points"].items()
    site, yard = tmp_path / "site", tmp_path / "yard"
    entries = "".join(f"{name} = {place}\n" for name, place in points.items())
    write(site, {
        "linear_flavor.py": code,
        "linear_flavor-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: linear-flavor\nVersion: 1.0\n",
        "linear_flavor-1.0.dist-info/entry_points.txt": f"[{group}]\n{entries}",
    })  # fmt: skip
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": [f"r{i}" for i in range(600)], "x": rng.normal(size=600), "colour": "red"})
    scores = 1 / (1 + np.exp(1.0 - 0.8 * frame["x"]))
    frame["label"] = (rng.random(600) < scores).astype(int)
    small_repository(yard)
    folder = yard / "models/churn"
    (folder / "data").mkdir()
    frame[:300].to_parquet(folder / "data/train.parquet", index=False)
    frame[300:].to_parquet(folder / "data/holdout.parquet", index=False)
    frame[300:][["id"]].assign(prediction=scores[300:]).to_parquet(folder / "predictions.parquet", index=False)
    policy = (yard / "policies/standard.yaml").read_text().replace("lightgbm-text, ", "lightgbm-text, linear-json, ")
    write(yard, {
        "models/churn/model.yaml": MODEL_YAML.format(name="churn").replace("model.txt", "model.linear"),
        "models/churn/dvc.yaml": DVC_YAML.replace("model.txt", "model.linear"),
        "models/churn/model.linear": json.dumps({"weights": {"x": 0.8}, "bias": -1.0}),
        "policies/standard.yaml": policy,
    })  # fmt: skip
    commit_all(yard, "A linear model")
    tool(yard, "validate", PYTHONPATH=str(site))
    measured = json.loads(tool(yard, "evaluate", "churn", "--json", PYTHONPATH=str(site)).stdout)
    assert measured["rows"] == 300 and measured["champion"] is None
    unknown = tool(yard, "validate", expect=1).stdout
    assert "docs/flavors.md" in unknown and "policies/standard.yaml" in unknown and "'linear-json'" in unknown
