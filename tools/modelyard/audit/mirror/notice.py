"""Why the mirror lacks what this clone filed last: a file beside git's own, until a command catches up."""

from __future__ import annotations

from modelyard.files import write_whole
from modelyard.git import Git

_FILE = "modelyard-mirror-behind"
_LONGEST = 2_000


def write_notice(git: Git, problem: str) -> None:
    """Keeps the problem; '' removes it."""
    file = git.common_folder() / _FILE
    if problem:
        write_whole(file, problem.encode())
    else:
        file.unlink(missing_ok=True)


def read_notice(git: Git) -> str:
    """The sentence for people; '' when the last write of this clone succeeded, or there was none."""
    file = git.common_folder() / _FILE
    if not file.is_file():
        return ""
    problem = file.read_bytes()[:_LONGEST].decode("utf-8", "replace")
    return f"The mirror is behind: {problem} The next modelyard deploy catches up."
