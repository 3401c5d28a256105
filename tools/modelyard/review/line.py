"""The line of the default branch: its first-parent history, also where a merge has its parents the wrong way round."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from msgspec.structs import replace

from modelyard.git import Git, LineCommit


@dataclass(frozen=True)
class _Part:
    """A stretch of one first-parent history, newest first, and the parent by which the line goes on below it."""

    commits: tuple[str, ...]
    below: str = ""
    """'' for the last part, which ends at a root."""


class Line:
    """The commits that were the head of the default branch.

    ``git pull`` on a clone that is behind makes a merge whose first parent is one's own work and whose second parent is
    the branch as it was. So does whoever wants the old history out of sight, and no force is needed to push it. So the
    line goes on by the parent that has the commits which are known to have been on it (``known``): those of registered
    versions, of receipts, and of changes that were judged.
    """

    def __init__(self, git: Git, tip: str, known: Iterable[str]) -> None:
        self._git, self._tip = git, git.commit_of(tip)
        self._known = frozenset(known)

    @cached_property
    def positions(self) -> dict[str, int]:
        """Commit → position, oldest first."""
        shas = [sha for part in self._parts for sha in part.commits]
        return {sha: at for at, sha in enumerate(reversed(shas))}

    @cached_property
    def lost(self) -> tuple[str, ...]:
        """Known commits of this clone that are not on the line: the branch was rewritten, or goes on without them."""
        return tuple(sha for sha in sorted(self._known - self.positions.keys()) if self._git.has_commit(sha))

    def parent(self, commit: str) -> str:
        """The commit before one on the line; the first parent of any other commit; '' for a root."""
        return self._turned.get(commit) or self._first_parent(commit)

    def last_change(self, path: str, at: str) -> str:
        """The newest commit, up to a commit of the line, that changed a file there; '' for none.

        Up to any other commit, the first-parent history counts.
        """
        if at not in self.positions:
            return self._newest_of(path, at)
        for part in self._parts:
            if at not in part.commits:
                continue
            newest = self._newest_of(path, at)
            if newest in part.commits and newest not in self._turned:
                return newest
            turn, at = part.commits[-1], part.below
            if at and self._git.file_at(turn, path) != self._git.file_at(at, path):
                return turn
        return ""

    def since(self, commit: str) -> list[LineCommit]:
        """The commits after one that is on the line, oldest first, each with the files that it changed there."""
        found: list[LineCommit] = []
        for part in self._parts:
            last = commit in part.commits
            stop = commit if last else self._first_parent(part.commits[-1])
            entries = self._git.first_parents(part.commits[0], stop)
            found = [*map(self._as_on_line, entries), *found]
            if last:
                break
        return found

    def added(self, folder: str) -> list[tuple[str, str]]:
        """(commit, path) of the files that came to a folder, newest first."""
        found: list[tuple[int, str, str]] = []
        for part in self._parts:
            own = frozenset(part.commits) - self._turned.keys()
            found += [(self.positions[sha], sha, path)
                      for sha, _, path in self._git.added(folder, part.commits[0]) if sha in own]  # fmt: skip
            if part.below:
                sha = part.commits[-1]
                new = self._git.files_at(sha, folder).keys() - self._git.files_at(part.below, folder).keys()
                found += [(self.positions[sha], sha, path) for path in new]
        return [(sha, path) for _, sha, path in sorted(found, reverse=True)]

    def _as_on_line(self, entry: LineCommit) -> LineCommit:
        below = self._turned.get(entry.info.sha)
        if below is None:
            return entry
        others = (parent for parent in entry.info.parents if parent != below)
        files = self._git.differing_files(below, entry.info.sha)
        return LineCommit(replace(entry.info, parents=(below, *others)), tuple(files))

    @cached_property
    def _turned(self) -> dict[str, str]:
        """Merge → the parent by which the line goes on, where that is not the first one."""
        return {part.commits[-1]: part.below for part in self._parts if part.below}

    @cached_property
    def _parts(self) -> tuple[_Part, ...]:
        parts: list[_Part] = []
        tip, known = self._tip, self._known
        while True:
            shas = tuple(self._git.line(tip))
            at, below = self._turn(shas, known)
            parts.append(_Part(shas[: at + 1] if below else shas, below))
            if not below:
                return tuple(parts)
            tip, known = below, known.difference(shas[: at + 1])

    def _turn(self, shas: tuple[str, ...], known: frozenset[str]) -> tuple[int, str]:
        """The newest merge of a first-parent history where the line goes on by another parent; (0, '') for none.

        That is a parent with all known commits that the merge brought, and with all known ones below it.
        """
        on = {sha: at for at, sha in enumerate(shas)}
        off = known - on.keys()
        if not off:
            return 0, ""
        brought: dict[int, set[str]] = {}
        seen: set[str] = set()
        for at in range(len(shas) - 1, -1, -1):  # the oldest first, so that each finds what it brought itself
            if took := self._ancestors(shas[at], seen) & off:
                brought[at] = took
        for at in sorted(brought):
            needed = brought[at] | {sha for sha in known if on.get(sha, -1) > at}
            for other in self._graph[shas[at]][1:]:
                if needed <= self._ancestors(other, set()):
                    return at, other
        return 0, ""

    def _ancestors(self, commit: str, seen: set[str]) -> set[str]:
        """A commit and its ancestors, without those seen before, which are noted."""
        found, waiting = set(), [commit]
        while waiting:
            sha = waiting.pop()
            if sha not in seen:
                seen.add(sha)
                found.add(sha)
                waiting += self._graph[sha]
        return found

    @cached_property
    def _graph(self) -> dict[str, tuple[str, ...]]:
        return self._git.graph(self._tip)

    def _newest_of(self, path: str, at: str) -> str:
        return next((info.sha for info in self._git.history(path, first_parent=True, at=at)), "")

    def _first_parent(self, commit: str) -> str:
        return next(iter(self._git.commit_info(commit).parents), "")
