"""The results of a push: accepted, lost to a concurrent push, or refused by the remote."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from modelyard.errors import ExitCode, Refused
from modelyard.git import Git, GitError, Push, PushRefused, RefRejected
from support.versions import add_version, hosted_pair
from support.yard import IDENTITY, git, small_repository, tool

BRANCH = "refs/heads/topic"
JOURNAL = "refs/modelyard/rollouts/production/churn"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Git, Git]:
    one, two = hosted_pair(tmp_path, small_repository(tmp_path / "yard"))
    return Git(one, IDENTITY), Git(two, IDENTITY)


def hook(tmp_path: Path, name: str, said: str) -> None:
    path = tmp_path / "remote.git/hooks" / name
    path.write_text(f"#!/bin/sh\n{said}\n")
    path.chmod(0o755)


def on_remote(tmp_path: Path, ref: str) -> str:
    return git(tmp_path / "remote.git", "for-each-ref", "--format=%(objectname)", ref)


@pytest.mark.parametrize("ref", [BRANCH, JOURNAL])
def test_a_new_ref_and_then_a_newer_one(pair: tuple[Git, Git], tmp_path: Path, ref: str) -> None:
    one, _ = pair
    first = one.empty_commit("", "first")
    one.push("origin", Push(ref, first, "", lease=True))
    second = one.empty_commit(first, "second")
    one.push("origin", Push(ref, second, first, lease=True))
    one.push("origin", Push(ref, second, second, lease=True))
    assert on_remote(tmp_path, ref) == second


@pytest.mark.parametrize("lease", [True, False])
@pytest.mark.parametrize("ref", [BRANCH, JOURNAL])
def test_the_second_push_of_a_ref_is_rejected(pair: tuple[Git, Git], tmp_path: Path, ref: str, lease: bool) -> None:
    one, two = pair
    first = one.empty_commit("", "first")
    one.push("origin", Push(ref, first, ""))
    with pytest.raises(RefRejected):
        two.push("origin", Push(ref, two.empty_commit("", "mine"), "", lease=lease))
    assert on_remote(tmp_path, ref) == first


@pytest.mark.parametrize("ref", [BRANCH, JOURNAL, "refs/tags/churn@v9.0.0"])
def test_a_refusal_by_a_hook_is_not_a_lost_race(pair: tuple[Git, Git], tmp_path: Path, ref: str) -> None:
    one, _ = pair
    hook(tmp_path, "pre-receive", "echo 'only on Mondays' >&2; exit 1")
    with pytest.raises(PushRefused, match="only on Mondays") as refused:
        one.push("origin", Push(ref, one.empty_commit("", "first"), "", lease=True))
    assert refused.value.exit_code == ExitCode.ERROR and "Check your permission to push" in refused.value.remedy
    assert on_remote(tmp_path, ref) == ""


def test_a_failed_push_after_which_the_ref_moved_is_a_lost_race(pair: tuple[Git, Git], tmp_path: Path) -> None:
    one, two = pair
    theirs = two.empty_commit("", "theirs")
    two.push("origin", Push("refs/keep/it", theirs, ""))
    hook(tmp_path, "update", f"git update-ref {BRANCH} {theirs}; exit 1")
    with pytest.raises(RefRejected):
        one.push("origin", Push(BRANCH, one.empty_commit("", "ours"), "", lease=True))


def test_a_missing_remote_is_neither_a_lost_race_nor_a_refusal(pair: tuple[Git, Git], tmp_path: Path) -> None:
    one, _ = pair
    (tmp_path / "remote.git").rename(tmp_path / "gone.git")
    with pytest.raises(GitError) as failed:
        one.push("origin", Push(BRANCH, one.empty_commit("", "first"), ""))
    assert not isinstance(failed.value, RefRejected | PushRefused)


def test_a_tag_that_the_remote_has_already_is_deleted_here(pair: tuple[Git, Git], tmp_path: Path) -> None:
    one, two = pair
    for number, door in enumerate((one, two)):
        door.create_tag("churn@v1.0.0", "HEAD", f"headline {number}\n\n{{}}\n", 1_700_000_000 + number)
    one.push_tag("origin", "churn@v1.0.0")
    with pytest.raises(RefRejected):
        two.push_tag("origin", "churn@v1.0.0")
    assert two.tags("churn@*") == []
    two.fetch_tags("origin", "churn@*")
    [tag] = two.tags("churn@*")
    assert (tag.tagged_at, tag.message, tag.tagger) == (1_700_000_000, "headline 0\n\n{}\n", "Ada Author")
    with pytest.raises(RefRejected):
        two.create_tag("churn@v1.0.0", "HEAD", "again", 1)


def test_a_tag_that_was_moved_on_the_remote_is_not_fetched(pair: tuple[Git, Git], tmp_path: Path) -> None:
    one, two = pair
    one.create_tag("churn@v1.0.0", "HEAD", "first", 1_700_000_000)
    one.push_tag("origin", "churn@v1.0.0")
    two.fetch_tags("origin", "churn@*")
    git(one.root, "tag", "--force", "--annotate", "churn@v1.0.0", "-m", "moved")
    git(one.root, "push", "--quiet", "--force", "origin", "refs/tags/churn@v1.0.0")
    with pytest.raises(Refused, match=r"churn@v1\.0\.0 was moved"):
        two.fetch_tags("origin", "churn@*")


def test_a_refused_branch_is_an_error_and_not_a_proposal(pair: tuple[Git, Git], tmp_path: Path) -> None:
    one, _ = pair
    add_version(one.root, "churn", "v1.0.0")
    git(one.root, "push", "--quiet", "origin", "main")
    hook(tmp_path, "pre-receive", "echo 'branches are made by the release team' >&2; exit 1")
    done = tool(one.root, "promote", "churn", "--to", "staging", "--version", "v1.0.0", expect=4)
    assert "made by the release team" in done.stderr and done.stdout == ""


def test_a_commit_needs_no_checkout_and_leaves_no_index_behind(pair: tuple[Git, Git]) -> None:
    one, _ = pair
    left = one.root / ".git/modelyard-index-of-a-killed-run"
    left.write_bytes(b"")
    os.utime(left, (0, 0))
    base = one.commit_of("HEAD")
    head = one.commit_on(base, {"a/b": b"1\n", "c": b"\x00\xff"}, "two files", frozenset({"modelyard.yaml"}))
    assert one.file_at(head, "a/b") == b"1\n" and one.file_at(head, "c") == b"\x00\xff"
    assert one.file_at(head, "modelyard.yaml") is None and one.commit_on(head, {"c": b"\x00\xff"}, "again") == head
    assert not list((one.root / ".git").glob("modelyard-index-*"))
    assert one.uncommitted() == [] and git(one.root, "rev-parse", "HEAD") == base


LIGHT = [["--help"], ["status"], ["who-runs"], ["history", "churn"], ["affected", "--base", "HEAD"]]


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_frequent_commands_import_no_library(tmp_path: Path, arguments: list[str]) -> None:
    yard = small_repository(tmp_path / "yard")
    program = (
        "import sys\nfrom modelyard.cli import main\nsys.argv[1:] = sys.argv[1:]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    print(end.code, file=sys.stderr)\n"
        "print(sorted({'git', 'numpy', 'dvc', 'pyarrow', 'pandas'} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=yard, env=os.environ | IDENTITY, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert done.stderr.splitlines()[-2:] == ["0", "[]"], done.stderr
