"""Plain git as a forge. A review is an ``Approved-by: Name <email>`` trailer in a merge or commit message."""

from __future__ import annotations

import re
from collections.abc import Sequence

from modelyard.forges.ci import CI
from modelyard.forges.interface import Change, Contribution, Permission, changed_from
from modelyard.gate.approvals import Review
from modelyard.git import CommitInfo, Git

_APPROVAL = re.compile(
    r"^Approved-by:\s*(?P<name>[^<\n]*?)\s*(?:<(?P<email>[^>\n]*)>)?\s*$", re.MULTILINE | re.IGNORECASE
)


class GitForge:
    """The reviews in the commit messages of a repository."""

    def __init__(self, git: Git) -> None:
        self._git = git

    @classmethod
    def connect(cls, git: Git, ci: CI) -> GitForge:
        """The adapter; it needs only the repository."""
        return cls(git)

    def change_of(self, commit: str, parent: str = "") -> Change:
        """The change of one commit. Who merged it is one of its authors where the merge is more than a merge."""
        return self._change(self._git.commit_info(commit), parent)

    def is_member(self, handle: str, team: str) -> bool:
        """False: plain git has no teams."""
        return False

    def permission(self, handle: str) -> Permission:
        """Write: a commit on main is there because somebody with that permission pushed it."""
        return "write"

    def _change(self, commit: CommitInfo, parent: str = "") -> Change:
        # The other parent of a merge is the proposal. Its author is the author, not the person who merged.
        parent = parent or next(iter(commit.parents), "")
        merge = len(commit.parents) > 1
        commits = self._git.commits_between(parent, commit.sha) if merge else [commit]
        others = [sha for sha in commit.parents if sha != parent]
        if len(others) == 1 and self._git.is_merge_of(commit.sha, parent, others[0]):
            commits = [one for one in commits if one.sha != commit.sha]  # nothing in it is of the person who merged
        proposal = commits[0] if commits else commit
        people = _people(commits or [commit])
        reviews = []
        for found in _APPROVAL.finditer(commit.body):
            name, email = found["name"], found["email"] or ""
            # One person may spell the name in two ways, or have two addresses.
            own = people.get(email.lower(), "") or people.get(name.lower(), "")
            if name or email:
                reviews.append(Review(own or name or email, "approved", "", commit.at))
        subject = commit.subject
        if subject.startswith("Merge ") and len(commit.parents) > 1:
            subject = proposal.subject
        return Change(
            commit=commit.sha, subject=subject, author=proposal.author, files=changed_from(self._git, commit, parent),
            reviews=tuple(reviews),
            contribution=Contribution(
                people=tuple(dict.fromkeys(people.values())),
                messages=tuple(f"{c.subject}\n\n{c.body}" for c in dict.fromkeys((*commits, commit))),
            ),
        )  # fmt: skip


def _people(commits: Sequence[CommitInfo]) -> dict[str, str]:
    """Lower-case name or address → name, of the authors and committers of commits; the forge's own have no name."""
    found: dict[str, str] = {}
    for commit in commits:
        for name, email in ((commit.author, commit.email), (commit.committer, commit.committer_email)):
            for key in filter(None, (name.lower(), email.lower())):
                found.setdefault(key, name)
    return found
