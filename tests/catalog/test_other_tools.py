"""GTO and modelyard read the same registry from tags, also after rollbacks, withdrawals and foreign tags."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.versions import add_stage, add_version
from support.yard import commit_all, git, small_repository, tool


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = small_repository(tmp_path_factory.mktemp("gto") / "yard", ("churn", "price"))
    for minor in range(4):
        add_version(folder, "churn", f"v1.{minor}.0")
        add_stage(folder, "churn", f"v1.{minor}.0", "staging")
    add_stage(folder, "churn", "v1.2.0", "production")
    add_stage(folder, "churn", "v1.3.0", "production")
    add_stage(folder, "churn", "v1.1.0", "production")  # the way back: an assignment, never an un-assignment
    add_stage(folder, "churn", "v1.2.0", "staging")
    tool(folder, "deprecate", "churn@v1.3.0", "--why", "leaks")
    add_version(folder, "price", "v1.0.0")
    git(folder, "tag", "release-7")
    git(folder, "tag", "-a", "not.a.model@v1.0.0", "-m", "a dot")
    commit_all(folder, "by hand")
    git(folder, "tag", "-a", "cv=seg@v0.1.0-rc.1+b7", "-m", "in a folder of its own")
    git(folder, "tag", "-a", "cv=seg#dev#1", "-m", "by hand")
    return folder


def gto(folder: Path, *arguments: str) -> Any:
    program = str(Path(sys.executable).with_name("gto"))
    return json.loads(
        subprocess.run([program, *arguments, "--json"], cwd=folder, capture_output=True, check=True).stdout
    )


def test_gto_show_and_who_runs_agree(yard: Path) -> None:
    ours: dict[str, dict[str, str]] = {}
    for period in json.loads(tool(yard, "who-runs", "--json").stdout):
        ours.setdefault(period["model"].replace("=", ":"), {})[period["environment"]] = period["version"]
    theirs = {name: {s: v for s, v in (of["stage"] or {}).items() if v} for name, of in gto(yard, "show").items()}
    assert theirs.pop("cv:seg") == {"dev": "v0.1.0-rc.1+b7"}, "made by hand: GTO believes it, and who-runs does not"
    assert {name: stages for name, stages in theirs.items() if stages} == ours
    assert ours["churn"] == {"staging": "v1.2.0", "production": "v1.1.0"}


def test_the_latest_version_agrees(yard: Path) -> None:
    from modelyard.registry.history import read_registry
    from support.versions import opened

    registry = read_registry(opened(yard).git.tags())
    ours = {name.replace("=", ":"): str(h.latest.version) for name, h in registry.models.items() if h.latest}
    assert {name: of["version"] for name, of in gto(yard, "show").items()} == ours
    assert ours["churn"] == "v1.2.0", "v1.3.0 is withdrawn"
    assert registry.foreign == ("not.a.model@v1.0.0", "release-7")


def test_gto_history_and_ours_have_the_same_events_in_the_same_order(yard: Path) -> None:
    words = {"registration": "registered", "assignment": "assigned", "deregistration": "withdrawn"}
    theirs = [
        (words[event["event"]], event["version"], event["stage"] or "")
        for event in gto(yard, "history", "churn")
        if event["event"] in words
    ]
    ours = [
        (event["what"], event["version"], event["environment"])
        for event in json.loads(tool(yard, "history", "churn", "--json").stdout)
    ]
    assert theirs == ours or theirs == ours[::-1], (theirs, ours)
