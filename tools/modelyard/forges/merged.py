"""What a merge brought: a commit of main, with the pull request behind it and the reviews and report of its head."""

from __future__ import annotations

from modelyard.forges.interface import Change, PullForge
from modelyard.forges.reported import report_at
from modelyard.git import CommitInfo, Git


def newest_change(git: Git, forge: PullForge, path: str) -> Change | None:
    """Of the newest commit on main that touched ``path``."""
    history = git.history(path, first_parent=True)
    return merged_change(git, forge, history[0]) if history else None


def merged_change(git: Git, forge: PullForge, commit: CommitInfo) -> Change:
    """Of one commit of main. A commit that no pull request brought has no reviews."""
    files = tuple(git.files_of(commit))
    pulls = forge.pulls_of(commit.sha)
    pull = next((p for p in pulls if p.state == "merged" and p.merge_commit == commit.sha), None)
    if pull is None:
        return Change(commit.sha, commit.subject, commit.author, files, ())
    report = report_at(forge.statuses(pull.head))
    reviews = forge.reviews(pull.number)
    return Change(commit.sha, pull.title, f"@{pull.author}", files, reviews, pull.number, pull.head, report)
