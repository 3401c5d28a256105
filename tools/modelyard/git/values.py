"""Values that git gives, and its errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from modelyard.errors import ModelyardError, UsageError

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


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


class CommitInfo(Struct, frozen=True):
    """A commit's header and message. ``at`` is the committer time in seconds since 1970."""

    sha: str
    author: str
    email: str
    at: int
    subject: str
    body: str
    parents: tuple[str, ...]


class GitError(ModelyardError):
    """git said no; ``said`` is what it printed."""

    def __init__(
        self, arguments: Sequence[str], said: str, remedy: str = "Look at git's message.", problem: str = ""
    ) -> None:
        lines = [line for line in said.strip().splitlines() if line.strip()]
        self.arguments, self.output = tuple(arguments), said
        if "tell me who you are" in said or "empty ident name" in said:
            remedy = 'Tell git who you are: git config --global user.name "…" and user.email "…"'
        super().__init__(problem or f"git {arguments[0]} failed: {lines[0] if lines else 'no message'}", remedy)


class RefRejected(GitError):
    """Somebody else wrote the ref first."""


class PushRefused(GitError):
    """The remote took none of it: a rule, a hook or a missing right."""

    def __init__(self, remote: str, ref: str, said: str) -> None:
        super().__init__(
            ("push", remote, ref),
            said,
            "Check your right to push there, and the rules of the remote for that ref.",
            f"The remote {remote} refused {ref.removeprefix('refs/heads/')}: {_reason(said)}.",
        )


def no_git() -> ModelyardError:
    """The error for a machine without git."""
    return ModelyardError("The program git is not on this machine's PATH.", "Install git.")


def no_repository(root: Path) -> UsageError:
    """The error for a folder that no git repository is around."""
    return UsageError(f"{root} is not a git repository.", "Run: git init, then commit what is there.")


def _reason(said: str) -> str:
    """What a hook or the forge said, else git's own last word."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    theirs = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
    told = [line.removeprefix("error:").strip() for line in theirs if line]
    why = "; ".join(told[:3]) or (lines[-1] if lines else "it gave no reason")
    return why.rstrip(".")
