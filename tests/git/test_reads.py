"""Reads of a real repository whose messages and paths hold unusual characters."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from modelyard.errors import UsageError
from modelyard.git import Git
from support.yard import IDENTITY, commit_all, git, write

SEPARATORS = "\x1e \x1f \x0b \x85 \u2028 \u2029"
"""Characters that ``str.splitlines`` takes for line ends, or that formats use as separators."""


@pytest.fixture
def clone(tmp_path: Path) -> Git:
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    return Git(tmp_path, IDENTITY)


def test_messages_and_authors_hold_any_character(clone: Git) -> None:
    write(clone.root, {"a/b": "1"})
    first = commit_all(clone.root, f"subject {SEPARATORS} end\n\nbody {SEPARATORS}\n\nlast")
    git(clone.root, "-c", f"user.name=Eve {SEPARATORS} X", "commit", "--quiet", "--allow-empty", "-m", "second",
        f"--author=Eve {SEPARATORS} X <eve@example.org>")  # fmt: skip
    newest, oldest = clone.entries("HEAD", 5)
    assert newest.author == f"Eve {SEPARATORS} X" and newest.parents == (first,)
    assert oldest.subject == f"subject {SEPARATORS} end" and oldest.body == f"body {SEPARATORS}\n\nlast"
    assert clone.commit_info(first) == oldest
    assert [info.sha for info in clone.commits([first, "0" * 40, newest.sha])] == [first, newest.sha]
    assert clone.messages("HEAD", "last") == [oldest] and clone.history("a/b") == [oldest]
    assert clone.messages("HEAD", "nothing") == [] and clone.history("missing") == []


def test_names_of_files_hold_any_character(clone: Git) -> None:
    names = {f"waivers/{name}.yaml" for name in ("a", 'quo"te', "new\nline", "tab\t", f"odd {SEPARATORS}", "ünï")}
    write(clone.root, {"other/file": "0"})
    commit_all(clone.root, "other")
    write(clone.root, dict.fromkeys(names, "1"))
    commit = commit_all(clone.root, "waivers")
    added = clone.added("waivers", "HEAD")
    assert {path for _, _, path in added} == names and {sha for sha, _, _ in added} == {commit}
    assert set(clone.files_at("HEAD", "waivers")) == names == set(clone.changed_files("HEAD~1", "HEAD"))
    (clone.root / "waivers/a.yaml").write_text("2")
    commit_all(clone.root, "edit")
    assert clone.added("waivers", "HEAD") == added, "an edit adds no file"


def test_names_of_refs_hold_any_character(clone: Git) -> None:
    commit_all(clone.root, "first")
    odd = "odd\u2028name"
    git(clone.root, "branch", odd)
    git(clone.root, "tag", f"churn@{odd}")
    assert set(clone.branches()) == {"main", odd}
    assert clone.refs("refs/heads") == ["refs/heads/main", f"refs/heads/{odd}"]
    assert [tag.name for tag in clone.tags("churn@*")] == [f"churn@{odd}"]
    git(clone.root.parent, "clone", "--quiet", "--bare", str(clone.root), "remote.git")
    git(clone.root, "remote", "add", "origin", str(clone.root.parent / "remote.git"))
    assert set(clone.remote_refs("origin", "refs/heads/*")) == {"refs/heads/main", f"refs/heads/{odd}"}


@pytest.mark.parametrize("revision", ["-x", "a\0b", "nothing", "--all"])
def test_an_unknown_revision_is_wrong_usage(clone: Git, revision: str) -> None:
    commit_all(clone.root, "first")
    with pytest.raises(UsageError):
        clone.commit_of(revision)


def test_a_folder_without_a_repository_or_a_commit_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a git repository"):
        Git(tmp_path, IDENTITY).require_work_tree()
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    with pytest.raises(UsageError, match="has no commit yet"):
        Git(tmp_path, IDENTITY).require_work_tree()
