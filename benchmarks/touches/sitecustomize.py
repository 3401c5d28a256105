"""Ends the program at its n-th touch of the world, for the crash loop: it is on PYTHONPATH of the killed command alone.

A touch is a rename, a removal, a new folder, or a git command that writes. ``CRASH_AT`` says which one ends the whole
process group; ``CRASH_COUNT`` names a file to which the number of touches is written instead. Children see neither.
"""

import atexit
import os
import signal
import sys
from pathlib import Path

_AT = int(os.environ.pop("CRASH_AT", "0"))
_COUNT = os.environ.pop("CRASH_COUNT", "")
_FILES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"}
_GIT = {
    "push",
    "fetch",
    "update-ref",
    "tag",
    "commit-tree",
    "mktree",
    "hash-object",
    "worktree",
    "update-index",
    "mktag",
}
_touches = 0


def _touched(event: str, values: tuple[object, ...]) -> None:
    global _touches
    if event == "subprocess.Popen":
        words = values[1] if len(values) > 1 and isinstance(values[1], list) else []
        if not _GIT.intersection(word for word in words if isinstance(word, str)):
            return
    elif event not in _FILES:
        return
    _touches += 1
    if _touches == _AT:
        os.killpg(0, signal.SIGKILL)


def _write() -> None:
    count = _touches
    Path(_COUNT).write_text(str(count), encoding="utf-8")


if _AT or _COUNT:
    sys.addaudithook(_touched)
if _COUNT:
    atexit.register(_write)
