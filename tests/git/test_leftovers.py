"""Locks that a killed git left are removed by the next command; those of a running one never are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from modelyard.checkout.evidence_branch import BRANCH, EvidenceBranch
from modelyard.git import Git, GitError
from modelyard.git.leftovers import lock_remedy
from support.yard import git, small_repository


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    found = small_repository(tmp_path / "yard")
    git(found, "branch", "modelyard/kept")
    return found


def locked(yard: Path, name: str, *, dead: bool) -> Path:
    lock = yard / ".git" / name
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    if dead:
        os.utime(lock, (0, 0))
    return lock


REF = "refs/heads/modelyard/kept"


@pytest.mark.parametrize("name", [f"{REF}.lock", "packed-refs.lock", "HEAD.lock"])
def test_a_lock_of_a_killed_git_is_removed(yard: Path, name: str) -> None:
    git(yard, "pack-refs", "--all")
    lock = locked(yard, name, dead=True)
    Git(yard).restore_ref(REF, Git(yard).commit_of(REF), "")
    assert not lock.exists() and Git(yard).ref(REF) is None


def test_the_settings_of_a_clone_are_written_after_a_kill(yard: Path) -> None:
    locked(yard, "config.lock", dead=True)
    Git(yard).configure("user.name", "Ada")
    assert git(yard, "config", "user.name") == "Ada"


def test_the_lock_of_a_running_git_stays_and_the_error_says_when_to_come_back(yard: Path) -> None:
    lock = locked(yard, f"{REF}.lock", dead=False)
    with pytest.raises(GitError) as failed:
        Git(yard).set_ref(REF, Git(yard).empty_commit("", "other"))
    assert "Run the command again in a minute" in failed.value.remedy and lock.exists()
    os.utime(lock, (0, 0))
    Git(yard).set_ref(REF, Git(yard).commit_of("HEAD"))
    assert not lock.exists()


def test_a_lock_that_may_not_be_removed_is_told_by_git(yard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unlink(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(path)

    lock = locked(yard, f"{REF}.lock", dead=True)
    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(GitError, match="cannot lock ref"):
        Git(yard).set_ref(REF, Git(yard).empty_commit("", "other"))
    assert lock.exists()


def test_a_shallow_fetch_may_last(yard: Path) -> None:
    lock = locked(yard, "shallow.lock", dead=True)
    Git(yard).set_ref(REF, Git(yard).commit_of("HEAD"))
    assert lock.exists() and f"remove {lock}" in lock_remedy(f"fatal: Unable to create '{lock}': File exists.")


def test_a_lock_of_a_worktree_is_removed_too(yard: Path, tmp_path: Path) -> None:
    git(yard, "worktree", "add", "--quiet", "--detach", str(tmp_path / "beside"))
    lock = locked(yard, "worktrees/beside/HEAD.lock", dead=True)
    Git(tmp_path / "beside").set_ref(REF, Git(yard).commit_of("HEAD"))
    assert not lock.exists()


def test_a_lock_of_the_remote_is_not_promised_to_go(yard: Path) -> None:
    assert lock_remedy("remote: error: cannot lock ref 'r': Unable to create '/srv/r.lock': File exists.") == ""
    assert "in a minute" in lock_remedy("error: could not lock config file .git/config: File exists")


def test_the_index_may_wait_for_somebody_who_writes_a_message(yard: Path) -> None:
    lock = locked(yard, "index.lock", dead=True)
    (yard / "a").write_text("a")
    with pytest.raises(GitError) as failed:
        Git(yard).commit(["a"], "a")
    assert lock.exists() and f"If none is running, remove {lock} and run" in failed.value.remedy


def test_evidence_is_filed_after_a_kill(yard: Path) -> None:
    evidence = EvidenceBranch(Git(yard))
    evidence.append({"a": b"1"}, "one")
    locked(yard, f"refs/heads/{BRANCH}.lock", dead=True)
    assert EvidenceBranch(Git(yard)).append({"b": b"2"}, "two") == Git(yard).commit_of(BRANCH)
    assert evidence.filed() == {"a": b"1", "b": b"2"} and not list((yard / ".git/refs").rglob("*.lock"))
