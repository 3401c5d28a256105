"""The GitHub REST routes modelyard uses, answered as GitHub does (docs.github.com/rest, 2022-11-28)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from forge.store import Comment, Issue, Pull, Refusal, Review, Status, Store, User

if TYPE_CHECKING:
    from forge.server import Request

Answer = tuple[int, Any]
ROUTES: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = []


def route(method: str, pattern: str) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
    def keep(function: Callable[..., Answer]) -> Callable[..., Answer]:
        ROUTES.append((method, re.compile(pattern.replace("REPO", r"/repos/[^/]+/[^/]+") + "$"), function))
        return function

    return keep


def answer(store: Store, request: Request) -> Answer:
    ours = request.path.startswith(f"/repos/{store.name}")
    if request.path.startswith("/repos/") and not ours and not request.path.endswith("/activity"):
        raise Refusal(404, "Not Found")
    for method, pattern, function in ROUTES:
        found = pattern.match(request.path)
        if method == request.method and found:
            return function(store, request, *found.groups())
    raise Refusal(404, "Not Found")


def when(seconds: float | None) -> str | None:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else None


def user(login: str) -> dict[str, Any]:
    return {
        "login": login,
        "id": abs(hash(login)) % 10**6,
        "type": "Bot" if User(login).bot else "User",
        "site_admin": False,
    }


def repository(store: Store, request: Request, name: str) -> dict[str, Any]:
    owner, short = name.split("/")
    return {
        "id": abs(hash(name)) % 10**6, "name": short, "full_name": name, "owner": user(owner), "private": False,
        "fork": name != store.name, "url": f"{request.url}/api/v3/repos/{name}", "default_branch": "main",
        "clone_url": f"{request.url}/{name}.git",
    }  # fmt: skip


def pull_json(store: Store, request: Request, pull: Pull) -> dict[str, Any]:
    head, base = store.head(pull), store.head_of(store.name, pull.base)
    url = f"{request.url}/api/v3/repos/{store.name}/pulls/{pull.number}"
    value = {
        "id": pull.number, "number": pull.number, "url": url, "html_url": f"{request.url}/{store.name}/pull/{pull.number}",
        "issue_url": f"{request.url}/api/v3/repos/{store.name}/issues/{pull.number}",
        "title": pull.title, "body": pull.body, "user": user(pull.user), "state": pull.state, "draft": False,
        "head": {"ref": pull.branch, "sha": head, "label": f"{pull.repository.split('/')[0]}:{pull.branch}",
                 "user": user(pull.repository.split("/")[0]), "repo": repository(store, request, pull.repository)},
        "base": {"ref": pull.base, "sha": base, "label": f"{store.name.split('/')[0]}:{pull.base}",
                 "user": user(store.name.split("/")[0]), "repo": repository(store, request, store.name)},
        "merged_at": when(pull.merged_at), "merge_commit_sha": pull.merge_commit or None,
        "created_at": when(pull.created), "updated_at": when(pull.created),
    }  # fmt: skip
    if request.path.endswith(f"/pulls/{pull.number}"):
        value["merged"] = pull.merged_at is not None
        value["mergeable"] = pull.state == "open" and store.merge_tree(pull) is not None
    return value


def comment_json(store: Store, request: Request, comment: Comment) -> dict[str, Any]:
    return {
        "id": comment.id, "body": comment.body, "user": user(comment.user),
        "url": f"{request.url}/api/v3/repos/{store.name}/issues/comments/{comment.id}",
        "html_url": f"{request.url}/{store.name}/pull/{comment.number}#issuecomment-{comment.id}",
        "issue_url": f"{request.url}/api/v3/repos/{store.name}/issues/{comment.number}",
        "created_at": when(comment.created), "updated_at": when(comment.updated),
    }  # fmt: skip


def review_json(review: Review) -> dict[str, Any]:
    return {
        "id": review.id, "user": user(review.user), "state": review.state, "commit_id": review.commit,
        "body": review.body, "submitted_at": when(review.at), "author_association": "MEMBER",
    }  # fmt: skip


def status_json(store: Store, request: Request, status: Status) -> dict[str, Any]:
    return {
        "id": status.id, "context": status.context, "state": status.state, "description": status.description,
        "target_url": status.url or None, "creator": user(status.user), "created_at": when(status.at),
        "updated_at": when(status.at), "url": f"{request.url}/api/v3/repos/{store.name}/statuses/x",
    }  # fmt: skip


@route("GET", "/user")
def me(store: Store, request: Request) -> Answer:
    if request.user.endswith("[bot]"):
        raise Refusal(403, "Resource not accessible by integration")
    return 200, user(request.user)


@route("GET", "/users/([^/]+)")
def someone(store: Store, request: Request, login: str) -> Answer:
    return 200, user(login)


@route("GET", "REPO")
def get_repository(store: Store, request: Request) -> Answer:
    return 200, repository(store, request, store.name)


@route("GET", "REPO/pulls")
def list_pulls(store: Store, request: Request) -> Answer:
    query = request.query
    found = [p for p in store.pulls.values() if query.get("state", "open") in ("all", p.state)]
    if "head" in query and ":" in query["head"]:
        found = [p for p in found if f"{p.repository.split('/')[0]}:{p.branch}" == query["head"]]
    if "base" in query:
        found = [p for p in found if p.base == query["base"]]
    return 200, [pull_json(store, request, pull) for pull in reversed(found)]


@route("POST", "REPO/pulls")
def create_pull(store: Store, request: Request) -> Answer:
    body = request.body
    head = body["head"].removeprefix(f"{store.name.split('/')[0]}:")
    pull = store.open(request.user, head, body["base"], body["title"], body.get("body") or "")
    request.path += f"/{pull.number}"
    return 201, pull_json(store, request, pull)


@route("GET", r"REPO/pulls/(\d+)")
def get_pull(store: Store, request: Request, number: str) -> Answer:
    return 200, pull_json(store, request, store.pull(int(number)))


@route("PATCH", r"REPO/pulls/(\d+)")
def edit_pull(store: Store, request: Request, number: str) -> Answer:
    pull = store.pull(int(number))
    if request.user != pull.user:
        store.require(request.user, "write")
    pull.title, pull.body = request.body.get("title", pull.title), request.body.get("body", pull.body)
    pull.state = request.body.get("state", pull.state)
    return 200, pull_json(store, request, pull)


@route("GET", r"REPO/pulls/(\d+)/files")
def pull_files(store: Store, request: Request, number: str) -> Answer:
    return 200, [{"filename": path, "status": what, "sha": "0" * 40, "additions": 0, "deletions": 0, "changes": 0}
                 for path, what in store.files(store.pull(int(number)))]  # fmt: skip


@route("PUT", r"REPO/pulls/(\d+)/merge")
def merge(store: Store, request: Request, number: str) -> Answer:
    body = request.body
    title = body.get("commit_title", "")
    sha = store.merge(int(number), request.user, body.get("sha", ""), body.get("merge_method", "merge"), title)
    return 200, {"sha": sha, "merged": True, "message": "Pull Request successfully merged"}


@route("GET", r"REPO/pulls/(\d+)/reviews")
def list_reviews(store: Store, request: Request, number: str) -> Answer:
    store.pull(int(number))
    return 200, [review_json(review) for review in store.reviews.get(int(number), [])]


@route("POST", r"REPO/pulls/(\d+)/reviews")
def add_review(store: Store, request: Request, number: str) -> Answer:
    body = request.body
    return 200, review_json(
        store.review(int(number), request.user, body.get("event", ""), body.get("body", ""), body.get("commit_id", ""))
    )


@route("PUT", r"REPO/pulls/(\d+)/reviews/(\d+)/dismissals")
def dismiss(store: Store, request: Request, number: str, identifier: str) -> Answer:
    store.require(request.user, "write")
    review = next((r for r in store.reviews.get(int(number), []) if r.id == int(identifier)), None)
    if review is None:
        raise Refusal(404, "Not Found")
    review.state = "DISMISSED"
    return 200, review_json(review)


def issue_json(store: Store, request: Request, issue: Issue) -> dict[str, Any]:
    url = f"{request.url}/api/v3/repos/{store.name}"
    return {
        "id": issue.number, "number": issue.number, "url": f"{url}/issues/{issue.number}", "title": issue.title,
        "body": issue.body, "user": user(issue.user), "state": issue.state, "repository_url": url,
        "labels": [{"id": 1, "name": name, "color": "ededed"} for name in issue.labels],
        "html_url": f"{request.url}/{store.name}/issues/{issue.number}", "created_at": when(issue.created),
        "updated_at": when(issue.created), "comments_url": f"{url}/issues/{issue.number}/comments",
    }  # fmt: skip


@route("GET", "REPO/issues")
def list_issues(store: Store, request: Request) -> Answer:
    """Issues and pull requests alike, as GitHub lists them; a pull request carries ``pull_request``."""
    query = request.query
    state, labels = query.get("state", "open"), set(filter(None, query.get("labels", "").split(",")))
    found = [issue_json(store, request, i) for i in store.issues.values()
             if state in ("all", i.state) and labels <= set(i.labels)]  # fmt: skip
    if not labels:
        found += [
            pull_json(store, request, p) | {"pull_request": {"url": "x"}}
            for p in store.pulls.values()
            if state in ("all", p.state)
        ]
    return 200, sorted(found, key=lambda value: -value["number"])


@route("POST", "REPO/issues")
def create_issue(store: Store, request: Request) -> Answer:
    body = request.body
    labels = tuple(body.get("labels") or []) if store.users[request.user].permission in ("write", "admin") else ()
    issue = store.raise_issue(request.user, body["title"], body.get("body") or "", labels)
    return 201, issue_json(store, request, issue)


@route("PATCH", r"REPO/issues/(\d+)")
def edit_issue(store: Store, request: Request, number: str) -> Answer:
    issue = store.issue(int(number))
    if request.user != issue.user:
        store.require(request.user, "write")
    issue.title, issue.body = request.body.get("title", issue.title), request.body.get("body", issue.body)
    issue.state = request.body.get("state", issue.state)
    return 200, issue_json(store, request, issue)


@route("GET", r"REPO/issues/(\d+)")
def get_issue(store: Store, request: Request, number: str) -> Answer:
    if int(number) in store.issues:
        return 200, issue_json(store, request, store.issue(int(number)))
    pull = store.pull(int(number))
    url = f"{request.url}/api/v3/repos/{store.name}"
    return 200, {
        "id": pull.number, "number": pull.number, "url": f"{url}/issues/{number}", "title": pull.title, "body": pull.body,
        "user": user(pull.user), "state": pull.state, "pull_request": {"url": f"{url}/pulls/{number}"},
        "repository_url": url, "comments_url": f"{url}/issues/{number}/comments",
    }  # fmt: skip


@route("GET", r"REPO/issues/(\d+)/comments")
def list_comments(store: Store, request: Request, number: str) -> Answer:
    if int(number) not in store.issues:
        store.pull(int(number))
    return 200, [comment_json(store, request, c) for c in store.comments_of(int(number))]


@route("POST", r"REPO/issues/(\d+)/comments")
def add_comment(store: Store, request: Request, number: str) -> Answer:
    return 201, comment_json(store, request, store.comment(int(number), request.user, request.body["body"]))


@route("GET", r"REPO/issues/comments/(\d+)")
def get_comment(store: Store, request: Request, identifier: str) -> Answer:
    return 200, comment_json(store, request, store.comment_of(int(identifier)))


@route("PATCH", r"REPO/issues/comments/(\d+)")
def edit_comment(store: Store, request: Request, identifier: str) -> Answer:
    return 200, comment_json(store, request, store.edit(int(identifier), request.user, request.body["body"]))


@route("POST", r"REPO/issues/comments/(\d+)/reactions")
def react(store: Store, request: Request, identifier: str) -> Answer:
    content = request.body["content"]
    if content not in ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"):
        raise Refusal(422, "Validation Failed: content")
    reactions = store.comment_of(int(identifier)).reactions
    if (request.user, content) not in reactions:
        reactions.append((request.user, content))
    return 201, {"id": len(reactions), "content": content, "user": user(request.user), "created_at": when(1)}


@route("GET", r"/repos/([^/]+/[^/]+)/activity")
def activity(store: Store, request: Request, name: str) -> Answer:
    """The pushes to a branch, newest first."""
    if not store.path(name).is_dir():
        raise Refusal(404, "Not Found")
    branch = request.query.get("ref", "").removeprefix("refs/heads/")
    found = store.pushes(name, branch)
    return 200, [
        {"id": at, "ref": f"refs/heads/{branch}", "after": sha, "before": "0" * 40, "timestamp": when(at),
         "activity_type": "push", "actor": user(login)}
        for at, sha, login in reversed(found)
    ]  # fmt: skip


@route("GET", r"REPO/pulls/(\d+)/commits")
def pull_commits(store: Store, request: Request, number: str) -> Answer:
    url = f"{request.url}/api/v3/repos/{store.name}/commits"
    return 200, [
        {"sha": sha, "url": f"{url}/{sha}", "commit": {"message": message}, "author": None, "committer": None}
        for sha, message in store.commits(store.pull(int(number)))
    ]


@route("GET", r"REPO/commits/([^/]+)/pulls")
def commit_pulls(store: Store, request: Request, sha: str) -> Answer:
    return 200, [pull_json(store, request, pull) for pull in store.pulls_of(sha)]


@route("GET", r"REPO/commits/([^/]+)")
def get_commit(store: Store, request: Request, sha: str) -> Answer:
    code, _, full = store.git(store.name, "rev-parse", "--verify", "--quiet", f"{sha}^{{commit}}", code=True).partition(
        "\n"
    )
    if code != "0":
        raise Refusal(422, f"No commit found for SHA: {sha}")
    return 200, {
        "sha": full,
        "url": f"{request.url}/api/v3/repos/{store.name}/commits/{full}",
        "commit": {"message": ""},
    }


@route("GET", r"REPO/commits/([^/]+)/statuses")
@route("GET", r"REPO/statuses/([^/]+)")
def list_statuses(store: Store, request: Request, sha: str) -> Answer:
    return 200, [status_json(store, request, status) for status in reversed(store.statuses.get(sha, []))]


@route("POST", r"REPO/statuses/([^/]+)")
def add_status(store: Store, request: Request, sha: str) -> Answer:
    store.require(request.user, "write")
    body = request.body
    status = store.set_status(
        sha, request.user, body.get("context", "default"), body["state"], body.get("description") or "",
        body.get("target_url") or "",
    )  # fmt: skip
    return 201, status_json(store, request, status)


@route("GET", r"REPO/collaborators/([^/]+)/permission")
def permission(store: Store, request: Request, login: str) -> Answer:
    if login not in store.users:
        raise Refusal(404, f"{login} is not a user")
    return 200, {"permission": store.users[login].permission, "user": user(login)}


@route("GET", r"/orgs/([^/]+)")
def organisation(store: Store, request: Request, name: str) -> Answer:
    return 200, {"login": name, "id": 1, "url": f"{request.url}/api/v3/orgs/{name}"}


@route("GET", r"/orgs/([^/]+)/teams/([^/]+)")
def team(store: Store, request: Request, name: str, slug: str) -> Answer:
    if f"{name}/{slug}" not in store.teams:
        raise Refusal(404, "Not Found")
    return 200, {"id": 1, "slug": slug, "name": slug, "url": f"{request.url}/api/v3/orgs/{name}/teams/{slug}"}


@route("GET", r"/orgs/([^/]+)/teams/([^/]+)/members")
def members(store: Store, request: Request, name: str, slug: str) -> Answer:
    return 200, [user(login) for login in store.teams.get(f"{name}/{slug}", [])]


@route("GET", r"REPO/actions/workflows/([^/]+)")
def workflow(store: Store, request: Request, name: str) -> Answer:
    url = f"{request.url}/api/v3/repos/{store.name}/actions/workflows/{name}"
    return 200, {"id": 1, "name": name, "path": f".github/workflows/{name}", "state": "active", "url": url}


@route("POST", r"REPO/actions/workflows/([^/]+)/dispatches")
def dispatch(store: Store, request: Request, name: str) -> Answer:
    store.require(request.user, "write")
    branch = request.body["ref"]
    content = store.git(store.name, "show", f"{branch}:.github/workflows/{name}", code=True)
    if not content.startswith("0\n"):
        raise Refusal(404, "Not Found")
    if "workflow_dispatch" not in content:
        raise Refusal(422, "Workflow does not have 'workflow_dispatch' trigger")
    store.dispatched.append((name, branch, request.body.get("inputs") or {}))
    return 204, None


def names_json(store: Store, request: Request, kind: str, place: str) -> Answer:
    """Names of secrets, for administrators, or of variables, for whoever may write; a workflow's own token gets none."""
    if request.user.endswith("[bot]"):
        raise Refusal(403, "Resource not accessible by integration")
    store.require(request.user, "admin" if kind == "secrets" else "write")
    names, size = sorted(getattr(store, kind).get(place, ())), int(request.query.get("per_page", "30"))
    start = (int(request.query.get("page", "1")) - 1) * size
    value = {} if kind == "secrets" else {"value": "x"}
    listed = [
        {"name": name, "created_at": when(1), "updated_at": when(1)} | value for name in names[start : start + size]
    ]
    return 200, {"total_count": len(names), kind: listed}


@route("GET", "REPO/actions/secrets")
def list_secrets(store: Store, request: Request) -> Answer:
    return names_json(store, request, "secrets", "")


@route("GET", "REPO/actions/organization-secrets")
def list_organisation_secrets(store: Store, request: Request) -> Answer:
    return names_json(store, request, "secrets", "/")


@route("GET", "REPO/actions/variables")
def list_variables(store: Store, request: Request) -> Answer:
    return names_json(store, request, "variables", "")


@route("GET", "REPO/actions/organization-variables")
def list_organisation_variables(store: Store, request: Request) -> Answer:
    return names_json(store, request, "variables", "/")


@route("GET", "REPO/environments")
def list_environments(store: Store, request: Request) -> Answer:
    names = sorted({*store.secrets, *store.variables, *store.entering} - {"", "/"})
    return 200, {"total_count": len(names), "environments": [environment_json(store, name) for name in names]}


def environment_json(store: Store, name: str) -> dict[str, Any]:
    branches, reviewed = store.entering.get(name, (None, False))
    rules: list[dict[str, Any]] = []
    if reviewed:
        person = {"type": "User", "reviewer": {"login": "grace", "id": 1}}
        rules.append(
            {
                "id": 1,
                "node_id": "R1",
                "type": "required_reviewers",
                "reviewers": [person],
                "prevent_self_review": False,
            }
        )
    policy = None
    if branches is not None:
        rules.append({"id": 2, "node_id": "R2", "type": "branch_policy"})
        policy = {"protected_branches": not branches, "custom_branch_policies": bool(branches)}
    return {
        "id": 1, "node_id": "E1", "name": name, "created_at": when(1), "updated_at": when(1),
        "protection_rules": rules, "deployment_branch_policy": policy, "can_admins_bypass": True,
    }  # fmt: skip


@route("GET", "REPO/environments/([^/]+)/deployment-branch-policies")
def list_branch_policies(store: Store, request: Request, name: str) -> Answer:
    branches = store.entering[name][0] or ()
    listed = [{"id": n, "node_id": f"B{n}", "name": one, "type": "branch"} for n, one in enumerate(branches)]
    return 200, {"total_count": len(listed), "branch_policies": listed}


@route("GET", "REPO/environments/([^/]+)/variables")
def list_environment_variables(store: Store, request: Request, name: str) -> Answer:
    return names_json(store, request, "variables", name)


@route("GET", "REPO/environments/([^/]+)/secrets")
def list_environment_secrets(store: Store, request: Request, name: str) -> Answer:
    return names_json(store, request, "secrets", name)


@route("GET", "REPO/branches/([^/]+)")
def get_branch(store: Store, request: Request, name: str) -> Answer:
    head = store.head_of(store.name, name)
    if not head:
        raise Refusal(404, "Branch not found")
    rule = store.protection.get(name)
    checks = {"enforcement_level": "everyone" if rule else "off", "contexts": list(rule.contexts) if rule else []}
    protection = {"enabled": rule is not None, "required_status_checks": checks}
    return 200, {"name": name, "commit": {"sha": head}, "protected": rule is not None, "protection": protection}


@route("GET", "REPO/rules/branches/([^/]+)")
def branch_rules(store: Store, request: Request, name: str) -> Answer:
    checks = [{"context": context} for context in store.rulesets.get(name, ())]
    rules: list[dict[str, Any]] = [{"type": "deletion"}]
    if checks:
        rules.append({"type": "required_status_checks", "parameters": {"required_status_checks": checks}})
    return 200, rules
