"""Who is behind the commits of a pull request on GitHub: authors, committers, and pushers by the branch's activity."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelyard.forges.interface import Contribution

if TYPE_CHECKING:
    from github import Github
    from github.PullRequest import PullRequest

_WEB = "web-flow"
"""The committer of commits that were made on GitHub's pages."""
_NEXT = re.compile(r'<([^>]+)>; rel="next"')


def contribution_of(github: Github, errors: Any, pull: PullRequest) -> Contribution:
    """The commits and the people of a pull request; ``errors`` is PyGithub's module.

    Pushes from before the pull request count if they brought one of its commits.
    """
    commits = list(pull.get_commits())
    head, since = pull.head, pull.created_at.timestamp()
    people = [user.login for c in commits for user in (c.author, c.committer) if user is not None]
    own = {c.sha for c in commits} | {head.sha}
    pushes = _pushes(github, errors, head.repo.full_name, head.ref) if head.repo else []
    counted = [(who, after) for who, after, at in pushes if after in own or at >= since]
    return Contribution(
        people=tuple(dict.fromkeys(f"@{who}" for who in [*people, *(who for who, _ in counted)] if who != _WEB)),
        pushers_known=head.sha in {after for _, after in counted},
        messages=tuple(c.commit.message for c in commits),
        commits=frozenset(own),
    )


def _pushes(github: Github, errors: Any, repository: str, branch: str) -> list[tuple[str, str, float]]:
    """(login, new head, seconds since 1970) of each push to a branch; empty when the token may not read them."""
    found: list[tuple[str, str, float]] = []
    url: str | None = f"/repos/{repository}/activity?per_page=100&ref={quote(f'refs/heads/{branch}', safe='')}"
    while url:
        try:
            headers, data = github.requester.requestJsonAndCheck("GET", url)
        except errors.GithubException as error:
            if error.status in (403, 404):
                return []
            raise
        for entry in data:
            who = (entry.get("actor") or {}).get("login") or "ghost"
            at = datetime.fromisoformat(entry["timestamp"].replace("Z", "+00:00")).timestamp()
            found.append((who, entry["after"], at))
        links = _NEXT.search(str(headers.get("link", "")))
        url = links[1] if links else None
    return found
