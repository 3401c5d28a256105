"""What a repository says: refs, commits, files at revisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from msgspec import Struct

from modelyard.errors import UsageError
from modelyard.git.process import Begun, GitError, GitProcess, no_repository

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_TAG_FORMAT = (
    "%(refname:strip=2)%00%(objecttype)%00%(objectname)%00%(*objectname)%00"
    "%(taggerdate:unix)%00%(taggername)%00%(contents)%00"
)
_FIELDS = 7
_LOG_FORMAT = "--format=%H%x00%an%x00%ae%x00%ct%x00%s%x00%b%x00%P%x1e"


class TagRef(Struct, frozen=True, gc=False):
    """One tag as git keeps it. ``tagged_at`` is seconds since 1970, 0 for a lightweight tag."""

    name: str
    annotated: bool
    commit: str
    tagged_at: int
    tagger: str
    message: str
    object: str = ""
    """SHA of the tag object itself."""


class PendingTags:
    """Tags that git is still writing; each is read as it comes, so that two cores share the work."""

    def __init__(self, begun: Sequence[Begun]) -> None:
        self._begun = begun

    def __iter__(self) -> Iterator[TagRef]:
        """Once; a GitError at the end when git failed."""
        waiting: list[str] = []
        for fields in chain.from_iterable(begun.fields() for begun in self._begun):
            waiting += fields
            whole = len(waiting) // _FIELDS * _FIELDS
            columns = (waiting[i:whole:_FIELDS] for i in range(_FIELDS))
            for name, kind, sha, peeled, at, tagger, message in zip(*columns, strict=True):
                yield TagRef(name.lstrip("\n"), kind == "tag", peeled or sha, int(at or 0), tagger, message, sha)
            del waiting[:whole]


class CommitInfo(Struct, frozen=True):
    """A commit's header and message. ``at`` is the committer time in seconds since 1970."""

    sha: str
    author: str
    email: str
    at: int
    subject: str
    body: str
    parents: tuple[str, ...]


class GitReader(GitProcess):
    """The reading half."""

    def require_work_tree(self) -> None:
        """Raises a UsageError unless this is a git checkout with at least one commit."""
        if self.succeeds("rev-parse", "--is-inside-work-tree", "HEAD"):
            return
        if not self.succeeds("rev-parse", "--is-inside-work-tree"):
            raise no_repository(self.root)
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

    def me(self) -> str:
        """The name that a commit made here would carry; '' when git knows none."""
        done = self._process(("var", "GIT_AUTHOR_IDENT"), None, None)
        return done.stdout.decode("utf-8", "replace").partition(" <")[0] if done.returncode == 0 else ""

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

    def tags(self, *patterns: str) -> list[TagRef]:
        """Every tag, or those that match ``refs/tags/`` patterns, in one process."""
        scopes = [f"refs/tags/{pattern}" for pattern in patterns] or ["refs/tags"]
        return list(PendingTags([self.begin("for-each-ref", f"--format={_TAG_FORMAT}", *scopes)]))

    def begin_tags(self, *patterns: str) -> PendingTags:
        """The same, begun: one git a pattern, which read side by side while the caller does something else.

        Without patterns every tag; a tag that two patterns match comes twice.
        """
        scopes = [f"refs/tags/{pattern}" for pattern in patterns] or ["refs/tags"]
        return PendingTags([self.begin("for-each-ref", f"--format={_TAG_FORMAT}", scope) for scope in scopes])

    def branches(self) -> dict[str, str]:
        """Name (``main``, ``origin/main``) → commit of every branch known here."""
        output = self.text("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/remotes")
        pairs = [line.rsplit(" ", 1) for line in output.splitlines()]
        return {ref.split("/", 2)[2]: sha for ref, sha in pairs if not ref.endswith("/HEAD")}

    def newest_entries(self, prefix: str) -> dict[str, tuple[str, str]]:
        """Ref → (commit, message) of every ref below a prefix, in one process."""
        output = self.text("for-each-ref", "--format=%(refname)%00%(objectname)%00%(contents)%00", prefix)
        parts = output.split("\0")[:-1]
        return {parts[i].lstrip("\n"): (parts[i + 1], parts[i + 2]) for i in range(0, len(parts), 3)}

    def entries(self, ref: str, limit: int) -> list[CommitInfo]:
        """The newest entries of a journal, newest first."""
        return _commits(self.text("log", "--first-parent", f"-{limit}", _LOG_FORMAT, ref, "--"))

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

    def objects(self, shas: Iterable[str]) -> dict[str, bytes]:
        """SHA → whole object as git hashes it: type, size, zero byte, content; in one process."""
        wanted = list(shas)
        output = self.run("cat-file", "--batch", "--buffer", stdin="\n".join(wanted).encode() + b"\n")
        found: dict[str, bytes] = {}
        at = 0
        for sha in wanted:
            end = output.index(b"\n", at)
            _, kind, size = output[at:end].split()
            found[sha] = b"%s %s\0" % (kind, size) + output[end + 1 : end + 1 + int(size)]
            at = end + int(size) + 2
        return found

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

    def commits(self, shas: Iterable[str]) -> list[CommitInfo]:
        """Headers and messages of many commits in one process; such as are not here are left out."""
        wanted = "\n".join(dict.fromkeys(shas)).encode()
        if not wanted:
            return []
        output = self.run("log", "--no-walk=unsorted", "--ignore-missing", "--stdin", _LOG_FORMAT, stdin=wanted)
        return _commits(output.decode("utf-8", "surrogateescape"))

    def history(self, path: str, limit: int = 1, *, first_parent: bool = False, at: str = "HEAD") -> list[CommitInfo]:
        """The newest commits that touched a path; with ``first_parent``, merges stand for what they brought."""
        options = ["--first-parent", "-m"] if first_parent else []
        return _commits(self.text("log", *options, f"-{limit}", _LOG_FORMAT, at, "--", path))

    def added(self, folder: str, revision: str) -> list[tuple[str, int, str]]:
        """(commit, seconds since 1970, path) of every file that came into a folder, by first-parent history."""
        output = self.text(
            "log", "--first-parent", "-m", "--diff-filter=A", "--no-renames", "--name-only",
            "--format=%x1e%H%x00%ct%x00", revision, "--", folder,
        )  # fmt: skip
        found = []
        for record in output.split("\x1e")[1:]:
            sha, at, names = record.split("\0")
            found += [(sha, int(at), name) for name in names.splitlines() if name]
        return found

    def messages(self, revisions: str, containing: str) -> list[CommitInfo]:
        """Commits of a range whose message holds a text, newest first."""
        return _commits(self.text("log", "--fixed-strings", f"--grep={containing}", _LOG_FORMAT, revisions, "--"))


def _commits(output: str) -> list[CommitInfo]:
    found = []
    for record in output.split("\x1e"):
        if record.strip():
            sha, author, email, at, subject, body, parents = record.lstrip("\n").split("\0")
            found.append(CommitInfo(sha, author, email, int(at), subject, body.strip(), tuple(parents.split())))
    return found


def _split(output: bytes) -> list[str]:
    return [part for part in output.decode("utf-8", "surrogateescape").split("\0") if part]
