"""What killed runs left in a clone: temporary indexes, worktrees, and lock files of git, which git never removes."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_OLD_SECONDS = 3600.0
_OLD_WORKTREE_SECONDS = 24 * _OLD_SECONDS
_DEAD_SECONDS = 60.0
"""A git that runs holds the lock of a ref for milliseconds, and for seconds while it packs or fetches very many."""
_LOCKS = ("packed-refs.lock", "HEAD.lock", "config.lock", "reftable/tables.list.lock")
_LONG = ("/index.lock", "/shallow.lock")
"""Locks that a running git has for as long as an editor is open, or a shallow fetch lasts."""
_LOCKED = re.compile(
    r"^(?!remote:).*(?:Unable to create '([^'\n]+\.lock)'|could not lock config file [^\n]+): File exists", re.MULTILINE
)


def dead_locks(common: Path, own: Path) -> list[Path]:
    """The locks of refs and of git's settings that a killed git left: of a clone and of one worktree of it.

    The locks of the index and of a shallow fetch are not among them, because a running git has them for long.
    """
    return [path for path in _locks(common, own) if _dead(path)]


def remove_locks(found: Iterable[Path]) -> None:
    """Removes those that are still dead. The caller keeps other processes from doing it at the same time.

    Without permission to write they stay, and whatever needs them fails with git's own message.
    """
    with suppress(OSError):
        for path in filter(_dead, found):
            path.unlink(missing_ok=True)


def lock_remedy(output: str) -> str:
    """What to do where git failed because of a lock file; '' where it failed for another reason."""
    found = _LOCKED.search(output)
    if found is None:
        return ""
    running = "Another git command is running here, or one was killed."
    if (found[1] or "").endswith(_LONG):
        return f"{running} If none is running, remove {found[1]} and run the command again."
    return f"{running} Run the command again in a minute: it removes what a killed one left."


def remove_indexes(folder: Path) -> None:
    """Removes the temporary indexes of killed runs; a running one is younger."""
    for path in folder.glob("modelyard-index-*"):
        if _age(path) > _OLD_SECONDS:
            path.unlink(missing_ok=True)


def remove_worktrees(common: Path) -> None:
    """Removes worktrees that a day ago were made in a folder ``modelyard-…`` of the system's temporary folder."""
    import shutil
    import tempfile

    ours = Path(tempfile.gettempdir())
    for file in (common / "worktrees").glob("*/gitdir"):
        with suppress(OSError):  # another process may remove it too
            made = Path(file.read_text(encoding="utf-8").strip()).parent.parent
            old = _age(file) > _OLD_WORKTREE_SECONDS
            if old and made.parent == ours and made.name.startswith("modelyard-"):
                shutil.rmtree(made, ignore_errors=True)
                shutil.rmtree(file.parent, ignore_errors=True)


def _locks(common: Path, own: Path) -> Iterator[Path]:
    yield own / "HEAD.lock"
    yield from (common / name for name in _LOCKS)
    for folder, _, names in os.walk(common / "refs"):
        yield from (Path(folder, name) for name in names if name.endswith(".lock"))  # no ref has such a name


def _dead(lock: Path) -> bool:
    return _age(lock) > _DEAD_SECONDS


def _age(path: Path) -> float:
    """Seconds since a file was written; 0 for one that is gone."""
    try:
        return time.time() - path.lstat().st_mtime
    except OSError:
        return 0.0
