"""Runs the ``git`` binary: NUL-separated output, no shell, no variable of a hook that runs us."""

from __future__ import annotations

import codecs
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from modelyard.errors import ModelyardError, UsageError

# git exports these to hooks and to `git rebase -x`; inherited, they would point our calls at another repository.
_LEAKED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_COMMON_DIR")
_CHUNK = 1 << 18


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


class Begun:
    """A git that runs while the caller does something else."""

    def __init__(
        self, root: Path, arguments: Sequence[str], process: subprocess.Popen[bytes], errors: IO[bytes]
    ) -> None:
        self._root, self._arguments, self._process, self._errors = root, arguments, process, errors
        self._pipe = process.stdout.fileno() if process.stdout else -1

    def fields(self) -> Iterator[list[str]]:
        """What it prints up to each zero byte, as it comes. A GitError at the end when it failed."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        rest = ""
        with self._process as process, self._errors as errors:
            while chunk := os.read(self._pipe, _CHUNK):
                *whole, rest = (rest + decoder.decode(chunk)).split("\0")
                yield whole
            if process.wait():
                errors.seek(0)
                raise _failed(self._root, self._arguments, errors.read())


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
            raise _failed(self.root, arguments, done.stderr)
        return done.stdout

    def begin(self, *arguments: str) -> Begun:
        """Starts ``git ARGUMENTS``."""
        errors = _nameless()
        try:
            process = subprocess.Popen(
                ["git", "-c", "core.quotePath=false", *arguments],
                cwd=self.root, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise no_git() from error
        return Begun(self.root, arguments, process, errors)

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
            raise no_git() from error


def _nameless() -> IO[bytes]:
    if hasattr(os, "memfd_create"):  # Linux; importing tempfile takes as long as a short git does
        return os.fdopen(os.memfd_create("modelyard"), "w+b")
    from tempfile import TemporaryFile

    return TemporaryFile()


def _failed(root: Path, arguments: Sequence[str], stderr: bytes) -> ModelyardError:
    said = stderr.decode("utf-8", "replace")
    return no_repository(root) if "not a git repository" in said else GitError(arguments, said)


def no_git() -> ModelyardError:
    """The error for a machine without git."""
    return ModelyardError("The program git is not on this machine's PATH.", "Install git.")


def no_repository(root: Path) -> UsageError:
    """The error for a folder that no git repository is around."""
    return UsageError(f"{root} is not a git repository.", "Run: git init, then commit what is there.")
