"""The one door to git: the ``git`` binary, NUL-separated output, no shell.

docs/decisions/git.md says why not a library.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from modelyard.errors import ModelyardError, Refused, UsageError

# git exports these to hooks and to `git rebase -x`; inherited, they would point our calls at another repository.
_LEAKED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_COMMON_DIR")

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

_REF_FORMAT = (
    "%(refname)%00%(objecttype)%00%(objectname)%00%(*objectname)%00"
    "%(taggerdate:unix)%00%(taggername)%00%(contents)%00%1e"
)
_LOG_FORMAT = "--format=%H%x00%an%x00%ae%x00%ct%x00%s%x00%b%x00%P%x1e"


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


class TagRef(Struct, frozen=True):
    """One tag as git keeps it. ``tagged_at`` is seconds since 1970, 0 for a lightweight tag."""

    name: str
    annotated: bool
    commit: str
    tagged_at: int
    tagger: str
    message: str
    object: str = ""
    """SHA of the tag object itself."""


class CommitInfo(Struct, frozen=True):
    """A commit's header and message. ``at`` is the committer time in seconds since 1970."""

    sha: str
    author: str
    email: str
    at: int
    subject: str
    body: str
    parents: tuple[str, ...]


class Git:
    """One repository's git. Every method is one or two processes; nothing is cached."""

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
                raise _no_repository(self.root)
            raise GitError(arguments, said)
        return done.stdout

    def text(self, *arguments: str) -> str:
        """The same as text without the last newline."""
        return self.run(*arguments).decode("utf-8", "surrogateescape").rstrip("\n")

    def succeeds(self, *arguments: str) -> bool:
        """Whether ``git ARGUMENTS`` ends with 0."""
        return self._process(arguments, None, None).returncode == 0

    def require_work_tree(self) -> None:
        """Raises a UsageError unless this is a git checkout with at least one commit."""
        if self.succeeds("rev-parse", "--is-inside-work-tree", "HEAD"):
            return
        if not self.succeeds("rev-parse", "--is-inside-work-tree"):
            raise _no_repository(self.root)
        raise UsageError(f"The git repository at {self.root} has no commit yet.", "Make the first commit.")

    def commit_of(self, revision: str) -> str:
        """The full SHA of the commit a revision names."""
        if revision.startswith("-") or "\0" in revision:
            raise UsageError(f"{revision!r} is not a git revision.", "Name a commit, a branch or a tag.")
        done = self._process(("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"), None, None)
        if done.returncode:
            shallow = " This clone is shallow: git fetch --unshallow may bring it." if self.is_shallow() else ""
            raise UsageError(f"git knows no commit {revision!r} here.", f"Check the name, or fetch it.{shallow}")
        return done.stdout.decode().strip()

    def branch(self) -> str | None:
        """The branch that is checked out, or None on a detached head."""
        done = self._process(("symbolic-ref", "--quiet", "--short", "HEAD"), None, None)
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def is_shallow(self) -> bool:
        """Whether history is cut off here."""
        return self.text("rev-parse", "--is-shallow-repository") == "true"

    def is_clean(self, *paths: str) -> bool:
        """Whether tracked files (below ``paths``) equal HEAD."""
        return not self.run("status", "--porcelain", "-z", "--untracked-files=no", "--", *paths)

    def remote(self) -> str | None:
        """The remote tags are pushed to: origin, else the only one, else None."""
        names = self.text("remote").split()
        return "origin" if "origin" in names else names[0] if len(names) == 1 else None

    # --- reading ---------------------------------------------------------------------------------------------------

    def tags(self, *patterns: str) -> list[TagRef]:
        """Every tag, or those that match ``refs/tags/`` patterns, in one process."""
        scopes = [f"refs/tags/{pattern}" for pattern in patterns] or ["refs/tags"]
        output = self.run("for-each-ref", f"--format={_REF_FORMAT}", *scopes).decode("utf-8", "replace")
        found = []
        for record in output.split("\x1e\n"):
            if not record:
                continue
            name, kind, sha, peeled, when, tagger, message, _ = record.split("\0")
            annotated = kind == "tag"
            found.append(
                TagRef(name.removeprefix("refs/tags/"), annotated, peeled or sha, int(when or 0), tagger, message, sha)
            )
        return found

    def changed_files(self, base: str, head: str) -> list[str]:
        """Paths that differ between the merge base of two revisions and ``head``."""
        try:
            output = self.run("diff", "--name-only", "--no-renames", "-z", "--end-of-options", f"{base}...{head}", "--")
        except GitError as error:
            self.commit_of(base)
            self.commit_of(head)
            if "no merge base" not in error.said:
                raise
            raise UsageError(
                f"{base} and {head} have no common commit in this clone.", "Run: git fetch --unshallow"
            ) from error
        return _split(output)

    def files_at(self, revision: str, *folders: str) -> dict[str, str]:
        """Path → blob SHA of every file below ``folders`` at a revision."""
        output = self.run("ls-tree", "-r", "-z", "--full-tree", revision, "--", *folders)
        files = {}
        for line in _split(output):
            head, path = line.split("\t", 1)
            files[path] = head.split()[2]
        return files

    def blobs(self, shas: Iterable[str]) -> dict[str, bytes]:
        """Contents of many blobs in one process, by SHA."""
        wanted = list(dict.fromkeys(shas))
        if not wanted:
            return {}
        output = self.run("cat-file", "--batch", "--buffer", stdin="\n".join(wanted).encode() + b"\n")
        contents: dict[str, bytes] = {}
        at = 0
        for sha in wanted:
            end = output.index(b"\n", at)
            size = int(output[at:end].split()[2])
            contents[sha] = output[end + 1 : end + 1 + size]
            at = end + size + 2
        return contents

    def file_at(self, revision: str, path: str) -> bytes | None:
        """A file's content at a revision, or None when it is not there."""
        done = self._process(("cat-file", "blob", f"{revision}:{path}"), None, None)
        return done.stdout if done.returncode == 0 else None

    def files_of(self, commit: CommitInfo) -> list[str]:
        """Paths a commit changed against its first parent; of the first commit, all."""
        base = commit.parents[0] if commit.parents else EMPTY_TREE
        return _split(self.run("diff", "--name-only", "--no-renames", "-z", base, commit.sha, "--"))

    def commit_info(self, revision: str) -> CommitInfo:
        """Header and message of one commit."""
        return _commits(self.text("log", "-1", _LOG_FORMAT, revision, "--"))[0]

    def history(self, path: str, limit: int = 1, *, first_parent: bool = False, at: str = "HEAD") -> list[CommitInfo]:
        """The newest commits that touched a path; with ``first_parent``, merges stand for what they brought."""
        options = ["--first-parent", "-m"] if first_parent else []
        return _commits(self.text("log", *options, f"-{limit}", _LOG_FORMAT, at, "--", path))

    def messages(self, revisions: str, containing: str) -> list[CommitInfo]:
        """Commits of a range whose message holds a text, newest first."""
        return _commits(self.text("log", "--fixed-strings", f"--grep={containing}", _LOG_FORMAT, revisions, "--"))

    # --- writing ---------------------------------------------------------------------------------------------------

    def commit(self, paths: Sequence[str], message: str) -> str | None:
        """Commits just ``paths``; the new SHA, or None when nothing changed there."""
        self.run("add", "--", *paths)
        if self.succeeds("diff", "--cached", "--quiet", "--", *paths):
            return None
        self.run("commit", "--quiet", "--only", "-m", message, "--", *paths)
        return self.text("rev-parse", "HEAD")

    def create_tag(self, name: str, commit: str, message: str, at: int, *, sign: bool = False) -> None:
        """Makes an annotated tag with the given tagger time; RefRejected when the name is taken."""
        stamp = {"GIT_COMMITTER_DATE": f"{at} +0000"}
        arguments = ("tag", "--sign" if sign else "--annotate", "--cleanup=verbatim", "--file=-", name, commit)
        done = self._process(arguments, message.encode(), stamp)
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace")
            if "already exists" in said or "cannot lock ref" in said:
                raise RefRejected(arguments, said)
            raise GitError(arguments, said)

    def write_tag_object(self, name: str, content: bytes) -> None:
        """Makes a tag of a whole tag object, wherever it pointed before."""
        sha = self.run("hash-object", "-t", "tag", "-w", "--stdin", stdin=content).decode().strip()
        self.run("update-ref", f"refs/tags/{name}", sha)

    def push_tag(self, remote: str, name: str) -> None:
        """Pushes one tag; RefRejected (and the local tag deleted) when the remote has that name already."""
        arguments = ("push", "--quiet", "--porcelain", remote, f"refs/tags/{name}:refs/tags/{name}")
        done = self._process(arguments, None, None)
        if done.returncode:
            self.run("tag", "--delete", name)
            said = (done.stdout + done.stderr).decode("utf-8", "replace")
            if "[rejected]" in said or "already exists" in said or "cannot lock ref" in said:
                raise RefRejected(arguments, said)
            raise GitError(arguments, said, "Check the remote and your right to push tags; nothing was kept.")

    def fetch_tags(self, remote: str, *patterns: str) -> None:
        """Brings the tags that match from the remote, also into a shallow clone; Refused when one was moved there."""
        scopes = [f"refs/tags/{pattern}:refs/tags/{pattern}" for pattern in patterns]
        depth = ["--depth=1"] if self.is_shallow() else []
        try:
            self.run("fetch", *depth, remote, *scopes)
        except GitError as error:
            moved = re.findall(r"-> (\S+) +\(would clobber", error.said)
            if not moved:
                raise
            raise Refused(
                f"On {remote} the tag {moved[0]} was moved: it is not the one this clone knows.",
                "Find out who did it; modelyard audit check --restore puts the filed one back.",
            ) from error

    def add_to_branch(
        self, branch: str, files: Mapping[str, bytes], message: str, drop: frozenset[str] = frozenset()
    ) -> str:
        """Adds files to a branch that need not be checked out (made as an orphan when new); the new commit.

        ``drop`` are paths its new tree has no more.

        Compare-and-swap: RefRejected when the branch moved meanwhile.
        """
        ref = f"refs/heads/{branch}"
        old = self._process(("rev-parse", "--verify", "--quiet", ref), None, None).stdout.decode().strip()
        commit = self.commit_on(old, files, message, drop)
        if commit == old:
            return old
        arguments = ("update-ref", ref, commit, old or "0" * 40)
        done = self._process(arguments, None, None)
        if done.returncode:
            raise RefRejected(arguments, done.stderr.decode("utf-8", "replace"))
        return commit

    def commit_on(
        self, parent: str, files: Mapping[str, bytes], message: str, drop: frozenset[str] = frozenset()
    ) -> str:
        """A commit of ``files`` on top of another ('' for none), on no branch; the parent when nothing differs."""
        index = {"GIT_INDEX_FILE": str(self._git_path(f"modelyard-index-{os.getpid()}"))}
        try:
            if parent:
                self.run("read-tree", parent, env=index)
            lines = []
            for path, content in sorted(files.items()):
                sha = self.run("hash-object", "-w", "--stdin", stdin=content).decode().strip()
                lines.append(f"100644 {sha}\t{path}")
            lines += [f"0 {'0' * 40}\t{path}" for path in sorted(drop)]
            self.run("update-index", "--add", "-z", "--index-info", stdin="\0".join(lines).encode(), env=index)
            tree = self.run("write-tree", env=index).decode().strip()
        finally:
            Path(index["GIT_INDEX_FILE"]).unlink(missing_ok=True)
        if parent and tree == self.text("rev-parse", f"{parent}^{{tree}}"):
            return parent
        parents = ["-p", parent] if parent else []
        return self.run("commit-tree", tree, *parents, stdin=message.encode()).decode().strip()

    # --- inside ----------------------------------------------------------------------------------------------------

    def _git_path(self, name: str) -> Path:
        return self.root / self.text("rev-parse", "--git-path", name)

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


def _no_repository(root: Path) -> UsageError:
    return UsageError(f"{root} is not a git repository.", "Run: git init, then commit what is there.")


def _commits(output: str) -> list[CommitInfo]:
    found = []
    for record in output.split("\x1e"):
        if record.strip():
            sha, author, email, at, subject, body, parents = record.lstrip("\n").split("\0")
            found.append(CommitInfo(sha, author, email, int(at), subject, body.strip(), tuple(parents.split())))
    return found


def _split(output: bytes) -> list[str]:
    return [part for part in output.decode("utf-8", "surrogateescape").split("\0") if part]
