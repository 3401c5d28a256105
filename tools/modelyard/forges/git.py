"""Plain git as a forge: a review is an ``Approved-by: Name <email>`` trailer in the merge (or commit) message."""

from __future__ import annotations

import re

from modelyard.forges.ci import CI
from modelyard.forges.interface import Change, Permission
from modelyard.gate.approvals import Review
from modelyard.git import CommitInfo, Git

_APPROVAL = re.compile(
    r"^Approved-by:\s*(?P<name>[^<\n]*?)\s*(?:<(?P<email>[^>\n]*)>)?\s*$", re.MULTILINE | re.IGNORECASE
)


class GitForge:
    """Reviews kept in the repository itself."""

    def __init__(self, git: Git) -> None:
        self._git = git

    @classmethod
    def connect(cls, git: Git, ci: CI) -> GitForge:
        """Needs nothing but the repository."""
        return cls(git)

    def last_change(self, path: str) -> Change | None:
        """The newest commit on the first-parent line that touched ``path``."""
        history = self._git.history(path, first_parent=True)
        return self._change(history[0]) if history else None

    def change_of(self, commit: str) -> Change:
        """What one commit brought."""
        return self._change(self._git.commit_info(commit))

    def is_member(self, handle: str, team: str) -> bool:
        """Plain git knows no teams."""
        return False

    def permission(self, handle: str) -> Permission:
        """Whoever stands in a commit on main could push it, or was believed by who could."""
        return "write"

    def _change(self, commit: CommitInfo) -> Change:
        # Of a merge, the proposal is the second parent: its author proposed, whoever merged did not.
        proposal = self._git.commit_info(commit.parents[1]) if len(commit.parents) > 1 else commit
        reviews = []
        for found in _APPROVAL.finditer(commit.body):
            name, email = found["name"], found["email"] or ""
            # One person under two spellings is one person: the e-mail address decides where there is one.
            own = email.lower() == proposal.email.lower() if email else name == proposal.author
            if name or email:
                reviews.append(Review(proposal.author if own else name or email, "approved", "", commit.at))
        subject = commit.subject
        if subject.startswith("Merge ") and len(commit.parents) > 1:
            subject = proposal.subject
        return Change(commit.sha, subject, proposal.author, tuple(self._git.files_of(commit)), tuple(reviews))
