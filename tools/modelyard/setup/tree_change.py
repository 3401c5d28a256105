"""A change of several files of a checkout that is done as a whole or not at all, also when its process is killed.

The new content is first written beside the tree, in the folder of git. Then a journal is written: from that moment the
change is decided. It is carried out by renames, and whoever opens the repository next finishes what was interrupted.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import ModelyardError, UsageError
from modelyard.files import write_whole

if TYPE_CHECKING:
    from modelyard.git import Git

_FOLDER = "modelyard-change"
_JOURNAL = "journal.json"


@dataclass(frozen=True)
class TreeChange:
    """Files to write and to remove, as paths from the root."""

    writes: Mapping[str, bytes | Path] = field(default_factory=dict)
    """Path → its content, or a file whose content it gets."""
    removes: tuple[str, ...] = ()
    """Files and folders; a folder goes with all that is in it."""


def require_committed(git: Git, what: str) -> None:
    """UsageError for changes that are in no commit; ``what`` would not stand alone with them."""
    if changed := git.uncommitted():
        raise UsageError(
            f"{changed[0]} is not committed{f', and {len(changed) - 1} more' if changed[1:] else ''}.",
            f"Commit or stash your changes first, so that the {what} stands alone.",
        )


def carry_out(root: Path, change: TreeChange) -> None:
    """Makes the change. ModelyardError when it cannot be prepared: then the tree is as it was."""
    place = _place(root)
    with _alone(place):
        _finish(root, place)
        try:
            staged: dict[str, str] = {}
            for number, (path, content) in enumerate(sorted(change.writes.items())):
                target = place / f"new-{number}"
                if isinstance(content, Path):
                    shutil.copyfile(content, target)
                else:
                    target.write_bytes(content)
                _sync(target)
                staged[path] = target.name
            # A parent that is a file would stop the change half way.
            for path in staged:
                _require_room(root, path, change.removes)
        except OSError as error:
            _clear(place)
            raise ModelyardError(
                f"The change of {root} cannot be prepared: {error.strerror or error}.",
                "Free space or grant permission, then repeat.",
            ) from error
        except ModelyardError:
            _clear(place)
            raise
        write_whole(place / _JOURNAL, json.dumps({"writes": staged, "removes": change.removes}).encode())
        _finish(root, place)


def finish_interrupted(root: Path) -> bool:
    """Finishes a change that was decided and not completed; whether there was one."""
    place = _git_folder(root) / _FOLDER
    if not (place / _JOURNAL).is_file():
        return False
    with _alone(place):
        return _finish(root, place)


def _finish(root: Path, place: Path) -> bool:
    """Carries out the journal, or forgets what was prepared without one. Every step may be repeated."""
    journal = place / _JOURNAL
    if not journal.is_file():
        _clear(place)
        return False
    decided = json.loads(journal.read_bytes())
    try:
        for number, path in enumerate(decided["removes"]):
            if os.path.lexists(root / path):
                (root / path).rename(place / f"old-{number}")
        for path, name in decided["writes"].items():
            staged = place / name
            if staged.is_file():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                staged.replace(root / path)
    except OSError as error:
        raise ModelyardError(
            f"A change of {root} is not complete: {error.strerror}: {error.filename}.",
            "Correct the cause; the next command of modelyard completes the change.",
        ) from error
    journal.unlink()
    _clear(place)
    return True


def _clear(place: Path) -> None:
    for entry in place.iterdir():
        if entry.name != "lock":
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def _require_room(root: Path, path: str, removed: tuple[str, ...]) -> None:
    for parent in (root / path).parents:
        if parent == root:
            return
        if parent.exists() and not parent.is_dir() and parent.relative_to(root).as_posix() not in removed:
            raise UsageError(f"{parent} is a file, and a folder is needed there.", "Rename that file.")


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def _alone(place: Path) -> Iterator[None]:
    import fcntl

    with (place / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _place(root: Path) -> Path:
    place = _git_folder(root) / _FOLDER
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise ModelyardError(
            f"{place} cannot be made: {error.strerror}.", "Run the command in a git repository that you may write to."
        ) from error
    return place


def _git_folder(root: Path) -> Path:
    """The folder of git of a checkout; a worktree's ``.git`` is a file that names it."""
    git = root / ".git"
    if git.is_file():
        named = git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        return root / named
    return git
