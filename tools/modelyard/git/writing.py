"""What changes a repository: commits, tags, branches that are not checked out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from modelyard.errors import ModelyardError, Refused
from modelyard.git.process import GitError, RefRejected
from modelyard.git.reading import GitReader


class Git(GitReader):
    """One repository's git. Every method is one or two processes; nothing is cached."""

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
        index = {"GIT_INDEX_FILE": str(self._git_path(f"modelyard-index-{os.urandom(6).hex()}"))}
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

    def add_entry(self, ref: str, before: str, message: str) -> str:
        """Adds a commit without files to a ref that is a journal, on the remote first where there is one; the commit.

        Compare-and-swap: RefRejected when the ref is not at ``before`` ('' for new) there any more.
        """
        tree = self.run("mktree", stdin=b"").decode().strip()
        parents = ["-p", before] if before else []
        commit = self.run("commit-tree", tree, *parents, stdin=message.encode()).decode().strip()
        if remote := self.remote():
            arguments = ("push", "--quiet", f"--force-with-lease={ref}:{before}", remote, f"{commit}:{ref}")
            self._swap(arguments, "Check the remote, and your right to push there.")
        self._swap(("update-ref", ref, commit, *([] if self.remote() else [before or "0" * 40])), "Run it again.")
        return commit

    def _swap(self, arguments: Sequence[str], remedy: str) -> None:
        done = self._process(tuple(arguments), None, None)
        if done.returncode:
            said = (done.stdout + done.stderr).decode("utf-8", "replace")
            if any(word in said for word in ("rejected", "stale info", "cannot lock ref")):
                raise RefRejected(tuple(arguments), said)
            raise GitError(tuple(arguments), said, remedy)

    @contextmanager
    def exclusively(self, what: str) -> Iterator[None]:
        """Lets one process of this clone at a time in; a killed one lets go. Other clones are not held up."""
        import fcntl

        path = self.root / self.text("rev-parse", "--git-common-dir") / f"modelyard-{what}.lock"
        try:
            file = path.open("w")
        except OSError as error:
            raise ModelyardError(
                f"{path} cannot be written: {error.strerror}.",
                "Grant write permission to the repository's .git folder.",
            ) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _git_path(self, name: str) -> Path:
        return self.root / self.text("rev-parse", "--git-path", name)
