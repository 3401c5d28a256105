"""Bulk reads of a repository through the ``git`` binary, where importing a library would take longer than reading.

One ``for-each-ref`` reads 75,000 annotated tags in a third of a second. So `status`, `who-runs`, `affected` and
`history` do not import GitPython. docs/decisions/git.md has the figures. Writes, fetches and pushes use GitPython, in
repository.py and remote.py.
"""

from __future__ import annotations

import codecs
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import IO

from modelyard.errors import ModelyardError, UsageError
from modelyard.git.values import EMPTY_TREE, CommitInfo, GitError, TagRef, no_git, no_repository

# Git exports these to hooks and to `git rebase -x`. Inherited, they would point calls at another repository.
HOOK_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_COMMON_DIR")

_CHUNK = 1 << 18
_TAG_FORMAT = (
    "%(refname:strip=2)%00%(objecttype)%00%(objectname)%00%(*objectname)%00"
    "%(taggerdate:raw)%00%(taggername)%00%(contents)%00%(taggeremail)%00"
)
_FIELDS = 8
LOG_FIELDS = 9
LOG_FORMAT = ("-z", "--format=%H%x00%an%x00%ae%x00%ct%x00%s%x00%b%x00%P%x00%cn%x00%ce")


class RunningGit:
    """A git process that runs while the caller does something else."""

    def __init__(
        self, root: Path, arguments: Sequence[str], process: subprocess.Popen[bytes], errors: IO[bytes]
    ) -> None:
        self._root, self._arguments, self._process, self._errors = root, arguments, process, errors
        self._pipe = process.stdout.fileno() if process.stdout else -1

    def fields(self) -> Iterator[list[str]]:
        """Its output split at zero bytes, in lists as they arrive; GitError at the end if it failed."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        rest = ""
        with self._process as process, self._errors as errors:
            while chunk := os.read(self._pipe, _CHUNK):
                *whole, rest = (rest + decoder.decode(chunk)).split("\0")
                yield whole
            if process.wait():
                errors.seek(0)
                raise _failed(self._root, self._arguments, errors.read())


class PendingTags:
    """Tags that git is still writing. Each is parsed as it arrives, so that two cores share the work."""

    def __init__(self, running: Sequence[RunningGit]) -> None:
        self._running = running

    def __iter__(self) -> Iterator[TagRef]:
        """The tags, once; GitError at the end if git failed."""
        waiting: list[str] = []
        for fields in chain.from_iterable(git.fields() for git in self._running):
            waiting += fields
            whole = len(waiting) // _FIELDS * _FIELDS
            columns = (waiting[i:whole:_FIELDS] for i in range(_FIELDS))
            for name, kind, sha, peeled, at, tagger, message, email in zip(*columns, strict=True):
                seconds, _, zone = at.partition(" ")
                made = int(seconds or 0)
                yield TagRef(name.lstrip("\n"), kind == "tag", peeled or sha, made, tagger, message, sha, email, zone)
            del waiting[:whole]


class GitStream:
    """Reads of one repository: refs, commits, and files at revisions."""

    def __init__(self, root: Path, settings: dict[str, str] | None = None) -> None:
        self.root = root
        self.settings = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", **(settings or {})}
        self._environment = {k: v for k, v in os.environ.items() if k not in HOOK_VARIABLES} | self.settings

    def require_work_tree(self) -> None:
        """UsageError unless this is a git checkout with at least one commit."""
        if self._succeeds("rev-parse", "--is-inside-work-tree", "HEAD"):
            return
        if not self._succeeds("rev-parse", "--is-inside-work-tree"):
            raise no_repository(self.root)
        raise UsageError(f"The git repository at {self.root} has no commit yet.", "Make the first commit.")

    def commit_of(self, revision: str) -> str:
        """The full id of the commit that a revision names; UsageError for an unknown revision."""
        if revision.startswith("-") or "\0" in revision:
            raise UsageError(f"{revision!r} is not a git revision.", "Name a commit, a branch or a tag.")
        done = self._process("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        if done.returncode:
            shallow = " This clone is shallow; git fetch --unshallow may get it." if self.is_shallow() else ""
            raise UsageError(f"This clone has no commit {revision!r}.", f"Check the name, or fetch it.{shallow}")
        return done.stdout.decode().strip()

    def common_folder(self) -> Path:
        """The folder of git's own files, which all worktrees of this clone share."""
        return (self.root / self._text("rev-parse", "--git-common-dir")).resolve()

    def branch(self) -> str | None:
        """The branch that is checked out; None for a detached head."""
        done = self._process("symbolic-ref", "--quiet", "--short", "HEAD")
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def has_commits(self) -> bool:
        """Whether HEAD names a commit."""
        return self._succeeds("rev-parse", "--verify", "--quiet", "HEAD")

    def has_commit(self, sha: str) -> bool:
        """Whether a commit exists in this clone."""
        return self._succeeds("cat-file", "-e", f"{sha}^{{commit}}")

    def is_shallow(self) -> bool:
        """Whether this clone is shallow."""
        return self._text("rev-parse", "--is-shallow-repository") == "true"

    def require_whole(self, what: str) -> None:
        """UsageError in a shallow clone, which lacks ``what``."""
        if self.is_shallow():
            raise UsageError(f"This clone is shallow, so it lacks {what}.", "Run: git fetch --unshallow --tags")

    @cached_property
    def _remote(self) -> str | None:
        names = self._text("remote").split()
        return "origin" if "origin" in names else names[0] if len(names) == 1 else None

    def remote(self) -> str | None:
        """The remote for pushes: origin, else the only one, else None."""
        return self._remote

    def remote_url(self, remote: str) -> str:
        """The URL of a remote, as git uses it."""
        return self._text("remote", "get-url", remote)

    def tags(self, *patterns: str) -> list[TagRef]:
        """All tags, or those that match patterns below ``refs/tags/``, with one process."""
        scopes = [f"refs/tags/{pattern}" for pattern in patterns] or ["refs/tags"]
        return list(PendingTags([self._begin("for-each-ref", f"--format={_TAG_FORMAT}", *scopes)]))

    def begin_tags(self, *patterns: str) -> PendingTags:
        """All tags, or those that match patterns, read in the background with one process per pattern.

        A tag that matches two patterns is returned twice.
        """
        scopes = [f"refs/tags/{pattern}" for pattern in patterns] or ["refs/tags"]
        return PendingTags([self._begin("for-each-ref", f"--format={_TAG_FORMAT}", scope) for scope in scopes])

    def ref(self, name: str) -> str | None:
        """The object id of a full ref such as ``refs/heads/main``, not peeled; None if it does not exist."""
        return self._text("for-each-ref", "--format=%(objectname)", name) or None

    def refs(self, *prefixes: str) -> list[str]:
        """The full names of refs below prefixes."""
        return lines_of(self._text("for-each-ref", "--format=%(refname)", *prefixes))

    def branches(self) -> dict[str, str]:
        """Name (``main``, ``origin/main``) → commit, for all local and remote branches of this clone."""
        output = self._text("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/remotes")
        pairs = [line.rsplit(" ", 1) for line in lines_of(output)]
        return {ref.split("/", 2)[2]: sha for ref, sha in pairs if not ref.endswith("/HEAD")}

    def newest_entries(self, prefix: str) -> dict[str, tuple[str, str]]:
        """Ref → (commit, message) of every ref below a prefix, with one process."""
        output = self._text("for-each-ref", "--format=%(refname)%00%(objectname)%00%(contents)%00", prefix)
        parts = output.split("\0")[:-1]
        return {parts[i].lstrip("\n"): (parts[i + 1], parts[i + 2]) for i in range(0, len(parts), 3)}

    def entries(self, ref: str, limit: int) -> list[CommitInfo]:
        """The newest ``limit`` entries of a journal ref, newest first."""
        return commits_of(self._text("log", "--first-parent", f"-{limit}", *LOG_FORMAT, ref, "--"))

    def changed_files(self, base: str, head: str) -> list[str]:
        """Paths that differ between ``head`` and its merge base with ``base``."""
        return list(self.changes(base, head))

    def changes(self, base: str, head: str) -> dict[str, tuple[str, str]]:
        """The same with their blob ids, before and now; '' where there is none."""
        try:
            output = self._run(
                "diff", "--raw", "--no-abbrev", "--no-renames", "-z", "--end-of-options", f"{base}...{head}", "--"
            )
        except GitError as error:
            self.commit_of(base)
            self.commit_of(head)
            if "no merge base" not in error.output:
                raise
            raise UsageError(
                f"{base} and {head} have no common commit in this clone.", "Run: git fetch --unshallow"
            ) from error
        parts = _split(output)  # :100644 100755 <id before> <id now> M, then the path
        pairs = zip(parts[::2], parts[1::2], strict=True)
        return {path: tuple(sha if sha.strip("0") else "" for sha in said.split(" ")[2:4]) for said, path in pairs}  # type: ignore[misc]

    def differing_files(self, one: str, other: str, *paths: str) -> list[str]:
        """Paths below ``paths`` that differ between two commits."""
        return _split(self._run("diff", "--name-only", "--no-renames", "-z", one, other, "--", *paths))

    def files_at(self, revision: str, *folders: str) -> dict[str, str]:
        """Path → blob id of every file below folders (or at paths) of a revision."""
        return {path: sha for path, (_, sha) in self.entries_at(revision, *folders).items()}

    def entries_at(self, revision: str, *folders: str) -> dict[str, tuple[str, str]]:
        """The same with git's mode, such as 100644; 120000 is a symbolic link."""
        output = self._run("ls-tree", "-r", "-z", "--full-tree", revision, "--", *folders)
        files = {}
        for line in _split(output):
            head, path = line.split("\t", 1)
            mode, _, sha = head.split()
            files[path] = mode, sha
        return files

    def blobs(self, shas: Iterable[str]) -> dict[str, bytes]:
        """Blob id → content, with one process."""
        wanted = list(dict.fromkeys(shas))
        if not wanted:
            return {}
        output = self._run("cat-file", "--batch", "--buffer", stdin="\n".join(wanted).encode() + b"\n")
        contents: dict[str, bytes] = {}
        at = 0
        for sha in wanted:
            end = output.index(b"\n", at)
            size = int(output[at:end].split()[2])
            contents[sha] = output[end + 1 : end + 1 + size]
            at = end + size + 2
        return contents

    def objects(self, shas: Iterable[str]) -> dict[str, bytes]:
        """Object id → object as git hashes it (type, size, zero byte, content), with one process."""
        wanted = list(shas)
        output = self._run("cat-file", "--batch", "--buffer", stdin="\n".join(wanted).encode() + b"\n")
        found: dict[str, bytes] = {}
        at = 0
        for sha in wanted:
            end = output.index(b"\n", at)
            _, kind, size = output[at:end].split()
            found[sha] = b"%s %s\0" % (kind, size) + output[end + 1 : end + 1 + int(size)]
            at = end + int(size) + 2
        return found

    def file_at(self, revision: str, path: str) -> bytes | None:
        """The content of a file at a revision; None if it does not exist."""
        done = self._process("cat-file", "blob", f"{revision}:{path}")
        return done.stdout if done.returncode == 0 else None

    def files_of(self, commit: CommitInfo) -> list[str]:
        """Paths that a commit changed against its first parent; for a root commit, all paths."""
        base = commit.parents[0] if commit.parents else EMPTY_TREE
        return _split(self._run("diff", "--name-only", "--no-renames", "-z", base, commit.sha, "--"))

    def commit_info(self, revision: str) -> CommitInfo:
        """Header and message of the commit of a revision."""
        return commits_of(self._text("log", "-1", *LOG_FORMAT, revision, "--"))[0]

    def commits(self, shas: Iterable[str]) -> list[CommitInfo]:
        """Headers and messages of commits, with one process; missing commits are left out."""
        wanted = "\n".join(dict.fromkeys(shas)).encode()
        if not wanted:
            return []
        output = self._run("log", "--no-walk=unsorted", "--ignore-missing", "--stdin", *LOG_FORMAT, stdin=wanted)
        return commits_of(output.decode("utf-8", "surrogateescape"))

    def _begin(self, *arguments: str) -> RunningGit:
        errors = _temporary_file()
        try:
            process = subprocess.Popen(
                ["git", "-c", "core.quotePath=false", *arguments],
                cwd=self.root, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise no_git() from error
        return RunningGit(self.root, arguments, process, errors)

    def _run(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        done = self._process(*arguments, stdin=stdin)
        if done.returncode:
            raise _failed(self.root, arguments, done.stderr)
        return done.stdout

    def _text(self, *arguments: str) -> str:
        return self._run(*arguments).decode("utf-8", "surrogateescape").rstrip("\n")

    def _succeeds(self, *arguments: str) -> bool:
        return self._process(*arguments).returncode == 0

    def _process(self, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", "-c", "core.quotePath=false", *arguments],
                cwd=self.root,
                env=self._environment,
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise no_git() from error


def _temporary_file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):  # Linux; importing tempfile takes as long as a short git command
        return os.fdopen(os.memfd_create("modelyard"), "w+b")
    from tempfile import TemporaryFile

    return TemporaryFile()


def _failed(root: Path, arguments: Sequence[str], stderr: bytes) -> ModelyardError:
    output = stderr.decode("utf-8", "replace")
    return no_repository(root) if "not a git repository" in output else GitError(arguments, output)


def commits_of(output: str) -> list[CommitInfo]:
    """The commits that git wrote in LOG_FORMAT."""
    fields = iter(output.split("\0")[:-1])  # no message holds a zero byte
    return [commit_of_fields(values) for values in zip(*[fields] * LOG_FIELDS, strict=True)]


def commit_of_fields(values: Sequence[str]) -> CommitInfo:
    """One commit from its LOG_FIELDS fields."""
    sha, author, email, at, subject, body, parents, committer, committer_email = values
    return CommitInfo(
        sha=sha, author=author, email=email, at=int(at), subject=subject, body=body.strip(),
        parents=tuple(parents.split()), committer=committer, committer_email=committer_email,
    )  # fmt: skip


def lines_of(text: str) -> list[str]:
    """The lines of a text that end with a newline. Names may hold other separators, such as U+2028."""
    return [line for line in text.split("\n") if line]


def _split(output: bytes) -> list[str]:
    return [part for part in output.decode("utf-8", "surrogateescape").split("\0") if part]
