"""Reads of histories: commits of a path, of a range, and the first-parent history of a branch."""

from __future__ import annotations

from collections.abc import Iterator

from modelyard.git.stream import LOG_FIELDS, LOG_FORMAT, GitStream, commit_of_fields, commits_of, lines_of
from modelyard.git.values import CommitInfo, GitError, LineCommit


class GitHistory(GitStream):
    """The histories of one repository."""

    def history(self, path: str, limit: int = 1, *, first_parent: bool = False, at: str = "HEAD") -> list[CommitInfo]:
        """The newest commits that changed a path; with ``first_parent``, only commits of the first-parent history."""
        options = ["--first-parent", "-m"] if first_parent else []
        return commits_of(self._text("log", *options, f"-{limit}", *LOG_FORMAT, at, "--", path))

    def added(self, folder: str, revision: str) -> list[tuple[str, int, str]]:
        """(commit, seconds since 1970, path) of every file added to a folder in the first-parent history."""
        output = self._text(
            "log", "--first-parent", "-m", "--diff-filter=A", "--no-renames", "--name-only", "-z", "--format=%H%x00%ct",
            revision, "--", folder,
        )  # fmt: skip
        found: list[tuple[str, int, str]] = []
        sha, at = "", 0
        tokens = iter(output.split("\0")[:-1])
        for token in tokens:
            if "/" in token:  # a path; git writes a newline before the first one of a commit
                found.append((sha, at, token.removeprefix("\n")))
            else:
                sha, at = token, int(next(tokens))
        return found

    def first_parents(self, revision: str, since: str = "") -> list[LineCommit]:
        """The first-parent history of a revision, oldest first, without ``since`` and what came before it."""
        ranges = [revision, *([f"^{since}"] if since else [])]
        output = self._run(
            "-c", "log.showRoot=true", "log", "--first-parent", "-m", "--raw", "--no-renames", "--no-abbrev",
            "--reverse", *LOG_FORMAT, *ranges, "--",
        )  # fmt: skip
        return list(_line(output.decode("utf-8", "surrogateescape")))

    def line(self, revision: str) -> list[str]:
        """The commits of the first-parent history of a revision, newest first."""
        return lines_of(self._text("rev-list", "--first-parent", revision, "--"))

    def graph(self, revision: str) -> dict[str, tuple[str, ...]]:
        """Commit → its parents, of a revision and all its ancestors."""
        found = (line.split() for line in lines_of(self._text("rev-list", "--parents", revision, "--")))
        return {sha: tuple(parents) for sha, *parents in found}

    def overwritten(self, revision: str) -> list[tuple[str, str, str]]:
        """(commit, path, blob) of every file that a commit replaced or removed, in the whole history, newest first."""
        output = self._run(
            "log", "-m", "--raw", "--no-renames", "--no-abbrev", "--diff-filter=DMT", "-z", "--format=%H",
            revision, "--",
        )  # fmt: skip
        found, commit = [], ""
        tokens = iter(output.decode("utf-8", "surrogateescape").split("\0"))
        for token in tokens:
            said = token.removeprefix("\n")
            if said.startswith(":"):  # a path follows
                found.append((commit, next(tokens), said.split()[2]))
            elif said:
                commit = said
        return found

    def merged_tree(self, one: str, other: str) -> str | None:
        """The tree of a merge of two commits as a forge makes it, without merge drivers; None where it conflicts."""
        done = self._process(
            "-c", "merge.renames=true", "-c", "merge.directoryRenames=conflict", "-c", "merge.renormalize=false",
            # A clone may have a driver for dvc.lock. The answer must be the same in every clone.
            "-c", "merge.modelyard-lock.driver=git merge-file --quiet %A %O %B",
            "merge-tree", "--write-tree", "--no-messages", "--allow-unrelated-histories", one, other,
        )  # fmt: skip
        if done.returncode not in (0, 1):  # such as a git before 2.38
            raise GitError(("merge-tree",), done.stderr.decode("utf-8", "replace"), "Install git 2.38 or newer.")
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def is_merge_of(self, commit: str, one: str, other: str) -> bool:
        """Whether a commit has exactly the files that a merge of two commits gives."""
        return self.merged_tree(one, other) == self._text("rev-parse", f"{commit}^{{tree}}")

    def commits_between(self, base: str, head: str) -> list[CommitInfo]:
        """The commits that ``head`` has and ``base`` has not, newest first."""
        return commits_of(self._text("log", *LOG_FORMAT, head, f"^{base}", "--"))

    def messages(self, revisions: str, containing: str) -> list[CommitInfo]:
        """Commits of a range whose message contains a text, newest first."""
        return commits_of(self._text("log", "--fixed-strings", f"--grep={containing}", *LOG_FORMAT, revisions, "--"))


def _line(output: str) -> Iterator[LineCommit]:
    """Commits and their raw differences. A path follows a token that begins with a colon, so no path is a commit."""
    tokens = output.split("\0")
    at, end = 0, len(tokens) - 1
    while at < end:
        if not tokens[at]:
            at += 1
            continue
        info = commit_of_fields([tokens[at].removeprefix("\n"), *tokens[at + 1 : at + LOG_FIELDS]])
        at += LOG_FIELDS
        files = []
        while at < end and tokens[at].removeprefix("\n").startswith(":"):
            files.append(tokens[at + 1])
            at += 2
        yield LineCommit(info, tuple(files))
