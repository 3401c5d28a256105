"""What a killed run leaves is removed by the next one: temporary files, folders, worktrees. What is young stays."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from modelyard.dvc import Dvc
from modelyard.files import write_whole
from modelyard.git import Git
from support.yard import git, small_repository


def aged(path: Path) -> Path:
    os.utime(path, (0, 0))
    return path


def test_a_state_file_half_written_is_removed_when_it_is_written_again(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    left = tmp_path / ".state.json.0123abcd"
    others = [tmp_path / name for name in (".other.json.0123abcd", ".state.json.0123abcg", "state.json.0123abcd")]
    young = tmp_path / ".state.json.89abcdef"
    for path in (left, *others, young):
        path.write_text("half")
    for path in (left, *others):
        aged(path)
    write_whole(state, b"whole")
    assert not left.exists() and state.read_bytes() == b"whole"
    assert young.exists() and all(path.exists() for path in others)


def test_no_link_is_followed_to_remove_a_file(tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere"
    kept.write_text("kept")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/.state.json.0123abcd").symlink_to(aged(kept))
    write_whole(tmp_path / "folder/state.json", b"whole")
    assert kept.read_text() == "kept"


def test_a_scratch_folder_is_removed_by_the_next_run(tmp_path: Path) -> None:
    killed = tmp_path / ".dvc/tmp/modelyard-killed"
    running = tmp_path / ".dvc/tmp/modelyard-running"
    dvcs_own = tmp_path / ".dvc/tmp/lock-of-dvc"
    for folder in (killed, running, dvcs_own):
        folder.mkdir(parents=True)
        (folder / "half.parquet").write_text("half")
    aged(killed)
    aged(dvcs_own)
    with Dvc(tmp_path).scratch() as scratch:
        assert Path(scratch).parent == tmp_path / ".dvc/tmp"
        assert not killed.exists() and running.exists() and dvcs_own.exists()
    assert not Path(scratch).exists()


def test_a_worktree_is_removed_by_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    yard = small_repository(tmp_path / "yard")
    mine = tmp_path / "mine/modelyard-notes"
    killed, running = (tmp_path / f"temporary/modelyard-{name}" for name in ("killed", "running"))
    for made in (killed, running, mine):
        made.mkdir(parents=True)
        git(yard, "worktree", "add", "--quiet", "--detach", str(made / made.name))
    aged(yard / f".git/worktrees/{killed.name}/gitdir")
    aged(yard / f".git/worktrees/{mine.name}/gitdir")
    with Git(yard).worktree(tmp_path / "temporary/modelyard-new", "HEAD"):
        assert (tmp_path / "temporary/modelyard-new/modelyard.yaml").is_file()
        assert not killed.exists() and running.exists() and mine.exists()
    assert len(git(yard, "worktree", "list").splitlines()) == 3, "the checkout, the running one, a person's own"
