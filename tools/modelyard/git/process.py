"""Runs the ``git`` binary: NUL-separated output, no shell, no variable of a hook that runs us."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from modelyard.errors import ModelyardError, UsageError

# git exports these to hooks and to `git rebase -x`; inherited, they would point our calls at another repository.
_LEAKED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_COMMON_DIR")


class GitError(ModelyardError):
    """git said no; ``said`` is what it printed."""

    def __init__(self, arguments: Sequence[str], said: str, remedy: str = "Look at git's message.") -> None:
        lines = [line for line in said.strip().splitlines() if line.strip()]
        self.said = said
        if "tell me who you are" in said or "empty ident name" in said:
            remedy = 'Tell git who you are: git config --global user.name "…" and user.email "…"'
        super().__init__(f"git {arguments[0]} failed: {lines[0] if lines else 'no message'}", remedy)


class RefRejected(GitError):
    """Somebody else wrote the ref first."""


class GitProcess:
    """git in one repository."""

    def __init__(self, root: Path, settings: dict[str, str] | None = None) -> None:
        self.root = root
        self._environment = {k: v for k, v in os.environ.items() if k not in _LEAKED}
        self._environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", **(settings or {})}

    def run(self, *arguments: str, stdin: bytes | None = None, env: dict[str, str] | None = None) -> bytes:
        """Standard output of ``git ARGUMENTS``; a GitError when it fails."""
        done = self._process(arguments, stdin, env)
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace")
            if "not a git repository" in said:
                raise no_repository(self.root)
            raise GitError(arguments, said)
        return done.stdout

    def text(self, *arguments: str) -> str:
        """The same as text without the last newline."""
        return self.run(*arguments).decode("utf-8", "surrogateescape").rstrip("\n")

    def succeeds(self, *arguments: str) -> bool:
        """Whether ``git ARGUMENTS`` ends with 0."""
        return self._process(arguments, None, None).returncode == 0

    def _process(
        self, arguments: Sequence[str], stdin: bytes | None, env: dict[str, str] | None
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", "-c", "core.quotePath=false", *arguments],
                cwd=self.root,
                env=self._environment | (env or {}),
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise ModelyardError("The program git is not on this machine's PATH.", "Install git.") from error


def no_repository(root: Path) -> UsageError:
    """The error for a folder that no git repository is around."""
    return UsageError(f"{root} is not a git repository.", "Run: git init, then commit what is there.")
