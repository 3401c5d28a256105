"""The history of the default branch: which of its changes nobody approved, by the rules that stood before each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Merged:
    """One commit of the first-parent history, with the paths it changed."""

    commit: str
    parent: str
    """'' for the first commit."""
    files: tuple[str, ...]


@dataclass(frozen=True)
class Judged:
    """The judgement of one change by the rules of a base commit."""

    given: bool
    sentence: str
    names: tuple[str, ...] = ()
    """Commits that the messages of the change name in full."""


Judge = Callable[[Merged, str, tuple[str, ...]], Judged]
"""Judges a change by the rules of a base commit, as if it also changed the files of the third argument."""


def unapproved(history: Sequence[Merged], judge: Judge) -> dict[str, Judged]:
    """Commit → judgement of every change that nobody approved and that no later change settled, oldest first.

    ``history`` is oldest first and begins after the commit that brought the rules. While a change is unapproved, the
    rules and roles of the commit before it stay in force, so it cannot weaken what judges the next one. A later
    approved change settles it by naming its commit, if the approvals suffice for the files of both.
    """
    open_changes: dict[str, tuple[Merged, Judged]] = {}
    for change in history:
        base = next((first.parent for first, _ in open_changes.values()), change.parent)
        judged = judge(change, base, ())
        if not judged.given:
            open_changes[change.commit] = (change, judged)
            continue
        names = judged.names
        if open_changes and not names:  # it needs no approval for its own files, and may have one for others
            every = tuple(path for earlier, _ in open_changes.values() for path in earlier.files)
            names = judge(change, base, every).names
        named = [open_changes[name][0] for name in dict.fromkeys(names) if name in open_changes]
        if named and judge(change, base, tuple(path for earlier in named for path in earlier.files)).given:
            for earlier in named:
                del open_changes[earlier.commit]
    return {commit: judged for commit, (_, judged) in open_changes.items()}
