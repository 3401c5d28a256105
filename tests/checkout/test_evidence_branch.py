"""The evidence branch with concurrent writers, forced pushes, a deleted branch and killed pushes."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from modelyard.checkout.checkout import Checkout
from modelyard.checkout.evidence_branch import BRANCH
from modelyard.errors import ModelyardError
from modelyard.git import Git
from support.versions import add_version, hosted_pair, opened
from support.yard import IDENTITY, git, small_repository, tool


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Checkout, Checkout]:
    one, two = hosted_pair(tmp_path, small_repository(tmp_path / "yard"))
    return opened(one), opened(two)


def on_remote(checkout: Checkout) -> dict[str, bytes]:
    git_ = checkout.git
    git_.fetch("origin", f"+refs/heads/{BRANCH}:refs/check")
    files = git_.files_at("refs/check")
    blobs = git_.blobs(files.values())
    return {path: blobs[sha] for path, sha in files.items()}


def test_concurrent_writers_lose_nothing(pair: tuple[Checkout, Checkout]) -> None:
    def write(n: int) -> None:
        checkout = pair[n % 2] if n % 2 else opened(pair[0].root)
        checkout.evidence.append({f"m/{n}/a.json": str(n).encode()}, f"write {n}")

    def side(first: int) -> None:
        for n in range(first, 12, 2):
            write(n)

    with ThreadPoolExecutor(2) as pool:
        # Two clones write concurrently, each of them sequentially.
        list(pool.map(side, (0, 1)))
    assert on_remote(pair[0]) == {f"m/{n}/a.json": str(n).encode() for n in range(12)}
    history = git(pair[0].root, "log", "--format=%s", "refs/check").splitlines()
    assert sorted(history) == sorted(f"write {n}" for n in range(12)), "one commit per write, none repeated"


def test_writers_of_one_clone_lose_nothing_either(pair: tuple[Checkout, Checkout]) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda n: opened(pair[0].root).evidence.append({f"m/{n}/a.json": b"x"}, f"write {n}"), range(6)))
    assert set(on_remote(pair[1])) == {f"m/{n}/a.json" for n in range(6)}


def test_a_write_asks_the_remote_once_and_pushes_once(
    pair: tuple[Checkout, Checkout], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = pair
    one.evidence.append({"m/0.json": b"0"}, "first")
    asked: list[str] = []

    def counted(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            asked.append(name)
            return plain(*given)

        return call

    for name in ("remote_refs", "fetch", "push"):
        monkeypatch.setattr(Git, name, counted(name, getattr(Git, name)))
    one.evidence.append({"m/1.json": b"1"}, "second")
    assert asked == ["remote_refs", "push"]
    assert on_remote(one).keys() == {"m/0.json", "m/1.json"}


def test_nothing_filed_is_overwritten(pair: tuple[Checkout, Checkout]) -> None:
    one, two = pair
    one.evidence.file_evidence("churn", "a" * 64, {"drift": b"first"}, {}, "one")
    two.evidence.file_evidence("churn", "a" * 64, {"drift": b"second"}, {}, "two")
    two.evidence.file_evidence("churn", "a" * 64, {"drift": b"second"}, {}, "again")
    there = on_remote(one)
    assert there[f"churn/{'a' * 64}/drift.json"] == b"second"
    older = [path for path in there if "/superseded/drift-" in path]
    assert len(older) == 1 and there[older[0]] == b"first" and older[0].endswith(".json")
    assert two.evidence.documents("churn", "a" * 64) == {"drift": b"second"}


def test_a_forced_push_is_recorded_and_undone(pair: tuple[Checkout, Checkout]) -> None:
    one, two = pair
    one.evidence.append({"m/a/1.json": b"1"}, "first")
    one.evidence.append({"m/a/2.json": b"2"}, "second")
    known = git(one.root, "rev-parse", BRANCH)
    two.evidence.append({"m/b/3.json": b"3"}, "third")
    git(two.root, "push", "--quiet", "--force", "origin", f"{BRANCH}~1^:refs/heads/{BRANCH}")
    one.evidence.append({"m/c/4.json": b"4"}, "fourth")
    there = on_remote(one)
    assert {"m/a/1.json", "m/a/2.json", "m/c/4.json"} <= set(there)
    incident = json.loads(there[f"incidents/{known}.json"])
    assert incident["was"] == known and incident["files_put_back"] == 1
    two.evidence.append({"m/d/5.json": b"5"}, "fifth")
    assert set(on_remote(two)) >= {"m/a/2.json", "m/b/3.json", "m/c/4.json", "m/d/5.json"}


def test_a_forced_push_that_two_clones_saw_is_recorded_once(pair: tuple[Checkout, Checkout]) -> None:
    one, two = pair
    one.evidence.append({"m/a/1.json": b"1"}, "first")
    one.evidence.append({"m/a/2.json": b"2"}, "second")
    two.evidence.refresh()
    known = git(one.root, "rev-parse", BRANCH)
    remote = git(one.root, "remote", "get-url", "origin").removeprefix("file://")
    git(Path(remote), "update-ref", f"refs/heads/{BRANCH}", f"{BRANCH}^")
    one.evidence.append({"m/c/4.json": b"4"}, "fourth")
    told = on_remote(one)[f"incidents/{known}.json"]
    two.evidence.append({"m/d/5.json": b"5"}, "fifth")
    assert on_remote(two)[f"incidents/{known}.json"] == told and json.loads(told)["files_put_back"] == 1


def test_a_deleted_branch_is_restored_by_the_next_writer(pair: tuple[Checkout, Checkout]) -> None:
    one, two = pair
    one.evidence.append({"m/a/1.json": b"1"}, "first")
    two.evidence.append({"m/a/2.json": b"2"}, "second")
    git(one.root, "push", "--quiet", "origin", f":refs/heads/{BRANCH}")
    two.evidence.append({"m/a/3.json": b"3"}, "third")
    assert set(on_remote(two)) == {"m/a/1.json", "m/a/2.json", "m/a/3.json"}


def test_files_of_a_killed_run_are_pushed_by_the_next_writer(pair: tuple[Checkout, Checkout]) -> None:
    one, two = pair
    one.evidence.append({"m/a/1.json": b"1"}, "first")
    one.git.add_to_branch(BRANCH, {"m/a/2.json": b"2"}, "killed before its push")
    two.evidence.append({"m/a/3.json": b"3"}, "third")
    one.evidence.append({"m/a/4.json": b"4"}, "fourth")
    assert set(on_remote(one)) == {f"m/a/{n}.json" for n in (1, 2, 3, 4)}


def test_an_unreachable_remote_is_an_error_and_nothing_is_filed(
    pair: tuple[Checkout, Checkout], tmp_path: Path
) -> None:
    one, _ = pair
    one.evidence.append({"m/a/1.json": b"1"}, "first")
    (tmp_path / "remote.git").rename(tmp_path / "gone.git")
    with pytest.raises(ModelyardError, match="cannot be reached, so nothing was filed"):
        one.evidence.append({"m/a/2.json": b"2"}, "second")
    assert set(one.evidence.filed("m/")) == {"m/a/1.json"}


def test_evidence_without_a_remote(tmp_path: Path) -> None:
    door = opened(small_repository(tmp_path / "yard"))
    assert door.evidence.filed() == {}
    door.evidence.append({"m/a/1.json": b"1"}, "first")
    door.evidence.append({"m/a/2.json": b"2"}, "second", frozenset({"m/a/1.json"}))
    assert door.evidence.filed() == {"m/a/2.json": b"2"}
    assert "m/a/1.json" in git(door.root, "ls-tree", "-r", "--name-only", f"{BRANCH}~1"), "the history keeps it"


def test_reports_of_old_pull_requests_are_removed_unless_a_version_came_from_them(tmp_path: Path) -> None:
    folder = small_repository(tmp_path / "yard")
    door = opened(folder)
    (folder / "modelyard.yaml").write_text((folder / "modelyard.yaml").read_text() + "evidence: {pull_days: 30}\n")
    add_version(folder, "churn", "v1.0.0", pull=7)
    old = Checkout(folder, IDENTITY | {"GIT_COMMITTER_DATE": "1700000000 +0000", "GIT_AUTHOR_DATE": "1700000000 +0000"})
    old.evidence.append({"pulls/6/churn-a.md": b"six", "pulls/7/churn-b.md": b"seven"}, "shown long ago")
    door.evidence.append({"pulls/8/churn-c.md": b"eight"}, "shown today")
    done = tool(folder, "gc", "--evidence")
    assert done.stdout == "pulls/6/churn-a.md\n" and "add --remove" in done.stderr
    assert len(door.evidence.filed("pulls/")) == 3
    tool(folder, "gc", "--evidence", "--remove")
    assert set(opened(folder).evidence.filed("pulls/")) == {"pulls/7/churn-b.md", "pulls/8/churn-c.md"}
    assert tool(folder, "gc", "--evidence").stdout == ""
