"""Operations in one clone, through GitPython: commits, tags, refs, and commits without a working tree.

Every ``Repo`` is closed after use, because it keeps child processes of git alive.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError
from modelyard.git.history import GitHistory
from modelyard.git.leftovers import dead_locks, remove_indexes, remove_locks, remove_worktrees
from modelyard.git.stream import HOOK_VARIABLES
from modelyard.git.values import GitError, RefRejected, no_git, no_repository

if TYPE_CHECKING:
    from git import Repo


class GitRepository(GitHistory):
    """Reads and writes in one clone."""

    _locks_checked = False
    """Whether locks of a killed git were looked for, which happens once."""

    def start(self, object_format: str = "sha1") -> None:
        """Initialises a repository with the branch main, and with object ids of a hash function."""
        self.library().Repo.init(self.root, initial_branch="main", object_format=object_format).close()

    def check_out(self, ref: str) -> None:
        """Makes a branch, by its full name, the one that is checked out, and writes its files."""
        with self.opened() as repo:
            repo.git.symbolic_ref("HEAD", ref)
            repo.git.reset("--hard", "--quiet")

    def author_name(self) -> str:
        """The author name of commits made here; '' if git has none."""
        try:
            with self.opened() as repo:
                return str(repo.git.var("GIT_AUTHOR_IDENT")).partition(" <")[0]
        except GitError:
            return ""

    def setting(self, name: str) -> str:
        """A value of git's configuration; '' if it is not set."""
        try:
            with self.opened() as repo:
                return str(repo.git.config("--get", name))
        except GitError:
            return ""

    def object_format(self) -> str:
        """The hash function of object ids: sha1 or sha256."""
        with self.opened() as repo:
            return str(repo.git.rev_parse("--show-object-format"))

    def uncommitted(self, *paths: str) -> list[str]:
        """Tracked files below ``paths`` that differ from HEAD."""
        with self.opened() as repo:
            output = str(repo.git.status("--porcelain", "-z", "--no-renames", "--untracked-files=no", "--", *paths))
        return [line[3:] for line in output.split("\0") if line]

    def untracked(self, *paths: str) -> list[str]:
        """Files below ``paths`` that git neither tracks nor ignores."""
        with self.opened() as repo:
            output = str(repo.git.ls_files("--others", "--exclude-standard", "-z", "--", *paths))
        return [name for name in output.split("\0") if name]

    def ignored(self, *paths: str) -> list[str]:
        """Those of the paths, which need not exist, that git's ignore rules hide."""
        with self.opened() as repo:
            return [str(path) for path in repo.ignored(*paths)] if paths else []

    def tracked(self, *patterns: str) -> list[str]:
        """Files in the index that match patterns."""
        with self.opened() as repo:
            return [path for path in str(repo.git.ls_files("-z", "--", *patterns)).split("\0") if path]

    def merge_base(self, one: str, other: str) -> str | None:
        """The merge base of two revisions; None if there is none."""
        try:
            with self.opened() as repo:
                return str(repo.git.merge_base(one, other))
        except GitError:
            return None

    def is_ancestor(self, older: str, commit: str) -> bool:
        """Whether ``older`` is the commit or one of its ancestors."""
        return self.merge_base(older, commit) == older

    def reachable(self, commit: str, *, objects: bool = False) -> list[str]:
        """A commit and its ancestors; with ``objects``, their trees and blobs too."""
        options = ("--objects", "--no-object-names") if objects else ()
        with self.opened() as repo:
            return str(repo.git.rev_list(*options, commit)).splitlines()

    def trees_and_blobs(self, commit: str, *paths: str) -> set[str]:
        """Trees and blobs of a commit that lead to paths or lie below them."""
        with self.opened() as repo:
            found = {str(repo.git.rev_parse(f"{commit}^{{tree}}"))}
            listed = str(repo.git.ls_tree("-r", "-t", "-z", "--full-tree", commit, "--", *paths)) if paths else ""
        return found | {line.split("\t")[0].split()[2] for line in listed.split("\0") if line}

    def commit(self, paths: Sequence[str], message: str) -> str | None:
        """Commits only ``paths``; the new commit, or None when nothing changed there."""
        with self.opened() as repo:
            repo.git.add("--", *paths)
            if not repo.git.diff("--cached", "--name-only", "--", *paths):
                return None
            repo.git.commit("--quiet", "--only", "-m", message, "--", *paths)
            return str(repo.git.rev_parse("HEAD"))

    def commit_all(self, message: str) -> str:
        """Commits all files of the working tree; returns the commit."""
        with self.opened() as repo:
            repo.git.add("--all")
            repo.git.commit("--quiet", "-m", message)
            return str(repo.git.rev_parse("HEAD"))

    def create_tag(self, name: str, commit: str, message: str, at: int, *, sign: bool = False) -> None:
        """Creates an annotated tag with tagger time ``at`` (seconds since 1970); RefRejected when the name is taken."""
        kind = "--sign" if sign else "--annotate"
        try:
            with self.opened() as repo, repo.git.custom_environment(GIT_COMMITTER_DATE=f"{at} +0000"):
                _feed(repo, message.encode(), "tag", kind, "--cleanup=verbatim", "--file=-", "--", name, commit)
        except GitError as error:
            if self.ref(f"refs/tags/{name}") is not None:  # the name is taken, by this or another process
                raise RefRejected(error.arguments, error.output) from error
            raise

    def tag_object(self, name: str, commit: str, message: str, at: int, *, sign: bool = False) -> bytes:
        """The content of an annotated tag with tagger time ``at`` (seconds since 1970); no ref is left."""
        if sign:  # git signs only a tag that it makes
            self.create_tag(name, commit, message, at, sign=True)
            content = self.objects([self.ref(f"refs/tags/{name}") or ""])
            self.delete_tag(name)
            return next(iter(content.values())).partition(b"\0")[2]
        with self.opened() as repo, repo.git.custom_environment(GIT_COMMITTER_DATE=f"{at} +0000"):
            tagger = str(repo.git.var("GIT_COMMITTER_IDENT"))
        return f"object {self.commit_of(commit)}\ntype commit\ntag {name}\ntagger {tagger}\n\n{message}".encode()

    def place_tag(self, name: str, content: bytes) -> str:
        """Creates a tag from a complete tag object and returns its id; RefRejected when another has the name."""
        ref = f"refs/tags/{name}"
        with self.opened() as repo:
            sha = _feed(repo, content, "hash-object", "-t", "tag", "-w", "--stdin")
        if self.ref(ref) != sha:
            self.swap_ref(ref, sha, "")
        return sha

    def delete_tag(self, name: str) -> None:
        """Deletes a tag in this clone."""
        with self.opened() as repo:
            repo.delete_tag(repo.tag(f"refs/tags/{name}"))

    def write_tag_object(self, name: str, content: bytes) -> None:
        """Creates or replaces a tag from a complete tag object."""
        with self.opened() as repo:
            sha = _feed(repo, content, "hash-object", "-t", "tag", "-w", "--stdin")
            repo.git.update_ref(f"refs/tags/{name}", sha)

    def set_ref(self, name: str, sha: str) -> None:
        """Sets a ref, named in full, to an object."""
        with self.opened() as repo:
            repo.git.update_ref(name, sha)

    def swap_ref(self, name: str, sha: str, expected: str) -> None:
        """Sets a ref that is at ``expected`` ('' for a new one); RefRejected otherwise."""
        try:
            with self.opened() as repo:
                repo.git.update_ref(name, sha, expected)
        except GitError as error:
            raise RefRejected(error.arguments, error.output) from error

    def restore_ref(self, name: str, sha: str, before: str) -> None:
        """Resets a ref to ``before`` ('' deletes it), if it is still at ``sha``."""
        try:
            with self.opened() as repo:
                if before:
                    repo.git.update_ref(name, before, sha)
                else:
                    repo.git.update_ref("-d", name, sha)
        except GitError:
            pass  # a concurrent run moved the ref, which is then its own

    def add_to_branch(
        self, branch: str, files: Mapping[str, bytes], message: str, drop: frozenset[str] = frozenset()
    ) -> str:
        """Adds files to a branch, removes the paths of ``drop``, and returns the commit; nothing is checked out.

        A new branch is an orphan. Compare-and-swap: RefRejected when a concurrent run moved the branch.
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
        """A commit with ``files`` and without ``drop`` on a parent ('' for none); the parent if nothing differs."""
        with self.opened() as repo:
            index = Path(repo.git_dir) / f"modelyard-index-{os.urandom(6).hex()}"
            remove_indexes(index.parent)
            try:
                with repo.git.custom_environment(GIT_INDEX_FILE=str(index)):
                    if parent:
                        repo.git.read_tree(parent)
                    lines = [
                        f"100644 {_feed(repo, content, 'hash-object', '-w', '--stdin')}\t{path}"
                        for path, content in sorted(files.items())
                    ]
                    lines += [f"0 {'0' * len(parent)}\t{path}" for path in sorted(drop) if parent]
                    _feed(repo, "\0".join(lines).encode(), "update-index", "--add", "-z", "--index-info")
                    tree = str(repo.git.write_tree())
            finally:
                index.unlink(missing_ok=True)
            if parent and tree == repo.git.rev_parse(f"{parent}^{{tree}}"):
                return parent
            return _feed(repo, message.encode(), "commit-tree", tree, *(("-p", parent) if parent else ()))

    def empty_commit(self, parent: str, message: str) -> str:
        """A commit with an empty tree on top of a parent ('' for none), on no branch."""
        with self.opened() as repo:
            tree = _feed(repo, b"", "mktree")
            return _feed(repo, message.encode(), "commit-tree", tree, *(("-p", parent) if parent else ()))

    def configure(self, name: str, value: str) -> None:
        """Writes a value into the configuration of this clone."""
        with self.opened() as repo:
            repo.git.config(name, value)

    def merge_text(self, ours: Path, base: Path, theirs: Path) -> bool:
        """Merges three files line by line into ``ours``; whether no line was changed by both, which gets markers."""
        return self._succeeds("merge-file", "--", str(ours), str(base), str(theirs))

    def tag_is_signed(self, name: str, allowed_signers: Path) -> bool:
        """Whether a tag has an SSH signature of a signer in ssh's allowed-signers file."""
        settings = ("-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={allowed_signers}")
        return self._succeeds(*settings, "verify-tag", "--", name)

    @contextmanager
    def worktree(self, folder: Path, commit: str) -> Iterator[None]:
        """A temporary worktree of a commit in a new folder. Those of killed runs are removed."""
        remove_worktrees(self.common_folder())
        with self.opened() as repo:
            repo.git.worktree("add", "--quiet", "--detach", str(folder), commit)
        try:
            yield
        finally:
            with self.opened() as repo:
                repo.git.worktree("remove", "--force", str(folder))

    def _remove_dead_locks(self, repo: Repo) -> None:
        if found := dead_locks(Path(repo.common_dir), Path(repo.git_dir)):
            # Another process may remove one meanwhile, and its git make it again. A folder of others is left as it is.
            with suppress(ModelyardError), self.exclusively("locks"):
                remove_locks(found)

    @contextmanager
    def exclusively(self, what: str) -> Iterator[None]:
        """A lock among the processes of this clone; a killed process releases it."""
        import fcntl

        path = self.common_folder() / f"modelyard-{what}.lock"
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
        """GitPython, imported on first use, after removing the variables that git sets for hooks."""
        for name in HOOK_VARIABLES:
            os.environ.pop(name, None)
        try:
            import git
        except ImportError as error:
            raise no_git() from error
        logging.getLogger("git").setLevel(logging.CRITICAL)  # our errors quote git; the warnings would repeat it
        return git

    @contextmanager
    def opened(self) -> Iterator[Repo]:
        """GitPython's repository; its command errors are raised as GitError. Locks of a killed git are gone."""
        library = self.library()
        try:
            repo = library.Repo(self.root)
        except (library.InvalidGitRepositoryError, library.NoSuchPathError) as unknown:
            raise no_repository(self.root) from unknown
        repo.git.update_environment(**self.settings)
        if not self._locks_checked:
            self._locks_checked = True
            self._remove_dead_locks(repo)
        try:
            yield repo
        except library.GitCommandError as failed:
            raise _git_error(failed) from failed
        finally:
            repo.close()


def _feed(repo: Repo, content: bytes, *arguments: str) -> str:
    """The output of ``git ARGUMENTS`` with ``content`` as standard input."""
    from tempfile import TemporaryFile

    with TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        return str(repo.git.execute(["git", *arguments], istream=file))


def _git_error(failed: Any) -> GitError:
    """The GitError for an error of GitPython, with only git's own message."""
    output = str(failed.stderr).strip().removeprefix("stderr: ").strip("'")
    arguments = [str(part) for part in failed.command][1:] if not isinstance(failed.command, str) else [failed.command]
    return GitError([part for part in arguments if not part.startswith("-")] or arguments, output)
