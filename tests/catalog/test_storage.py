"""gc on a real DVC repository, and properties of its plan."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from modelyard.registry.storage import plan_removal
from support.yard import commit_all, git, tool

MODEL = "flight-delay"


@dataclass(frozen=True)
class Bytes:
    size: int
    since: float | None


@given(
    st.dictionaries(st.text("ab", min_size=1), st.builds(Bytes, st.integers(0, 9), st.none() | st.floats(0, 9))),
    st.sets(st.text("ab", min_size=1)),
    st.floats(0, 9),
)
def test_needed_recent_and_undated_objects_are_kept(stored: dict[str, Bytes], needed: set[str], before: float) -> None:
    plan = plan_removal("cache", stored, needed, before)
    gone = set(plan.remove)
    assert not gone & needed
    assert all((stored[md5].since or 0) < before and stored[md5].since is not None for md5 in gone)
    assert plan.kept + plan.young + len(gone) == len(stored)
    assert plan.remove_bytes == sum(stored[md5].size for md5 in gone)


def objects(folder: Path) -> set[str]:
    return {f.parent.name + f.name for f in folder.glob("files/md5/*/*")}


def test_only_data_that_no_version_and_no_branch_names_are_removed(
    champion: Path, propose: Callable[[Path], None]
) -> None:
    cache, remote = champion / ".dvc/cache", champion.parent / "storage"
    before = objects(remote)
    git(champion, "switch", "--quiet", "--create", "dead")
    params = champion / f"models/{MODEL}/params.yaml"
    params.write_text(params.read_text().replace("trees: 40", "trees: 3"))
    commit_all(champion, "a dead end")
    tool(champion, "retrain", MODEL, "--commit")
    added = objects(remote) - before
    assert added

    def plans(*more: str) -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(tool(champion, "gc", "--remote", "--json", *more).stdout)
        return found

    assert all(p["remove"] == [] for p in plans("--keep-hours", "0")), "a branch names it"
    git(champion, "switch", "--quiet", "main")
    git(champion, "branch", "--quiet", "-D", "dead")
    assert [p["young"] for p in plans()] == [len(added)] * 2, "it was stored recently"
    assert {md5 for p in plans("--keep-hours", "0") for md5 in p["remove"]} == added  # type: ignore[attr-defined]
    assert objects(remote) == before | added, "without --remove nothing is deleted"
    assert "Add --remove" in tool(champion, "gc", "--keep-hours", "0").stdout
    tool(champion, "gc", "--remote", "--remove", "--keep-hours", "0")
    assert objects(remote) == before and not added & objects(cache)
    subprocess.run(
        [sys.executable, "-m", "dvc", "-q", "pull", "--force"],
        cwd=champion,
        check=True,
        env=os.environ | {"DVC_NO_ANALYTICS": "1"},
    )


def test_reproduce_gives_the_same_bytes_and_files_the_result(champion: Path) -> None:
    found = json.loads(tool(champion, "reproduce", f"{MODEL}@v1.0.0", "--file", "--json").stdout)
    assert found["outcome"] == "pass" and found["artifact_before"] == found["artifact_after"]
    assert found["probe"] == "100/100"
    assert len(git(champion, "worktree", "list").splitlines()) == 1
    assert "/reproduction.json" in git(champion, "ls-tree", "-r", "--name-only", "modelyard/evidence")


def test_reproduce_lists_the_differences_when_the_commit_is_not_enough(
    champion: Path, propose: Callable[[Path], None]
) -> None:
    train = champion / f"models/{MODEL}/src/train.py"
    text = train.read_text().replace("import json\n", "import json\nimport os\n", 1)
    text = text.replace(
        'asked["seed"],', 'asked["seed"] + int(os.environ.get("LUCK", 0)), "bagging_freq": 1, "bagging_fraction": 0.5,'
    )
    train.write_text(text)
    commit_all(champion, "Bagging, and a secret ingredient")
    propose(champion)
    assert tool(champion, "register", MODEL).stdout == f"{MODEL}@v1.1.0\n"
    done = tool(champion, "reproduce", f"{MODEL}@v1.1.0", "--json", expect=1, LUCK="5")
    found = json.loads(done.stdout)
    assert found["outcome"] == "fail" and found["largest_difference"] > 1e-3
    assert "auc" in {d["name"] for d in found["metrics"]}
    assert (
        f"models/{MODEL}/model.txt" in found["outputs"] and f"models/{MODEL}/data/train.parquet" not in found["outputs"]
    )
    assert "the predictions differ" in tool(champion, "reproduce", f"{MODEL}@v1.1.0", expect=1, LUCK="5").stdout
