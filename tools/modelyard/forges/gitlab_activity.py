"""Who is behind the commits of a merge request on GitLab: authors, committers, and pushers by the project's events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from modelyard.forges.interface import Contribution

_READ: dict[str, Any] = {"retry_transient_errors": True, "max_retries": 3, "per_page": 100}


def contribution_of(gitlab: Any, errors: Any, request: Any) -> Contribution:
    """The commits and the people of a merge request; ``errors`` is python-gitlab's module of exceptions.

    GitLab gives authors and committers by name, so a reviewer with such a name does not count.
    """
    commits = [c.attributes for c in request.commits(**_READ)]
    own = {c["id"] for c in commits} | {request.sha}
    since = _seconds(request.created_at)
    counted: list[tuple[str, str]] = []
    try:
        url = f"/projects/{request.source_project_id}/events"
        for event in gitlab.http_list(url, action="pushed", iterator=True, **_READ):
            push = event.get("push_data") or {}
            if push.get("ref") != request.source_branch or push.get("ref_type", "branch") != "branch":
                continue
            if push.get("commit_to") in own or _seconds(event["created_at"]) >= since:
                counted.append((event["author_username"], push.get("commit_to") or ""))
    except errors.GitlabHttpError as error:
        if error.response_code not in (403, 404):
            raise
    names = [c[key] for c in commits for key in ("author_name", "committer_name") if c.get(key)]
    return Contribution(
        people=tuple(dict.fromkeys([*(f"@{who}" for who, _ in counted), *names])),
        pushers_known=request.sha in {after for _, after in counted},
        messages=tuple(c["message"] for c in commits),
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
