"""Changes of several files: whole, or not at all, wherever the process ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from modelyard.errors import ModelyardError
from modelyard.setup import tree_change
from modelyard.setup.tree_change import TreeChange, carry_out, finish_interrupted
from support.yard import write

BEFORE = {"a.txt": "1", "keep.txt": "k", "old/x": "x", "old/deep/y": "y"}
AFTER = {"a.txt": "2", "keep.txt": "k", "new/deep/b.txt": "b", "new/c.txt": "1"}


class Killed(BaseException):
    """What no handler catches, as no handler runs when a process is killed."""


def tree(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {path.relative_to(root).as_posix(): path.read_text() for path in files}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "yard"
    write(root, BEFORE)
    (root / ".git").mkdir()
    return root


def change(root: Path) -> TreeChange:
    (root.parent / "given.txt").write_text("1")
    writes: dict[str, bytes | Path] = {"a.txt": b"2", "new/deep/b.txt": b"b", "new/c.txt": root.parent / "given.txt"}
    return TreeChange(writes, ("old", "not-there"))


def test_a_change_writes_and_removes(root: Path) -> None:
    carry_out(root, change(root))
    assert tree(root) == AFTER and not finish_interrupted(root)
    assert [path.name for path in (root / ".git/modelyard-change").iterdir()] == ["lock"]


def test_killed_at_any_step_the_tree_is_as_it_was_or_as_it_should_be(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every system call that changes a file is a step; the process ends before the n-th of them."""
    steps = left = 0
    ends = set()
    calls = [(Path, name) for name in ("rename", "replace", "unlink", "mkdir", "write_bytes", "open")]

    def counted(real: object) -> object:
        def call(*arguments: object, **named: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return real(*arguments, **named)  # type: ignore[operator]

        return call

    done = False
    while not done:
        for path in (root / ".git").rglob("*"):
            assert path.name in ("modelyard-change", "lock"), path
        for name in AFTER.keys() - BEFORE.keys():
            (root / name).unlink(missing_ok=True)
        write(root, BEFORE)
        left = steps
        with monkeypatch.context() as patched:
            for owner, name in calls:
                patched.setattr(owner, name, counted(getattr(owner, name)))
            try:
                carry_out(root, TreeChange({"a.txt": b"2", "new/deep/b.txt": b"b", "new/c.txt": b"1"}, ("old",)))
                done = True
            except Killed:
                pass
        finish_interrupted(root)
        found = tree(root)
        assert found in (BEFORE, AFTER), f"killed at step {steps}"
        ends.add("after" if found == AFTER else "before")
        if found == BEFORE:  # the next change clears what this one prepared
            carry_out(root, TreeChange())
        steps += 1
    assert ends == {"before", "after"} and steps > 15


def test_what_cannot_be_prepared_changes_nothing(root: Path) -> None:
    every: list[dict[str, bytes | Path]] = [{"a.txt": b"2", "b": root / "nothing"}, {"a.txt": b"2", "keep.txt/b": b""}]
    for writes in every:
        with pytest.raises(ModelyardError):
            carry_out(root, TreeChange(writes))
        assert tree(root) == BEFORE and not finish_interrupted(root)


def test_a_worktree_has_a_folder_of_its_own(root: Path) -> None:
    (root / ".git").rmdir()
    (root.parent / "main/worktrees/w").mkdir(parents=True)
    (root / ".git").write_text(f"gitdir: {root.parent / 'main/worktrees/w'}\n")
    carry_out(root, change(root))
    assert {name: text for name, text in tree(root).items() if name != ".git"} == AFTER


def test_without_git_nothing_is_changed(tmp_path: Path) -> None:
    with pytest.raises(ModelyardError, match="cannot be made"):
        carry_out(tmp_path, TreeChange({"a": b""}))
    assert os.listdir(tmp_path) == [] and tree_change.finish_interrupted(tmp_path) is False  # noqa: PTH208
