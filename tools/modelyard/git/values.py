"""Values and errors of git operations."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from modelyard.errors import ModelyardError, UsageError
from modelyard.git.leftovers import lock_remedy

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


class TagRef(Struct, frozen=True, gc=False):
    """A tag; ``tagged_at`` is in seconds since 1970, 0 for a lightweight tag."""

    name: str
    annotated: bool
    commit: str
    tagged_at: int
    tagger: str
    message: str
    object: str = ""
    """The id of the tag object, or of the commit for a lightweight tag."""
    email: str = ""
    """The tagger's address in angle brackets."""
    zone: str = ""
    """The tagger's offset from UTC, such as +0000."""

    def is_blob(self, blob: str) -> bool:
        """Whether a blob has the content of this tag. False too where git's fields do not give the content back."""
        said = f"{self.tagger} {self.email} {self.tagged_at} {self.zone}"
        content = f"object {self.commit}\ntype commit\ntag {self.name}\ntagger {said}\n\n{self.message}".encode()
        kind = hash_of(self.object)
        return object_id("blob", content, kind) == blob and object_id("tag", content, kind) == self.object


def hash_of(sha: str) -> str:
    """The hash function that an object id is of: sha1 or sha256."""
    return "sha1" if len(sha) == 40 else "sha256"


def object_id(what: str, content: bytes, kind: str) -> str:
    """The id that git gives a blob or a tag, in a hash function (sha1 or sha256)."""
    return hashlib.new(kind, b"%s %d\0" % (what.encode(), len(content)) + content, usedforsecurity=False).hexdigest()


class CommitInfo(Struct, frozen=True):
    """Header and message of a commit; ``at`` is the committer time in seconds since 1970."""

    sha: str
    author: str
    email: str
    at: int
    subject: str
    body: str
    parents: tuple[str, ...]
    committer: str = ""
    committer_email: str = ""


class LineCommit(Struct, frozen=True):
    """One commit of a first-parent history, and what it changed against its first parent."""

    info: CommitInfo
    files: tuple[str, ...]
    """Changed paths; a rename has both names."""


class GitError(ModelyardError):
    """A git command failed; ``output`` is what it printed."""

    def __init__(
        self, arguments: Sequence[str], output: str, remedy: str = "See git's message.", problem: str = ""
    ) -> None:
        lines = [line for line in output.strip().splitlines() if line.strip()]
        self.arguments, self.output = tuple(arguments), output
        if "tell me who you are" in output or "empty ident name" in output:
            remedy = 'Set your name and address: git config --global user.name "…" and user.email "…"'
        remedy = lock_remedy(output) or remedy
        super().__init__(problem or f"git {arguments[0]} failed: {lines[0] if lines else 'no message'}", remedy)


class RefRejected(GitError):
    """A concurrent run wrote the ref first."""


class PushRefused(GitError):
    """The remote refused the push because of a rule, a hook or a missing permission."""

    def __init__(self, remote: str, ref: str, output: str) -> None:
        super().__init__(
            ("push", remote, ref),
            output,
            "Check your permission to push and the rules of the remote for that ref.",
            f"The remote {remote} refused {ref.removeprefix('refs/heads/')}: {_reason(output)}.",
        )


def no_git() -> ModelyardError:
    """The error when git is not installed."""
    return ModelyardError("The program git is not on the PATH.", "Install git.")


def no_repository(root: Path) -> UsageError:
    """The error for a folder outside of a git repository."""
    return UsageError(f"{root} is not a git repository.", "Run git init and commit your files.")


def _reason(output: str) -> str:
    """The message of a hook or forge, else the last line of git's output."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    remote = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
    messages = [line.removeprefix("error:").strip() for line in remote if line]
    why = "; ".join(messages[:3]) or (lines[-1] if lines else "no reason was given")
    return why.rstrip(".")
