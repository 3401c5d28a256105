"""The GitLab REST routes modelyard uses, answered as GitLab does (docs.gitlab.com/api, 17)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from forge.store import Comment, Issue, Pull, Refusal, Status, Store

if TYPE_CHECKING:
    from forge.server import Request

Answer = tuple[int, Any]
ROUTES: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = []
_LEVELS = {"none": 0, "read": 20, "write": 30, "admin": 40}
_COMMENT_LIMIT = 1_000_000


def route(method: str, pattern: str) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    def keep(function: Callable[..., Answer]) -> Callable[..., Answer]:
        ROUTES.append((method, re.compile(pattern.replace("PROJECT", r"/projects/[^/]+") + "$"), function))
        return function

    return keep


def answer(store: Store, request: Request) -> Answer:
    ours = request.path.startswith((f"/projects/{store.name.replace('/', '%2F')}", "/projects/1/", "/projects/2/"))
    if request.path.startswith("/projects/") and not ours:
        raise Refusal(404, "404 Project Not Found")
    for method, pattern, function in ROUTES:
        found = pattern.match(request.path)
        if method == request.method and found:
            if method != "GET":
                store.require(request.user, "write")
            return function(store, request, *found.groups())
    raise Refusal(404, "404 Not Found")


def when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def user(login: str) -> dict[str, Any]:
    return {
        "id": abs(hash(login)) % 10**6,
        "username": login,
        "name": login,
        "state": "active",
        "bot": "_bot_" in login,
    }


def pull_json(store: Store, request: Request, pull: Pull) -> dict[str, Any]:
    state = "merged" if pull.merged_at else "opened" if pull.state == "open" else "closed"
    return {
        "id": pull.number, "iid": pull.number, "title": pull.title, "description": pull.body, "state": state,
        "author": user(pull.user), "sha": store.head(pull), "source_branch": pull.branch, "target_branch": pull.base,
        "created_at": when(pull.created), "source_project_id": 1 if pull.repository == store.name else 2, "target_project_id": 1, "project_id": 1,
        "merge_commit_sha": pull.merge_commit or None, "squash_commit_sha": None,
        "web_url": f"{request.url}/{store.name}/-/merge_requests/{pull.number}",
    }  # fmt: skip


def note_json(comment: Comment) -> dict[str, Any]:
    return {"id": comment.id, "body": comment.body, "author": user(comment.user), "system": False,
            "created_at": when(comment.created), "updated_at": when(comment.updated)}  # fmt: skip


@route("GET", "/user")
def me(store: Store, request: Request) -> Answer:
    return 200, user(request.user)


@route("GET", "PROJECT/merge_requests")
def list_pulls(store: Store, request: Request) -> Answer:
    query = request.query
    found = [pull_json(store, request, pull) for pull in reversed(store.pulls.values())]
    if "state" in query:
        found = [p for p in found if p["state"] == query["state"]]
    if "source_branch" in query:
        found = [p for p in found if p["source_branch"] == query["source_branch"]]
    return 200, found


@route("POST", "PROJECT/merge_requests")
def create_pull(store: Store, request: Request) -> Answer:
    body = request.body
    try:
        pull = store.open(
            request.user, body["source_branch"], body["target_branch"], body["title"], body.get("description") or ""
        )
    except Refusal as refusal:
        raise Refusal(409, refusal.message) from refusal
    return 201, pull_json(store, request, pull)


@route("GET", r"PROJECT/merge_requests/(\d+)")
def get_pull(store: Store, request: Request, number: str) -> Answer:
    pipeline, _ = store.measured.get(int(number), (None, []))
    return 200, pull_json(store, request, store.pull(int(number))) | {"head_pipeline": pipeline}


@route("GET", r"PROJECT/pipelines/(\d+)/jobs")
def pipeline_jobs(store: Store, request: Request, number: str) -> Answer:
    if int(number) in store.beside:
        return 200, store.beside[int(number)]()
    return 200, next(jobs for pipeline, jobs in store.measured.values() if pipeline["id"] == int(number))


@route("GET", r"PROJECT/jobs/(\d+)/artifacts")
def artifacts(store: Store, request: Request, number: str) -> Answer:
    if int(number) not in store.archives:
        raise Refusal(404, "404 Not Found")
    return 200, store.archives[int(number)]


@route("PUT", r"PROJECT/merge_requests/(\d+)")
def edit_pull(store: Store, request: Request, number: str) -> Answer:
    pull = store.pull(int(number))
    pull.title, pull.body = request.body.get("title", pull.title), request.body.get("description", pull.body)
    if request.body.get("state_event") == "close":
        pull.state = "closed"
    return 200, pull_json(store, request, pull)


@route("GET", r"PROJECT/merge_requests/(\d+)/diffs")
def diffs(store: Store, request: Request, number: str) -> Answer:
    return 200, [{"old_path": path, "new_path": path, "new_file": what == "added", "deleted_file": what == "removed",
                  "renamed_file": False, "diff": ""} for path, what in store.files(store.pull(int(number)))]  # fmt: skip


@route("GET", r"PROJECT/merge_requests/(\d+)/versions")
def versions(store: Store, request: Request, number: str) -> Answer:
    pull = store.pull(int(number))
    store.head(pull)
    return 200, [
        {"id": number, "head_commit_sha": sha, "created_at": when(at)}
        for number, (at, sha) in reversed(list(enumerate(pull.heads, 1)))
    ]


@route("GET", r"PROJECT/merge_requests/(\d+)/notes")
def list_notes(store: Store, request: Request, number: str) -> Answer:
    store.pull(int(number))
    words = {"APPROVED": "approved this merge request", "DISMISSED": "unapproved this merge request",
             "CHANGES_REQUESTED": "requested changes"}  # fmt: skip
    notes = [note_json(comment) for comment in store.comments_of(int(number))]
    notes += [
        {"id": r.id, "body": words[r.state], "author": user(r.user), "system": True, "created_at": when(r.at), "updated_at": when(r.at)}
        for r in store.reviews.get(int(number), []) if r.state in words
    ]  # fmt: skip
    return 200, sorted(notes, key=lambda note: note["created_at"], reverse=request.query.get("sort", "desc") == "desc")


@route("POST", r"PROJECT/merge_requests/(\d+)/notes")
def add_note(store: Store, request: Request, number: str) -> Answer:
    body = request.body["body"]
    if len(body) > _COMMENT_LIMIT:
        raise Refusal(400, f"note: is too long (maximum is {_COMMENT_LIMIT} characters)")
    now = time.time()
    comment = Comment(store.number(), int(number), request.user, body, now, now)
    store.comments.append(comment)
    return 201, note_json(comment)


@route("PUT", r"PROJECT/merge_requests/(\d+)/notes/(\d+)")
def edit_note(store: Store, request: Request, number: str, identifier: str) -> Answer:
    comment = store.comment_of(int(identifier))
    if comment.user != request.user:
        raise Refusal(403, "403 Forbidden")
    comment.body, comment.updated = request.body["body"], time.time()
    return 200, note_json(comment)


def issue_json(store: Store, request: Request, issue: Issue) -> dict[str, Any]:
    return {
        "id": issue.number, "iid": issue.number, "title": issue.title, "description": issue.body,
        "state": "opened" if issue.state == "open" else "closed", "author": user(issue.user),
        "labels": list(issue.labels), "web_url": f"{request.url}/{store.name}/-/issues/{issue.number}",
    }  # fmt: skip


@route("GET", "PROJECT/issues")
def list_issues(store: Store, request: Request) -> Answer:
    found = [issue_json(store, request, issue) for issue in reversed(store.issues.values())]
    wanted = set(filter(None, request.query.get("labels", "").split(",")))
    return 200, [
        i for i in found if i["state"] == request.query.get("state", i["state"]) and wanted <= set(i["labels"])
    ]


@route("POST", "PROJECT/issues")
def create_issue(store: Store, request: Request) -> Answer:
    body = request.body
    labels = tuple(filter(None, (body.get("labels") or "").split(",")))
    issue = store.raise_issue(request.user, body["title"], body.get("description") or "", labels)
    return 201, issue_json(store, request, issue)


@route("PUT", r"PROJECT/issues/(\d+)")
def edit_issue(store: Store, request: Request, number: str) -> Answer:
    issue = store.issue(int(number))
    issue.title, issue.body = request.body.get("title", issue.title), request.body.get("description", issue.body)
    if request.body.get("state_event") == "close":
        issue.state = "closed"
    return 200, issue_json(store, request, issue)


@route("GET", r"PROJECT/issues/(\d+)/notes")
def issue_notes(store: Store, request: Request, number: str) -> Answer:
    store.issue(int(number))
    return 200, [note_json(comment) for comment in store.comments_of(int(number))]


@route("POST", r"PROJECT/issues/(\d+)/notes")
def add_issue_note(store: Store, request: Request, number: str) -> Answer:
    return 201, note_json(store.comment(int(number), request.user, request.body["body"]))


@route("POST", r"PROJECT/merge_requests/(\d+)/notes/(\d+)/award_emoji")
def award(store: Store, request: Request, number: str, identifier: str) -> Answer:
    reactions, given = store.comment_of(int(identifier)).reactions, (request.user, request.body["name"])
    if given in reactions:
        raise Refusal(404, "404 Award Emoji Name has already been taken Not Found")
    reactions.append(given)
    return 201, {"id": len(reactions), "name": request.body["name"], "user": user(request.user)}


@route("GET", r"PROJECT/merge_requests/(\d+)/commits")
def pull_commits(store: Store, request: Request, number: str) -> Answer:
    return 200, [{"id": sha, "message": message, "author_name": "Ada Author", "committer_name": "Ada Author"}
                 for sha, message in store.commits(store.pull(int(number)))]  # fmt: skip


@route("GET", r"/projects/(\d+)/events")
def events(store: Store, request: Request, project: str) -> Answer:
    """The pushes to the branches of pull requests, newest first."""
    found = []
    for pull in store.pulls.values():
        found += [
            {"action_name": "pushed to", "created_at": when(at), "author_username": login,
             "push_data": {"ref": pull.branch, "ref_type": "branch", "commit_to": sha}}
            for at, sha, login in store.pushes(pull.repository, pull.branch)
        ]  # fmt: skip
    return 200, found[::-1]


@route("GET", r"PROJECT/repository/commits/([0-9a-f]+)/merge_requests")
def commit_pulls(store: Store, request: Request, sha: str) -> Answer:
    return 200, [pull_json(store, request, pull) for pull in store.pulls_of(sha)]


@route("GET", r"PROJECT/repository/commits/([0-9a-f]+)/statuses")
def list_statuses(store: Store, request: Request, sha: str) -> Answer:
    return 200, [status_json(status) for status in store.statuses.get(sha, [])]


@route("POST", r"PROJECT/statuses/([0-9a-f]+)")
def add_status(store: Store, request: Request, sha: str) -> Answer:
    body = request.body
    states = {"pending": "pending", "success": "success", "failed": "failure"}
    if body["state"] not in states:
        raise Refusal(400, "state does not have a valid value")
    if len(body.get("description") or "") > 255:
        raise Refusal(400, "description is too long")
    status = Status(store.number(), body["name"], states[body["state"]], body.get("description") or "",
                    body.get("target_url") or "", request.user, time.time())  # fmt: skip
    store.statuses.setdefault(sha, []).append(status)
    return 201, status_json(status)


def status_json(status: Status) -> dict[str, Any]:
    states = {"failure": "failed"}
    return {
        "id": status.id, "name": status.context, "status": states.get(status.state, status.state),
        "description": status.description, "target_url": status.url or None, "author": user(status.user),
        "created_at": when(status.at), "sha": "", "ref": "",
    }  # fmt: skip


@route("GET", "PROJECT/members/all")
def members(store: Store, request: Request) -> Answer:
    wanted = request.query.get("query", "")
    return 200, [user(u.login) | {"access_level": _LEVELS[u.permission]} for u in store.users.values()
                 if wanted in u.login and u.permission != "none"]  # fmt: skip


@route("GET", r"/groups/([^/]+)/members/all")
def group(store: Store, request: Request, name: str) -> Answer:
    path = name.replace("%2F", "/")
    if path not in store.teams:
        raise Refusal(404, "404 Group Not Found")
    return 200, [user(login) | {"access_level": 30} for login in store.teams[path]]


@route("POST", r"PROJECT/merge_requests/(\d+)/pipelines")
def pipeline(store: Store, request: Request, number: str) -> Answer:
    if int(number) not in store.pulls:
        raise Refusal(404, "404 Not Found")
    store.dispatched.append((".gitlab-ci.yml", f"merge request {number}", {}))
    return 201, {"id": 1, "ref": f"refs/merge-requests/{number}/head", "status": "created"}


@route("GET", "PROJECT")
def get_project(store: Store, request: Request) -> Answer:
    group = store.name.split("/")[0]
    rule = store.protection.get("main")
    return 200, {
        "id": 1, "path_with_namespace": store.name, "default_branch": "main",
        "namespace": {"kind": "group", "full_path": group},
        "ci_pipeline_variables_minimum_override_role": "developer",
        "only_allow_merge_if_pipeline_succeeds": bool(rule and rule.contexts),
    }  # fmt: skip


@route("GET", "PROJECT/variables")
def project_variables(store: Store, request: Request) -> Answer:
    store.require(request.user, "admin")
    return 200, [
        {"key": name, "value": "x", "masked": True, "protected": name == "PROTECTED", "environment_scope": _scope(name)}
        for name in sorted(store.secrets.get("", ()))
    ]


@route("GET", "/groups/([^/]+)/variables")
def group_variables(store: Store, request: Request, group: str) -> Answer:
    store.require(request.user, "admin")
    return 200, [
        {"key": name, "value": "x", "masked": True, "protected": name == "PROTECTED", "environment_scope": _scope(name)}
        for name in sorted(store.secrets.get("/", ()))
    ]


def _scope(variable: str) -> str:
    return "modelyard*" if variable == "PROTECTED" else "*"
