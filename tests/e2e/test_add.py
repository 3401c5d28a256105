"""Models of one's own: added to a new repository, trained, judged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.yard import commit_all, git, killed_after, small_repository, tool

CELLS = [(flavor, task) for flavor in ("lightgbm", "xgboost", "catboost", "sklearn") for task in ("binary", "multiclass", "regression")]  # fmt: skip


def customers(rows: int = 5000) -> pd.DataFrame:
    """Rows with every kind of column that a table has, gaps in each, and a label for each task."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({
        "customer id": [f"{i:07d}" for i in range(rows)],
        "plan": rng.choice(np.array(["basic", "plus", "NA", None], dtype=object), rows),
        "months": rng.integers(1, 60, rows),
        "spend": np.where(rng.random(rows) < 0.1, np.nan, rng.gamma(2, 20, rows).round(2)),
        "paper": rng.choice(np.array([True, False, None], dtype=object), rows),
        "since": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 500, rows), unit="D"),
    })  # fmt: skip
    raw = -frame["months"] / 20 + (frame["plan"] == "basic") * 1.2 + frame["spend"].fillna(40) / 60
    raw = raw + rng.normal(size=rows)
    frame["binary"] = np.where(raw > 0.2, "yes", "no")
    frame["multiclass"] = np.select([raw < -1, raw < 0.5], ["small", "mid"], "large")
    frame["regression"] = raw.round(3)
    return frame


def table(folder: Path, task: str, form: str) -> Path:
    """The rows with one label, as a file."""
    frame = customers()
    frame = frame.drop(columns=[name for name in ("binary", "multiclass", "regression") if name != task])
    path = folder / f"customers.{form}"
    if form == "csv":
        frame.to_csv(path, index=False, sep=";")
    else:
        frame.to_parquet(path, index=False)
    return path


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new repository, for the models of all cells."""
    folder = tmp_path_factory.mktemp("add")
    (folder / "storage").mkdir()
    tool(folder, "init", "yard")
    return folder / "yard"


@pytest.mark.parametrize(("flavor", "task"), CELLS)
def test_every_flavor_learns_every_task_from_a_table_with_gaps(
    empty: Path, tmp_path: Path, flavor: str, task: str
) -> None:
    form = "csv" if task == "binary" else "parquet"
    name = f"{flavor}-{task}"
    data = table(tmp_path, task, form)
    said = json.loads(tool(empty, "add", name, "--data", str(data), "--flavor", flavor, "--json").stdout)
    assert {"what": "task", "guess": task}.items() <= said["guesses"][1].items()
    commit_all(empty, name)
    tool(empty, "validate")
    tool(empty, "run", name)
    evidence = empty / ".modelyard/evidence" / name
    verdict = json.loads((evidence / "verdict.json").read_text())["predicate"]
    assert verdict["outcome"] == "pass", verdict
    training = json.loads((evidence / "training.json").read_text())["predicate"]
    assert [one["path"] for one in training["inputs"]] == [f"data/{name}.{form}"]
    assert "plan" in (empty / f"models/{name}/model.yaml").read_text()
    owners = (empty / ".github/CODEOWNERS").read_text()
    assert f"/models/{name}/ @model-owners" in owners
    assert f"path: models/{name}/" in (empty / "dvc.yaml").read_text()
    tool(empty, "owners", "--check")


def test_a_name_a_table_and_a_wish_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard")
    data = table(tmp_path, "binary", "csv")
    (tmp_path / "text.csv").write_text("a,b\nx,y\nz,w\n")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "twice.csv").write_text("a,a,label\n1,2,0\n")
    (yard / "models/Taken").mkdir()
    git(yard, "tag", "-a", "gone@v1.0.0", "-m", "x")
    before = git(yard, "status", "--porcelain", "--untracked-files=all")
    for name, file, more, problem in [
        ("a/b", data, (), "cannot be the name of a model"),
        ("churn", data, (), "models/churn exists already"),
        ("taken", data, (), "models/Taken exists already"),
        ("gone", data, (), "earlier model of this name"),
        ("new", tmp_path / "nothing.csv", (), "no file"),
        ("new", tmp_path / "broken.parquet", (), "is not a valid Parquet"),
        ("new", tmp_path / "twice.csv", (), "two columns named 'a'"),
        ("new", data, ("--policy", "standart"), "no policy 'standart'"),
        ("new", data, ("--label", "since"), "cannot be the label"),
    ]:
        done = tool(yard, "add", name, "--data", str(file), *more, expect=None)
        assert done.returncode in (2, 4) and problem in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 2, "one sentence, one remedy"
    assert git(yard, "status", "--porcelain", "--untracked-files=all") == before


def test_a_table_in_the_repository_is_used_where_it_is(empty: Path) -> None:
    frame = customers(2000)[["months", "spend", "binary"]]
    (empty / "tables").mkdir()
    frame.to_csv(empty / "tables/tracked.csv", index=False)
    commit_all(empty, "a table in git")
    frame[:1500].to_csv(empty / "tables/new.csv", index=False)
    tool(empty, "add", "in-git", "--data", "tables/tracked.csv")
    assert "table: ../../tables/tracked.csv" in (empty / "models/in-git/params.yaml").read_text()
    assert not (empty / "tables/tracked.csv.dvc").exists()
    tool(empty, "add", "in-dvc", "--data", "tables/new.csv")
    assert (empty / "tables/new.csv.dvc").is_file() and git(empty, "check-ignore", "tables/new.csv")
    tool(empty, "validate")


def test_killed_at_any_moment_the_tree_is_as_it_was_or_as_it_should_be(tmp_path: Path) -> None:
    tool(tmp_path, "init", "yard", "--example", "none")
    yard, data = tmp_path / "yard", str(table(tmp_path, "binary", "csv"))
    tool(yard, "add", "churn", "--data", data)
    whole = git(yard, "status", "--porcelain", "--untracked-files=all", "--ignored")
    kills = 0
    for wait in (0.3, 0.7, 1.0, 1.3, 1.6, 1.8, 2.0, 2.3, 2.6, 3.0):
        git(yard, "reset", "--quiet", "--hard")
        git(yard, "clean", "--quiet", "-ffdx", "-e", ".dvc")
        before = git(yard, "status", "--porcelain", "--untracked-files=all", "--ignored")
        kills += killed_after(yard, wait, "add", "churn", "--data", data) != 0
        tool(yard, "validate")
        assert git(yard, "status", "--porcelain", "--untracked-files=all", "--ignored") in (before, whole), wait
    assert kills
