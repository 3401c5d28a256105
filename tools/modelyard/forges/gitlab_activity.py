"""Who is behind the commits of a merge request on GitLab, by its commits and the project's events, and who approved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from modelyard.forges.interface import Contribution, Status, report_at
from modelyard.gate.approvals import Review

_READ: dict[str, Any] = {"retry_transient_errors": True, "max_retries": 3, "per_page": 100}
_REVIEW_OUTCOMES = {"approved this merge request": "approved", "unapproved this merge request": "dismissed",
          "requested changes": "rejected"}  # fmt: skip


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
        commits=frozenset(own),
    )


def reviews_of(
    notes: Iterable[dict[str, Any]],
    versions: Sequence[tuple[int, str]],
    statuses_of: Callable[[str], list[Status]],
) -> tuple[Review, ...]:
    """The approvals and withdrawn approvals among a merge request's notes; ``versions``: second and head, by time."""
    found = []
    statuses: dict[str, list[Status]] = {}
    for note in notes:
        if not note["system"] or note["body"] not in _REVIEW_OUTCOMES:
            continue
        at = int(_seconds(note["created_at"]))
        commit = next((sha for when, sha in reversed(versions) if when <= at), "")
        if commit not in statuses:
            statuses[commit] = statuses_of(commit) if commit else []
        author = note["author"]
        found.append(
            Review(
                author=f"@{author['username']}",
                outcome=_REVIEW_OUTCOMES[note["body"]],  # type: ignore[arg-type]
                commit=commit,
                at=at,
                bot=bool(author.get("bot")) or "_bot_" in author["username"],
                report=report_at(statuses[commit], at),
            )
        )
    return tuple(found)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
