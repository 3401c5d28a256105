"""The branch of a proposal, in a clone with a remote and in one without."""

from __future__ import annotations

from pathlib import Path

import pytest
from modelyard.git import Git
from modelyard.review.pull_requests import Proposed, push_proposed, remote_head
from support.yard import commit_all, git, write

BRANCH = "modelyard/retrain/churn"


@pytest.mark.parametrize("remote", [True, False])
def test_a_branch_is_written_once_and_follows_its_files(tmp_path: Path, remote: bool) -> None:
    yard = tmp_path / "yard"
    write(yard, {"a": "1", "gone": "x"})
    git(yard, "init", "--quiet", "--initial-branch=main")
    base = commit_all(yard, "begin")
    if remote:
        git(tmp_path, "init", "--quiet", "--bare", "origin.git")
        git(yard, "remote", "add", "origin", str(tmp_path / "origin.git"))
    clone = Git(yard)
    assert remote_head(clone, BRANCH) == ""
    files: dict[str, bytes | None] = {"a": b"2", "gone": None}
    first = push_proposed(clone, base, Proposed(BRANCH, "Retrain churn", "", files))
    place = tmp_path / "origin.git" if remote else yard
    assert git(place, "rev-parse", BRANCH) == first == remote_head(clone, BRANCH)
    assert git(place, "show", f"{BRANCH}:a") == "2" and git(yard, "status", "--porcelain") == ""
    assert push_proposed(clone, base, Proposed(BRANCH, "Retrain churn", "", files)) == first
    second = push_proposed(clone, base, Proposed(BRANCH, "Retrain churn", "", {"a": b"3"}))
    assert second != first and git(place, "rev-parse", BRANCH) == second
