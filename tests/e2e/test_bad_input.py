"""Bad days: each ends with one clear sentence, a remedy, the right exit code, and nothing half-written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.yard import commit_all, git, small_repository, tool, write

MODEL = "flight-delay"
FOLDER = f"models/{MODEL}"


def said(folder: Path, *arguments: str, expect: int, **env: str) -> str:
    done = tool(folder, *arguments, expect=expect, **env)
    lines = done.stderr.strip().splitlines()
    errors = [i for i, line in enumerate(lines) if line.startswith("Error: ")]
    assert len(errors) == 1, done.stderr
    assert lines[errors[0] + 1].startswith("  ") and len(lines) == errors[0] + 2, "one sentence what, one what to do"
    return "\n".join(lines)


def rewrite(folder: Path, name: str, change: object) -> None:
    """Changes a table, and pins it in dvc.lock, as if its stage had written it."""
    path, lock = folder / FOLDER / name, folder / FOLDER / "dvc.lock"
    table, before = pq.read_table(path), md5(path)
    path.unlink()
    pq.write_table(change(table), path)  # type: ignore[operator]
    lock.write_text(lock.read_text().replace(before, md5(path)))


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def test_not_a_repository(tmp_path: Path) -> None:
    assert "not inside a model repository" in said(tmp_path, "status", expect=2)
    write(tmp_path, {"modelyard.yaml": "toolkit: 0.1.0\nenvironments: [{name: production}]\n"})
    assert "is not a git repository" in said(tmp_path, "status", expect=2)
    git(tmp_path, "init", "--quiet")
    assert "has no commit yet" in said(tmp_path, "status", expect=2)
    tool(tmp_path, "validate")
    tool(tmp_path, "doctor", expect=None)


def test_an_empty_repository(tmp_path: Path) -> None:
    write(tmp_path, {"modelyard.yaml": "toolkit: 0.1.0\nenvironments: [{name: production}]\n"})
    git(tmp_path, "init", "--quiet")
    commit_all(tmp_path, "empty")
    assert "Nothing is deployed" in tool(tmp_path, "status").stdout
    assert tool(tmp_path, "status", "--json").stdout.strip() == "[]"
    assert "This repository has no models yet" in said(tmp_path, "evaluate", "churn", expect=2)
    assert "No deployment" in tool(tmp_path, "deploy").stdout


def test_model_names_that_attack(tmp_path: Path) -> None:
    small_repository(tmp_path)
    for command in ("retrain", "evaluate", "drift", "gate", "report", "register", "status"):
        assert "There is no model" in said(tmp_path, command, "../../etc", expect=2)
    assert "Did you mean 'churn'?" in said(tmp_path, "gate", "chrun", expect=2)
    assert "Did you mean 'staging'?" in said(tmp_path, "deploy", "--env", "stagin", expect=2)
    assert "modelyard retrain churn" in said(tmp_path, "evaluate", "churn", expect=4)
    assert "Did you mean 'status'?" in tool(tmp_path, "statsu", expect=2).stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name: x\n\tdescription: y\n", "tabs"),
        ("name: a\nname: b\n", "given twice"),
        ("a: &a [x]\nb: *a\n", "anchor"),
        ("[" * 900_000, "nested deeper"),
        ("[" * 10_000_000, "10,000,000 bytes"),
    ],
    ids=["tab", "duplicate", "laughs", "nesting", "large"],
)
def test_hostile_yaml(tmp_path: Path, content: str, words: str) -> None:
    small_repository(tmp_path)
    write(tmp_path, {"models/churn/model.yaml": content})
    done = tool(tmp_path, "validate", expect=1)
    assert words in done.stdout and done.stdout.startswith("models/churn/model.yaml:")
    assert words in said(tmp_path, "gate", "churn", expect=4)


def test_a_shallow_clone_without_tags(champion: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", "--no-tags", f"file://{champion}", "shallow")
    (tmp_path / "storage").symlink_to(champion.parent / "storage")
    shallow = tmp_path / "shallow"
    tool(shallow, "retrain", MODEL)
    for command in ("evaluate", "drift"):
        assert "shallow" in said(shallow, command, MODEL, expect=2)
    remedy = said(shallow, "status", expect=2)
    assert "git fetch --tags origin" in remedy
    git(shallow, "fetch", "--quiet", "--tags", "origin")
    assert "v1.0.0" in tool(shallow, "status").stdout


def test_a_detached_head(champion: Path) -> None:
    git(champion, "checkout", "--quiet", "--detach")
    assert "v1.0.0" in tool(champion, "status").stdout
    assert "detached head" in tool(champion, "doctor", expect=None).stdout


def test_a_missing_column_and_a_csv(champion: Path, tmp_path: Path) -> None:
    table = pq.read_table(champion / FOLDER / "data/holdout.parquet")
    from pyarrow import csv

    csv.write_csv(table.drop_columns(["temp"]), tmp_path / "current.csv")
    drift = json.loads(tool(champion, "drift", MODEL, "--current", str(tmp_path / "current.csv"), "--json").stdout)
    temp = next(column for column in drift["columns"] if column["name"] == "temp")
    assert temp["state"] == "insufficient" and "missing" in temp["reason"]
    rewrite(champion, "data/holdout.parquet", lambda t: t.drop_columns(["temp"]))
    assert "no column 'temp'" in said(champion, "evaluate", MODEL, expect=4)
    rewrite(
        champion,
        "data/holdout.parquet",
        lambda t: t.rename_columns([n.replace("late", "lata") for n in t.column_names]),
    )
    assert "Did you mean 'lata'?" in said(champion, "evaluate", MODEL, expect=4)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and then nothing")
    assert "not a valid Parquet" in said(
        champion, "drift", MODEL, "--current", str(tmp_path / "broken.parquet"), expect=4
    )


def cut(folder: Path, rows: object) -> None:
    for name in ("data/holdout.parquet", "predictions.parquet"):
        rewrite(folder, name, lambda t: t.filter(pa.array(rows(t))))  # type: ignore[operator]


def test_a_holdout_of_three_rows_and_one_of_one_class(champion: Path) -> None:
    cut(champion, lambda t: np.asarray(t["late"]) == 0)
    evaluation = json.loads(tool(champion, "evaluate", MODEL, "--json").stdout)
    assert evaluation["metrics"][0]["candidate"] is None and evaluation["positives"] == 0
    tool(champion, "drift", MODEL)
    undefined = tool(champion, "gate", MODEL, expect=1).stdout  # a base rate of 0 against a mean prediction of 0.2
    assert "auc is undefined on this holdout" in undefined
    cut(champion, lambda t: np.arange(t.num_rows) < 3)
    evaluation = json.loads(tool(champion, "evaluate", MODEL, "--json").stdout)
    assert evaluation["rows"] == 3
    drift = json.loads(tool(champion, "drift", MODEL, "--json").stdout)
    assert {column["state"] for column in drift["columns"]} == {"insufficient"}
    verdict = json.loads(tool(champion, "gate", MODEL, "--json", expect=1).stdout)
    outcomes = {check["id"]: check["outcome"] for check in verdict["checks"]}
    assert outcomes["held-out-rows-kept"] == "fail" and outcomes["auc-against-champion"] == "inconclusive"
    tool(champion, "report", MODEL)
    cut(champion, lambda t: np.zeros(t.num_rows, dtype=bool))
    assert "has no rows" in said(champion, "evaluate", MODEL, expect=4)


def test_an_all_null_feature(champion: Path) -> None:
    def without_temp(table: pa.Table) -> pa.Table:
        at = table.column_names.index("temp")
        return table.set_column(at, "temp", pa.nulls(table.num_rows, pa.float64()))

    rewrite(champion, "data/holdout.parquet", without_temp)
    stale = tool(champion, "evaluate", MODEL, expect=4)
    assert "predictions.parquet differs from the scores of flight-delay's artifact" in stale.stderr
    subprocess.run([sys.executable, "src/predict.py"], cwd=champion / f"models/{MODEL}", check=True)
    tool(champion, "evaluate", MODEL)
    drift = json.loads(tool(champion, "drift", MODEL, "--json").stdout)
    temp = next(column for column in drift["columns"] if column["name"] == "temp")
    assert temp["state"] == "drifted" and temp["missing_current"] == 1.0


@pytest.mark.parametrize("content", [b"", b"not a model", b"tree\nversion=v4\n", None])
def test_a_corrupted_champion(champion: Path, content: bytes | None) -> None:
    (cached,) = (champion / ".dvc/cache/files/md5").glob(f"*/{md5_of(champion)[2:]}")
    os.chmod(cached, 0o644)
    cached.write_bytes(cached.read_bytes()[:5000] if content is None else content)
    assert "its tag records" in said(champion, "evaluate", MODEL, expect=4)


def md5_of(champion: Path) -> str:
    from modelyard.manifests.pipeline import read_lock

    lock = read_lock((champion / FOLDER / "dvc.lock").read_bytes(), f"{FOLDER}/dvc.lock")
    found = lock.output(f"{FOLDER}/model.txt")
    assert found
    return found.md5


@pytest.mark.parametrize("content", [b"", b"not a model", b"tree\nversion=v4\n", "cut"])
def test_a_corrupted_candidate(champion: Path, content: bytes | str) -> None:
    artifact = champion / FOLDER / "model.txt"
    whole = artifact.read_bytes()
    artifact.unlink()
    artifact.write_bytes(content if isinstance(content, bytes) else whole[: len(whole) // 2])
    assert "not the artifact that dvc.lock pins" in said(champion, "register", MODEL, expect=4)
    from modelyard.errors import ModelyardError
    from modelyard.manifests.repository import ModelRepository
    from modelyard.scoring.scorer import LoadedArtifact

    with pytest.raises(ModelyardError, match="not a valid LightGBM text model"):
        LoadedArtifact.load(ModelRepository(champion).model(MODEL), artifact, champion)


def test_a_dvc_remote_that_is_gone(champion: Path) -> None:
    shutil.rmtree(champion.parent / "storage")
    assert "The folder of the DVC remote 'storage' does not exist" in said(champion, "retrain", MODEL, expect=4)
    shutil.rmtree(champion / ".dvc/cache")
    assert "The folder of the DVC remote 'storage' does not exist" in said(champion, "evaluate", MODEL, expect=4)


def test_a_failing_stage_leaves_no_evidence(champion: Path) -> None:
    write(champion, {f"{FOLDER}/src/train.py": "raise SystemExit('no memory')\n"})
    done = tool(champion, "retrain", MODEL, expect=4)
    assert "dvc repro failed" in done.stderr and "no memory" in done.stderr
    assert list((champion / ".modelyard/evidence" / MODEL).glob("*")) == []


def test_a_read_only_working_tree(champion: Path) -> None:
    if os.geteuid() == 0:  # root writes through permissions; a read-only mount of the tree stops even root
        command = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
        prefix = ["unshare", "--mount", "sh", "-c", command, "sh", str(champion)]
    else:
        for folder, _, _ in os.walk(champion):
            os.chmod(folder, 0o555)
        prefix = []
    for arguments, expect in ((["evaluate", MODEL], 4), (["retrain", MODEL], 4), (["status"], 0)):
        done = subprocess.run(
            [*prefix, sys.executable, "-m", "modelyard", *arguments],
            cwd=champion,
            capture_output=True,
            text=True,
            check=False,
        )
        if prefix and "unshare" in done.stderr:
            pytest.skip(f"this machine forbids mount namespaces: {done.stderr.strip()}")
        assert done.returncode == expect and "Traceback" not in done.stderr, done.stderr
        assert not expect or "Error: " in done.stderr


def test_where_evidence_cannot_be_written(champion: Path) -> None:
    shutil.rmtree(champion / ".modelyard/evidence")
    (champion / ".modelyard/evidence").write_text("in the way")
    assert "cannot be written" in said(champion, "evaluate", MODEL, expect=4)
    assert [p for p in (champion / ".modelyard").iterdir() if p.name.startswith(".evidence")] == []


def test_init_refuses_what_is_there_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    write(tmp_path, {"full/file": "x"})
    assert "is not empty" in said(tmp_path, "init", "full", expect=2)
    assert "Did you mean 'owner'?" in said(tmp_path, "init", "new", "--answer", "ownr=x", expect=2)
    assert not (tmp_path / "new").exists()
    assert said(tmp_path, "init", "new", "--answer", "policy=lenient", expect=4)
    assert not (tmp_path / "new").exists()
    nobody = {f"GIT_{who}_{what}": "" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    assert "Set your name and address" in said(tmp_path, "init", "new", expect=4, HOME=str(tmp_path), **nobody)
    assert not (tmp_path / "new").exists()
    assert "was not made by an earlier demo" in said(tmp_path, "demo", "full", expect=2)


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "modelyard", "--debug", "status"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" in done.stderr


def test_colour_only_where_it_is_welcome(tmp_path: Path) -> None:
    small_repository(tmp_path)
    assert "\x1b" not in tool(tmp_path, "status").stdout
    assert "\x1b" not in tool(tmp_path, "gate", "nobody", expect=2, NO_COLOR="1").stderr
