"""What is done in one clone, through GitPython: commits, tags, refs, an index without a work tree.

Every ``Repo`` is closed when its work is done: it keeps children of git alive.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError
from modelyard.git.stream import HOOK_VARIABLES, GitStream
from modelyard.git.values import GitError, RefRejected, no_git, no_repository

if TYPE_CHECKING:
    from git import Repo

_NOTHING = "0" * 40


class GitRepository(GitStream):
    """What is done in one clone."""

    def start(self) -> None:
        """Makes the folder a repository whose first branch is main."""
        self.library().Repo.init(self.root, initial_branch="main").close()

    def author_name(self) -> str:
        """The name that a commit made here would carry; '' when git knows none."""
        try:
            with self.opened() as repo:
                return str(repo.git.var("GIT_AUTHOR_IDENT")).partition(" <")[0]
        except GitError:
            return ""

    def setting(self, name: str) -> str:
        """A value of git's configuration; '' where it has none."""
        try:
            with self.opened() as repo:
                return str(repo.git.config("--get", name))
        except GitError:
            return ""

    def object_format(self) -> str:
        """The hash that names objects here: sha1 or sha256."""
        with self.opened() as repo:
            return str(repo.git.rev_parse("--show-object-format"))

    def uncommitted(self, *paths: str) -> list[str]:
        """Tracked files (below ``paths``) that differ from HEAD."""
        with self.opened() as repo:
            said = str(repo.git.status("--porcelain", "-z", "--no-renames", "--untracked-files=no", "--", *paths))
        return [line[3:] for line in said.split("\0") if line]

    def tracked(self, *patterns: str) -> list[str]:
        """Files of the index that match."""
        with self.opened() as repo:
            return [path for path in str(repo.git.ls_files("-z", "--", *patterns)).split("\0") if path]

    def merge_base(self, one: str, other: str) -> str | None:
        """The newest commit that both build on; None without one."""
        try:
            with self.opened() as repo:
                return str(repo.git.merge_base(one, other))
        except GitError:
            return None

    def is_ancestor(self, older: str, commit: str) -> bool:
        """Whether a commit is, or builds on, another."""
        return self.merge_base(older, commit) == older

    def reachable(self, commit: str, *, objects: bool = False) -> list[str]:
        """Every commit a commit builds on, itself first; with ``objects``, their trees and blobs too."""
        options = ("--objects", "--no-object-names") if objects else ()
        with self.opened() as repo:
            return str(repo.git.rev_list(*options, commit)).splitlines()

    def trees_and_blobs(self, commit: str, *paths: str) -> set[str]:
        """The objects on the way from a commit to paths, and below them."""
        with self.opened() as repo:
            found = {str(repo.git.rev_parse(f"{commit}^{{tree}}"))}
            listed = str(repo.git.ls_tree("-r", "-t", "-z", "--full-tree", commit, "--", *paths)) if paths else ""
        return found | {line.split("\t")[0].split()[2] for line in listed.split("\0") if line}

    def commit(self, paths: Sequence[str], message: str) -> str | None:
        """Commits just ``paths``; the new SHA, or None when nothing changed there."""
        with self.opened() as repo:
            repo.git.add("--", *paths)
            if not repo.git.diff("--cached", "--name-only", "--", *paths):
                return None
            repo.git.commit("--quiet", "--only", "-m", message, "--", *paths)
            return str(repo.git.rev_parse("HEAD"))

    def commit_all(self, message: str) -> str:
        """Commits everything that lies in the folder; the new SHA."""
        with self.opened() as repo:
            repo.git.add("--all")
            repo.git.commit("--quiet", "-m", message)
            return str(repo.git.rev_parse("HEAD"))

    def create_tag(self, name: str, commit: str, message: str, at: int, *, sign: bool = False) -> None:
        """Makes an annotated tag with the given tagger time; RefRejected when the name is taken."""
        kind = "--sign" if sign else "--annotate"
        try:
            with self.opened() as repo, repo.git.custom_environment(GIT_COMMITTER_DATE=f"{at} +0000"):
                _feed(repo, message.encode(), "tag", kind, "--cleanup=verbatim", "--file=-", "--", name, commit)
        except GitError as error:
            if self.ref(f"refs/tags/{name}") is not None:  # ours or another's: the name is taken either way
                raise RefRejected(error.arguments, error.output) from error
            raise

    def delete_tag(self, name: str) -> None:
        """Takes a tag away in this clone."""
        with self.opened() as repo:
            repo.delete_tag(repo.tag(f"refs/tags/{name}"))

    def write_tag_object(self, name: str, content: bytes) -> None:
        """Makes a tag of a whole tag object, wherever it pointed before."""
        with self.opened() as repo:
            sha = _feed(repo, content, "hash-object", "-t", "tag", "-w", "--stdin")
            repo.git.update_ref(f"refs/tags/{name}", sha)

    def set_ref(self, name: str, sha: str) -> None:
        """Lets a full ref point at an object, wherever it pointed before."""
        with self.opened() as repo:
            repo.git.update_ref(name, sha)

    def swap_ref(self, name: str, sha: str, expected: str) -> None:
        """The same where it still is at ``expected`` ('' for new); RefRejected otherwise."""
        try:
            with self.opened() as repo:
                repo.git.update_ref(name, sha, expected or _NOTHING)
        except GitError as error:
            raise RefRejected(error.arguments, error.output) from error

    def restore_ref(self, name: str, sha: str, before: str) -> None:
        """Puts a ref back to where it was ('' for not there), if it still is at ``sha``."""
        try:
            with self.opened() as repo:
                if before:
                    repo.git.update_ref(name, before, sha)
                else:
                    repo.git.update_ref("-d", name, sha)
        except GitError:
            pass  # somebody moved it on meanwhile: it is not ours to put back

    def add_to_branch(
        self, branch: str, files: Mapping[str, bytes], message: str, drop: frozenset[str] = frozenset()
    ) -> str:
        """Adds files to a branch that need not be checked out (made as an orphan when new); the new commit.

        ``drop`` are paths its new tree has no more.

        Compare-and-swap: RefRejected when the branch moved meanwhile.
        """
        ref = f"refs/heads/{branch}"
        old = self.ref(ref) or ""
        commit = self.commit_on(old, files, message, drop)
        if commit != old:
            self.swap_ref(ref, commit, old)
        return commit

    def commit_on(
        self, parent: str, files: Mapping[str, bytes], message: str, drop: frozenset[str] = frozenset()
    ) -> str:
        """A commit of ``files`` on top of another ('' for none), on no branch; the parent when nothing differs."""
        with self.opened() as repo:
            index = Path(repo.git_dir) / f"modelyard-index-{os.urandom(6).hex()}"
            try:
                with repo.git.custom_environment(GIT_INDEX_FILE=str(index)):
                    if parent:
                        repo.git.read_tree(parent)
                    lines = [
                        f"100644 {_feed(repo, content, 'hash-object', '-w', '--stdin')}\t{path}"
                        for path, content in sorted(files.items())
                    ]
                    lines += [f"0 {_NOTHING}\t{path}" for path in sorted(drop)]
                    _feed(repo, "\0".join(lines).encode(), "update-index", "--add", "-z", "--index-info")
                    tree = str(repo.git.write_tree())
            finally:
                index.unlink(missing_ok=True)
            if parent and tree == repo.git.rev_parse(f"{parent}^{{tree}}"):
                return parent
            return _feed(repo, message.encode(), "commit-tree", tree, *(("-p", parent) if parent else ()))

    def empty_commit(self, parent: str, message: str) -> str:
        """A commit without files on top of another ('' for none), on no branch."""
        with self.opened() as repo:
            tree = _feed(repo, b"", "mktree")
            return _feed(repo, message.encode(), "commit-tree", tree, *(("-p", parent) if parent else ()))

    def configure(self, name: str, value: str) -> None:
        """Writes a value into this clone's own configuration."""
        with self.opened() as repo:
            repo.git.config(name, value)

    def tag_is_signed(self, name: str, allowed_signers: Path) -> bool:
        """Whether a tag carries an SSH signature of somebody in ssh's list of allowed signers."""
        settings = ("-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={allowed_signers}")
        return self._succeeds(*settings, "verify-tag", "--", name)

    def write_bundle(self, path: Path, refs: Sequence[str]) -> None:
        """Writes HEAD and refs with their whole history into one file; the same refs, the same bytes."""
        with self.opened() as repo:
            repo.git.execute(["git", "-c", "pack.threads=1", "bundle", "create", "--quiet", str(path), "HEAD", *refs])

    @contextmanager
    def worktree(self, folder: Path, commit: str) -> Iterator[None]:
        """A commit checked out into a folder of its own, taken away afterwards."""
        with self.opened() as repo:
            repo.git.worktree("add", "--quiet", "--detach", str(folder), commit)
        try:
            yield
        finally:
            with self.opened() as repo:
                repo.git.worktree("remove", "--force", str(folder))

    @contextmanager
    def exclusively(self, what: str) -> Iterator[None]:
        """Lets one process of this clone at a time in; a killed one lets go. Other clones are not held up."""
        import fcntl

        with self.opened() as repo:
            path = Path(repo.common_dir) / f"modelyard-{what}.lock"
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

    def library(self) -> Any:
        """GitPython, imported when something is written; what a hook leaked to us is out of its way then."""
        for name in HOOK_VARIABLES:
            os.environ.pop(name, None)
        try:
            import git
        except ImportError as error:
            raise no_git() from error
        logging.getLogger("git").setLevel(logging.CRITICAL)  # what git said is in our errors; its warnings double it
        return git

    @contextmanager
    def opened(self) -> Iterator[Repo]:
        """GitPython's repository for a while; what it raises as a GitError."""
        library = self.library()
        try:
            repo = library.Repo(self.root)
        except (library.InvalidGitRepositoryError, library.NoSuchPathError) as unknown:
            raise no_repository(self.root) from unknown
        repo.git.update_environment(**self.settings)
        try:
            yield repo
        except library.GitCommandError as failed:
            raise _told(failed) from failed
        finally:
            repo.close()


def _feed(repo: Repo, content: bytes, *arguments: str) -> str:
    """Output of ``git ARGUMENTS`` that reads ``content`` as its standard input."""
    from tempfile import TemporaryFile

    with TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        return str(repo.git.execute(["git", *arguments], istream=file))


def _told(failed: Any) -> GitError:
    """GitPython quotes what git said; its own words around it are of no use to anybody."""
    said = str(failed.stderr).strip().removeprefix("stderr: ").strip("'")
    arguments = [str(part) for part in failed.command][1:] if not isinstance(failed.command, str) else [failed.command]
    return GitError([part for part in arguments if not part.startswith("-")] or arguments, said)
