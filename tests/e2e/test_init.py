"""The template: rendered by init, rendered and updated by Copier itself from a git URL, and shipped in the wheel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.yard import IDENTITY, commit_all, git, killed_after, tool

ROOT = Path(__file__).parents[2]
PARTS = ("copier.yml", "model-repo-template", "policies")


@pytest.fixture
def toolkit(tmp_path: Path) -> Path:
    """A git repository of the template, with a tag, as a URL of modelyard is."""
    folder = tmp_path / "toolkit"
    folder.mkdir()
    for part in PARTS:
        source = ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, folder / part)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all", "--force")
    commit_all(folder, "0.1.0")
    git(folder, "tag", "v0.1.0")
    return folder


def copier(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "copier", *arguments],
        cwd=folder,
        env=os.environ | IDENTITY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_answers_arrive_in_the_files(tmp_path: Path) -> None:
    tool(tmp_path, "init", "yard", "--answer", "owner=@us", "--answer", "policy=regulated", "--answer", "production_port=9000",
         "--answer", "remote_url=s3://bucket/models")  # fmt: skip
    yard = tmp_path / "yard"
    assert "@us" in (yard / "models/flight-delay/model.yaml").read_text()
    assert "policy: regulated" in (yard / "models/flight-delay/model.yaml").read_text()
    assert "port: 9000" in (yard / "modelyard.yaml").read_text()
    assert "url = s3://bucket/models" in (yard / ".dvc/config").read_text()
    assert "production_port: 9000" in (yard / ".copier-answers.yml").read_text()
    assert git(yard, "status", "--porcelain") == "" and git(yard, "branch", "--show-current") == "main"
    tool(yard, "validate")
    for file in (
        "modelyard.yaml",
        "models/flight-delay/model.yaml",
        "policies/standard.yaml",
        "deployments/staging/flight-delay.yaml",
    ):
        first = (yard / file).read_text().splitlines()[0]
        schema = (yard / file).parent / first.removeprefix("# yaml-language-server: $schema=")
        assert schema.is_file(), file


def test_the_digits_of_scikit_learn_are_an_example_that_passes(tmp_path: Path) -> None:
    (tmp_path / "storage").mkdir()
    tool(tmp_path, "init", "yard", "--example", "digits")
    yard = tmp_path / "yard"
    assert git(yard, "status", "--porcelain") == "" and not (yard / "models/flight-delay").exists()
    tool(yard, "validate")
    tool(yard, "owners", "--check")
    tool(yard, "run", "digits")
    verdict = json.loads((yard / ".modelyard/evidence/digits/verdict.json").read_text())["predicate"]
    assert verdict["outcome"] == "pass", verdict


def test_a_repository_may_begin_without_a_model(tmp_path: Path) -> None:
    tool(tmp_path, "init", "yard", "--example", "none")
    yard = tmp_path / "yard"
    tool(yard, "validate")
    tool(yard, "owners", "--check")
    named = subprocess.run(["git", "grep", "-il", "flight"], cwd=yard, capture_output=True, text=True, check=False)
    assert named.stdout.split() in ([], [".copier-answers.yml"]), named.stdout


def test_a_killed_init_leaves_no_half_of_a_repository(tmp_path: Path) -> None:
    for wait in (0.6, 0.9, 1.2, 1.6, 2.0, 2.5):
        ended = killed_after(tmp_path, wait, "init", "yard")
        assert ended in (0, -9)
        assert not (tmp_path / "yard").exists() or git(tmp_path / "yard", "status", "--porcelain") == ""
        if (tmp_path / "yard").exists():
            break
    if not (tmp_path / "yard").exists():
        tool(tmp_path, "init", "yard")
    tool(tmp_path / "yard", "validate")
    assert [path.name for path in tmp_path.iterdir()] == ["yard"]


def test_nothing_that_lies_around_in_a_checkout_of_the_toolkit_matters(tmp_path: Path) -> None:
    tool(tmp_path, "init", "yard")
    answers = (tmp_path / "yard/.copier-answers.yml").read_text()
    assert str(tmp_path) not in answers and str(ROOT) not in answers


def test_copier_update_brings_a_newer_toolkit_and_keeps_what_is_ours(toolkit: Path, tmp_path: Path) -> None:
    copier(tmp_path, "copy", "--quiet", "--defaults", str(toolkit), "yard")
    yard = tmp_path / "yard"
    git(yard, "init", "--quiet", "--initial-branch=main")
    policy = toolkit / "policies/standard.yaml"
    ours = yard / "models/flight-delay/params.yaml"
    ours.write_text(ours.read_text().replace("trees: 300", "trees: 77"))
    commit_all(yard, "ours")
    policy.write_text(policy.read_text().replace("minimum: 0.65", "minimum: 0.66"))
    commit_all(toolkit, "0.2.0")
    git(toolkit, "tag", "v0.2.0")
    copier(yard, "update", "--quiet", "--defaults")
    assert "minimum: 0.66" in (yard / "policies/standard.yaml").read_text()
    assert "trees: 77" in ours.read_text()


def test_the_wheel_carries_the_template(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    done = subprocess.run(
        [sys.executable, "-m", "modelyard", "init", "yard"],
        cwd=tmp_path, env=os.environ | IDENTITY | {"PYTHONPATH": str(tmp_path / "site")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "yard/models/flight-delay/src/train.py").is_file()
    assert (tmp_path / "site/modelyard/shipped/model-template/src/train.py").is_file()
