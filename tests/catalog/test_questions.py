"""History, who-runs, diff, search and lineage on a small repository whose receipts are known."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from modelyard.git import TagRef
from modelyard.registry.history import read_registry
from modelyard.registry.timeline import periods
from support.versions import add_stage, add_version, artifact_of
from support.yard import commit_all, git, small_repository, tool


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models: churn v1.0.0 → v1.1.0 in production and back; price v1.0.0 in staging."""
    folder = small_repository(tmp_path_factory.mktemp("questions") / "yard", ("churn", "price"))
    add_version(folder, "churn", "v1.0.0", data={"data/flights": "1" * 32, "data/weather": "2" * 32})
    add_stage(folder, "churn", "v1.0.0", "production")
    (folder / "models/churn/model.yaml").write_text(
        (folder / "models/churn/model.yaml").read_text() + "    - {name: age, type: integer}\n"
    )
    add_version(folder, "churn", "v1.1.0", data={"data/flights": "3" * 32})
    add_stage(folder, "churn", "v1.1.0", "production")
    add_stage(folder, "churn", "v1.0.0", "production")
    add_version(folder, "price", "v1.0.0", approved_by=("@Grace",), data={"data/flights/2013": "4" * 32})
    add_stage(folder, "price", "v1.0.0", "staging")
    return folder


def ask(folder: Path, *arguments: str) -> Any:
    return json.loads(tool(folder, *arguments, "--json").stdout)


def test_which_version_ran_at_any_time(yard: Path) -> None:
    told = [e for e in ask(yard, "history", "churn") if e["what"] == "assigned"]
    assert [e["version"] for e in told] == ["v1.0.0", "v1.1.0", "v1.0.0"]
    for at, version in ((told[0]["at"], "v1.0.0"), (told[1]["at"] - 1, "v1.0.0"), (told[1]["at"], "v1.1.0"),
                        (told[2]["at"], "v1.0.0"), (told[2]["at"] + 10**8, "v1.0.0")):  # fmt: skip
        moment = datetime.fromtimestamp(at, UTC)
        east = moment.astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat()
        for written in (moment.replace(tzinfo=None).isoformat(), east):
            found = ask(yard, "who-runs", "churn", "--env", "production", "--at", written)
            assert [p["version"] for p in found] == [version], written
    assert ask(yard, "who-runs", "churn", "--at", "2001-01-01") == []
    assert [(p["model"], p["version"], p["environment"]) for p in ask(yard, "who-runs")] == [
        ("churn", "v1.0.0", "production"),
        ("price", "v1.0.0", "staging"),
    ]
    assert "is not a valid time" in tool(yard, "who-runs", "--at", "last tuesday", expect=2).stderr
    shown = tool(yard, "who-runs", "churn").stdout
    assert "approved by grace" in shown and all(len(line) <= 80 for line in shown.splitlines())


def test_history_is_newest_first_with_reasons(yard: Path) -> None:
    lines = tool(yard, "history", "churn").stdout.splitlines()
    heads = [line for line in lines if not line.startswith(" ")]
    assert "v1.0.0 assigned in production" in heads[0] and "v1.0.0 registered" in heads[-1]
    assert all(len(line) <= 80 for line in lines)
    assert "nobody has no tags" in tool(yard, "history", "nobody").stdout


def test_diff_names_what_changed(yard: Path) -> None:
    found = ask(yard, "diff", "churn@v1.0.0", "v1.1.0")
    unlike = {"difference": None, "interval": None}
    assert found["metrics"] == [{"name": "auc", "before": 0.7, "after": 0.71} | unlike]
    assert found["measured"].endswith("These are different rows, so the values are not subtracted.")
    assert [(d["name"], d["before"], d["after"]) for d in found["params"]] == [("train.trees", "0", "1")]
    assert [d["name"] for d in found["data"]] == ["data/flights", "data/weather"]
    assert found["features"] == ["input age added"]
    assert set(found["files"]) == {"models/churn/model.yaml", "models/churn/note"}
    assert "2 models, and none is named" in tool(yard, "diff", "v1.0.0", "v1.1.0", expect=2).stderr
    said = tool(yard, "diff", "v1.0.0", "v9.0.0", "--model", "churn", expect=2).stderr
    assert "churn has no version v9.0.0" in said and "v1.1.0" in said


@pytest.mark.parametrize(
    ("terms", "versions"),
    [
        (["model=churn"], ["churn v1.1.0", "churn v1.0.0"]),
        (["auc>0.705"], ["churn v1.1.0"]),
        (["auc<=0.70", "live=production"], ["churn v1.0.0"]),
        (["live!=production", "model=churn"], ["churn v1.1.0"]),
        (["params.train.trees=1"], ["churn v1.1.0"]),
        (["params.train.trees<1", "approved=grace"], ["price v1.0.0"]),
        (["data=data/weather"], ["churn v1.0.0"]),
        (["owner=team", "PRICE"], ["price v1.0.0"]),
    ],
)
def test_search(yard: Path, terms: list[str], versions: list[str]) -> None:
    assert [f"{e['model']} {e['version']}" for e in ask(yard, "search", *terms)] == versions


def test_search_shows_the_metrics_of_its_conditions(yard: Path) -> None:
    shown = tool(yard, "search", "auc>0.705").stdout
    assert "auc 0.7100" in shown and all(len(line) <= 80 for line in shown.splitlines())


def test_search_explains_what_it_cannot_compare(yard: Path) -> None:
    assert "compares words by order" in tool(yard, "search", "owner>7", expect=2).stderr
    assert "is not a number" in tool(yard, "search", "aucc=high", expect=2).stderr
    assert "No version has the metric 'f1'" in tool(yard, "search", "f1>0", expect=2).stderr
    assert "No version has the parameter" in tool(yard, "search", "params.nothing=1", expect=2).stderr


def test_lineage_down_finds_every_version_trained_on_the_data(yard: Path) -> None:
    found = ask(yard, "lineage", "--of", "data/flights.dvc")
    seen = [(d["model"], d["version"], [p["environment"] for p in d["live"]], d["ever_live"]) for d in found]
    assert sorted(seen[:2]) == [("churn", "v1.0.0", ["production"], True), ("price", "v1.0.0", ["staging"], True)]
    assert seen[2:] == [("churn", "v1.1.0", [], True)]
    assert [d["version"] for d in ask(yard, "lineage", "--of", "3" * 32)] == ["v1.1.0"]
    assert [d["model"] for d in ask(yard, "lineage", "--of", "data/weather")] == ["churn"]
    assert "No version's record names" in tool(yard, "lineage", "--of", "data/none.dvc").stdout


def test_lineage_up_names_data_code_and_people(yard: Path) -> None:
    found = ask(yard, "lineage", "churn@v1.0.0")
    assert found["artifact"] == artifact_of("churn", "v1.0.0")
    assert found["data"][0] == {"path": "data/flights", "md5": "1" * 32, "changed_by": found["data"][0]["changed_by"]}
    assert found["data"][0]["changed_by"].startswith("Ada Author, ") and found["data"][1]["changed_by"] == ""
    assert found["subject"] == "churn v1.0.0" and found["proposed_by"] == "ada"
    assert [(p["environment"], p["until"] is None) for p in found["served"]] == [
        ("production", False),
        ("production", True),
    ]
    text = tool(yard, "lineage", "churn").stdout
    assert "churn v1.1.0" in text and all(len(line) <= 80 for line in text.splitlines() if "sha256" not in line)


def test_unassigning_ends_a_period_and_a_repeated_assignment_begins_a_new_one() -> None:
    def tag(name: str, at: int) -> TagRef:
        return TagRef(name, True, "c1", at, "ada", "by hand")

    history = read_registry([tag("m@v1.0.0", 1), tag("m#p#1", 2), tag("m#p#2", 5), tag("m#p!#3", 9)]).history("m")
    assert [(p.since, p.until) for p in periods(history, "p")] == [(2, 5), (5, 9)]
    assert periods(history, "q") == ()


def test_a_stage_tag_that_nobody_filed_is_no_answer(tmp_path: Path) -> None:
    folder = small_repository(tmp_path / "yard")
    commit_all(folder, "by hand")
    git(folder, "tag", "-a", "churn#production#1", "-m", "by hand")
    assert ask(folder, "who-runs") == []
