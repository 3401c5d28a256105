"""What crosses to a remote, through GitPython: fetches, and pushes that say what became of them.

The words of a push tell too little: a hook's refusal and a lost race are both "remote rejected". So after every push
that was not plainly accepted the ref is read on the remote: ours is there, it moved, or it was refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from modelyard.errors import Refused
from modelyard.git.repository import GitRepository
from modelyard.git.values import GitError, PushRefused, RefRejected


class Push(Struct, frozen=True):
    """One ref on the remote: what it is to be, and what it is taken to be now ('' for not there)."""

    ref: str
    sha: str
    expected: str
    lease: bool = False
    """Whether it may be rewritten, as long as it is what it is taken to be."""


class Git(GitRepository):
    """One repository's git. Nothing but the name of its remote is remembered."""

    def remote_refs(self, remote: str, *patterns: str) -> dict[str, str]:
        """Ref → SHA of what the remote has; a GitError when it cannot be reached."""
        with self.opened() as repo:
            output = str(repo.git.ls_remote("--quiet", "--", remote, *patterns))
        pairs = (line.split("\t", 1) for line in output.splitlines())
        return {ref: sha for sha, ref in pairs if not ref.endswith("^{}")}

    def fetch(self, remote: str, *refspecs: str) -> None:
        """Brings refs or commits here, without tags of their own accord."""
        with self.opened() as repo:
            repo.git.fetch("--quiet", "--no-tags", "--no-write-fetch-head", "--", remote, *refspecs)

    def fetch_everything(self, remote: str) -> None:
        """Brings every branch and tag, and lets go of branches that are gone there."""
        with self.opened() as repo:
            repo.git.fetch("--quiet", "--prune", "--tags", "--", remote)

    def fetch_tags(self, remote: str, *patterns: str) -> None:
        """Brings the tags that match from the remote, also into a shallow clone; Refused when one was moved there."""
        scopes = [f"refs/tags/{pattern}:refs/tags/{pattern}" for pattern in patterns]
        depth = ["--depth=1"] if self.is_shallow() else []
        try:
            with self.opened() as repo:
                repo.git.fetch("--quiet", *depth, "--", remote, *scopes)
        except GitError as error:
            if moved := self._moved_tag(remote, patterns):
                raise Refused(
                    f"On {remote} the tag {moved} was moved: it is not the one this clone knows.",
                    "Find out who did it; modelyard audit check --restore puts the filed one back.",
                ) from error
            raise

    def push(self, remote: str, *pushes: Push) -> None:
        """Pushes; RefRejected when somebody moved a ref first, PushRefused when the remote says no."""
        library = self.library()
        told = library.RemoteProgress()
        said = ""
        with self.opened() as repo:
            leases = [f"{push.ref}:{push.expected}" for push in pushes if push.lease]
            wanted = [f"{push.sha}:{push.ref}" for push in pushes]
            found: list[Any] = []
            try:
                found += repo.remote(remote).push(wanted, progress=told, force_with_lease=leases)
            except library.GitCommandError as error:  # a refused lease, a remote that does not answer
                said = str(error.stderr)
            plain = {info.remote_ref_string for info in found if not info.flags & info.ERROR}
            summaries = [info.summary.strip() for info in found if info.flags & info.ERROR]
        if all(push.ref in plain for push in pushes):
            return
        self._judge(remote, pushes, "\n".join([*told.other_lines, said, *told.error_lines, *summaries]))

    def push_tag(self, remote: str, name: str) -> None:
        """Pushes a new tag; where that fails, the local one is deleted again. Errors as ``push``."""
        ref = f"refs/tags/{name}"
        try:
            self.push(remote, Push(ref, self.ref(ref) or "", ""))
        except GitError:
            self.delete_tag(name)
            raise

    def add_entry(self, ref: str, before: str, message: str) -> str:
        """Adds a commit without files to a ref that is a journal, on the remote first where there is one; the commit.

        Compare-and-swap: RefRejected when the ref is not at ``before`` ('' for new) there any more.
        """
        commit = self.empty_commit(before, message)
        if remote := self.remote():
            self.push(remote, Push(ref, commit, before, lease=True))
            self.set_ref(ref, commit)
        else:
            self.swap_ref(ref, commit, before)
        return commit

    def _judge(self, remote: str, pushes: Sequence[Push], said: str) -> None:
        there = self.remote_refs(remote, *(push.ref for push in pushes))
        for push in pushes:
            now = there.get(push.ref, "")
            if now == push.sha:
                continue
            if now != push.expected:
                raise RefRejected(("push", push.ref), said)
            raise PushRefused(remote, push.ref, said)

    def _moved_tag(self, remote: str, patterns: Sequence[str]) -> str:
        here = {tag.name: tag.object for tag in self.tags(*patterns)}
        there = self.remote_refs(remote, *(f"refs/tags/{pattern}" for pattern in patterns))
        names = ((ref.removeprefix("refs/tags/"), sha) for ref, sha in there.items())
        return next((name for name, sha in names if here.get(name, sha) != sha), "")
