"""Fetches from and pushes to a remote, through GitPython.

Git reports both a hook's refusal and a lost race as "remote rejected". So after a push that was not accepted, the ref
is read from the remote to see whether it was pushed, moved by a concurrent run, or refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from modelyard.errors import Refused
from modelyard.git.bundles import GitBundles
from modelyard.git.values import GitError, PushRefused, RefRejected


class Push(Struct, frozen=True):
    """A push of one ref: its new object id, and the one expected on the remote ('' for a new ref)."""

    ref: str
    sha: str
    expected: str
    lease: bool = False
    """Whether a rewrite is allowed if the remote is at ``expected``."""


class Git(GitBundles):
    """Git in one clone. Only the name of the remote is cached."""

    def remote_refs(self, remote: str, *patterns: str) -> dict[str, str]:
        """Ref → object id on the remote, for refs that match; GitError when the remote cannot be reached."""
        with self.opened() as repo:
            output = str(repo.git.ls_remote("--quiet", "--", remote, *patterns))
        pairs = (line.split("\t", 1) for line in output.split("\n") if line)
        return {ref: sha for sha, ref in pairs if not ref.endswith("^{}")}

    def fetch(self, remote: str, *refspecs: str) -> None:
        """Fetches refs or commits, without following tags."""
        with self.opened() as repo:
            repo.git.fetch("--quiet", "--no-tags", "--no-write-fetch-head", "--", remote, *refspecs)

    def fetch_everything(self, remote: str) -> None:
        """Fetches all branches and tags, and removes remote branches that no longer exist."""
        with self.opened() as repo:
            repo.git.fetch("--quiet", "--prune", "--tags", "--", remote)

    def fetch_tags(self, remote: str, *patterns: str) -> None:
        """Fetches matching tags, also into a shallow clone; Refused when a tag was moved on the remote."""
        scopes = [f"refs/tags/{pattern}:refs/tags/{pattern}" for pattern in patterns]
        depth = ["--depth=1"] if self.is_shallow() else []
        try:
            with self.opened() as repo:
                repo.git.fetch("--quiet", *depth, "--", remote, *scopes)
        except GitError as error:
            if moved := self._moved_tag(remote, patterns):
                raise Refused(
                    f"The tag {moved} was moved on {remote}: it differs from the tag in this clone.",
                    "Find out who moved it, then run: modelyard audit check --restore",
                ) from error
            raise

    def push(self, remote: str, *pushes: Push) -> None:
        """Pushes refs; RefRejected when a concurrent run moved a ref, PushRefused when the remote refuses it."""
        leases = [f"--force-with-lease={push.ref}:{push.expected}" for push in pushes if push.lease]
        wanted = [f"{push.sha}:{push.ref}" for push in pushes]
        try:
            # Not Remote.push: it cannot read git's answer about a ref that is pushed by its commit.
            with self.opened() as repo:
                repo.git.push("--quiet", *leases, "--", remote, *wanted)
        except GitError as error:
            self._raise_cause(remote, pushes, error.output)

    def push_fault(self, remote: str) -> str:
        """Why the remote would refuse a push of a new branch, in one line; '' when it would not. Nothing is pushed."""
        try:
            with self.opened() as repo:
                repo.git.push("--quiet", "--dry-run", "--", remote, "HEAD:refs/heads/modelyard/doctor")
        except GitError as error:
            return (str(error).strip().splitlines() or ["git push failed"])[0]
        return ""

    def push_tag(self, remote: str, name: str) -> None:
        """Pushes a new tag, and deletes the local one if that fails; errors as in ``push``."""
        ref = f"refs/tags/{name}"
        try:
            self.push(remote, Push(ref, self.ref(ref) or "", ""))
        except GitError:
            self.delete_tag(name)
            raise

    def add_entry(self, ref: str, before: str, message: str) -> str:
        """Adds an entry, a commit without files, to a journal ref and returns it. With a remote it is pushed first.

        Compare-and-swap: RefRejected when the ref is not at ``before`` ('' for a new one).
        """
        commit = self.empty_commit(before, message)
        if remote := self.remote():
            self.push(remote, Push(ref, commit, before, lease=True))
            self.set_ref(ref, commit)
        else:
            self.swap_ref(ref, commit, before)
        return commit

    def _raise_cause(self, remote: str, pushes: Sequence[Push], output: str) -> None:
        there = self.remote_refs(remote, *(push.ref for push in pushes))
        for push in pushes:
            now = there.get(push.ref, "")
            if now == push.sha:
                continue
            if now != push.expected:
                raise RefRejected(("push", push.ref), output)
            raise PushRefused(remote, push.ref, output)

    def _moved_tag(self, remote: str, patterns: Sequence[str]) -> str:
        here = {tag.name: tag.object for tag in self.tags(*patterns)}
        there = self.remote_refs(remote, *(f"refs/tags/{pattern}" for pattern in patterns))
        names = ((ref.removeprefix("refs/tags/"), sha) for ref, sha in there.items())
        return next((name for name, sha in names if here.get(name, sha) != sha), "")
