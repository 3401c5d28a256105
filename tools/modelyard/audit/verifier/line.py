"""The line of the default branch: the commits that were its head, also where a merge has its parents turned."""

from __future__ import annotations

from collections.abc import Iterable

from .objects import Repository


def line_of(git: Repository, head: str, known: Iterable[str]) -> dict[str, str]:
    """Commit of the line → the commit before it, newest first; '' before a root.

    ``known`` are commits that were the head once: those of versions, of receipts, and of judged changes. The line goes
    on by the first parent that has all known commits below a merge, else by the merge's first parent.
    """
    reached = _reached(git, head, known)
    line: dict[str, str] = {}
    while head:
        parents = git.commit(head).parents
        below = 0
        for parent in parents:
            below |= reached[parent]
        line[head] = next((parent for parent in parents if reached[parent] == below), next(iter(parents), ""))
        head = line[head]
    return line


def _reached(git: Repository, head: str, known: Iterable[str]) -> dict[str, int]:
    """Commit → the known commits among it and its ancestors, one bit each."""
    bits = {sha: 1 << at for at, sha in enumerate(sorted(set(known)))}
    found: dict[str, int] = {}
    waiting = [head]
    while waiting:
        sha = waiting[-1]
        parents = git.commit(sha).parents
        if missing := [parent for parent in parents if parent not in found]:
            waiting += missing
            continue
        found[sha] = bits.get(sha, 0)
        for parent in parents:
            found[sha] |= found[parent]
        waiting.pop()
    return found
