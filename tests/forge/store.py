"""A forge's state over real bare repositories: pull requests whose heads, files, conflicts and merges are git's own."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from support.yard import IDENTITY

COMMENT_LIMIT = 65_536


class Refusal(Exception):
    """An answer of 4xx."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass
class User:
    login: str
    permission: Literal["none", "read", "write", "admin"] = "none"

    @property
    def bot(self) -> bool:
        return self.login.endswith("[bot]")


@dataclass
class Token:
    user: str
    permissions: dict[str, str] | None = None
    """What a workflow's ``permissions`` granted, such as {"contents": "read"}; None: all that the user may do."""

    def may(self, what: str, level: str) -> bool:
        return self.permissions is None or self.permissions.get(what) in (level, "write")


@dataclass
class Comment:
    id: int
    number: int
    user: str
    body: str
    created: float
    updated: float
    reactions: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Review:
    id: int
    user: str
    state: str
    commit: str
    body: str
    at: float


@dataclass
class Status:
    id: int
    context: str
    state: str
    description: str
    url: str
    user: str
    at: float


@dataclass
class Pull:
    number: int
    title: str
    body: str
    user: str
    repository: str
    """Of the head: owner/name."""
    branch: str
    base: str
    state: str = "open"
    merged_at: float | None = None
    merge_commit: str = ""
    last_head: str = ""
    created: float = 0.0
    heads: list[tuple[float, str]] = field(default_factory=list)
    merged_into: str = ""
    """The head of the base branch before a fast-forward; '' for the first parent of the merge."""
    """Every head it had, and when it was first seen."""


@dataclass
class Issue:
    number: int
    title: str
    body: str
    user: str
    labels: tuple[str, ...]
    state: str = "open"
    created: float = 0.0


@dataclass
class Protection:
    contexts: tuple[str, ...] = ()
    approvals: int = 0


class Store:
    """One repository, its forks, and everything said about it."""

    def __init__(self, folder: Path, name: str = "acme/models") -> None:
        self.folder, self.name = folder, name
        self.lock = threading.RLock()
        self.users: dict[str, User] = {}
        self.tokens: dict[str, Token] = {}
        self.teams: dict[str, list[str]] = {}
        self.pulls: dict[int, Pull] = {}
        self.issues: dict[int, Issue] = {}
        self.comments: list[Comment] = []
        self.reviews: dict[int, list[Review]] = {}
        self.statuses: dict[str, list[Status]] = {}
        self.protection: dict[str, Protection] = {}
        self.last_seen: dict[int, str] = {}
        """The head a pull request's newest run was started on."""
        self.pushed: dict[str, str] = {}
        """Head → login of who pushed it."""
        self.rulesets: dict[str, tuple[str, ...]] = {}
        """Branch → contexts that a ruleset requires."""
        self.secrets: dict[str, set[str]] = {}
        """'' for the repository, an environment, or '/' for its organisation → names of secrets."""
        self.variables: dict[str, set[str]] = {}
        """The same of variables."""
        self.entering: dict[str, tuple[tuple[str, ...] | None, bool]] = {}
        """GitHub: environment → patterns of its branches (None: any branch; (): the protected ones), whether reviewed."""
        self.beside: dict[int, Callable[[], list[dict[str, Any]]]] = {}
        """Of a pipeline of GitLab that runs, its jobs that left an archive."""
        self.measured: dict[int, tuple[dict[str, Any], list[dict[str, Any]]]] = {}
        """GitLab: merge request → its newest pipeline and that pipeline's jobs, as the API gives them."""
        self.archives: dict[int, bytes] = {}
        """GitLab: job → the zip archive that it left."""
        self.dispatched: list[tuple[str, str, dict[str, str]]] = []
        self._next = 0
        if not self.path(name).exists():
            self.git(None, "init", "--quiet", "--bare", "--initial-branch=main", str(self.path(name)))
            self._allow(name)

    @classmethod
    def reopened(cls, folder: Path) -> Store:
        """Over repositories that are there; what people said before is forgotten."""
        return cls(folder)

    def user(self, login: str, permission: Literal["none", "read", "write", "admin"], token: str = "") -> None:
        self.users[login] = User(login, permission)
        if token:
            self.tokens[token] = Token(login)

    def fork(self, owner: str) -> str:
        name = f"{owner}/{self.name.split('/')[1]}"
        self.git(None, "clone", "--quiet", "--bare", str(self.path(self.name)), str(self.path(name)))
        self._allow(name)
        return name

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.git"

    def git(self, name: str | None, *arguments: str, code: bool = False) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.path(name) if name else self.folder, env=os.environ | IDENTITY,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode and not code:
            raise Refusal(422, done.stderr.strip() or f"git {arguments[0]} failed")
        return done.stdout.strip() if not code else f"{done.returncode}\n{done.stdout.strip()}"

    def number(self) -> int:
        with self.lock:
            self._next += 1
            return self._next

    # --- pull requests ---------------------------------------------------------------------------------------------

    def open(self, user: str, head: str, base: str, title: str, body: str) -> Pull:
        with self.lock:
            owner, colon, branch = head.rpartition(":")
            name = f"{owner}/{self.name.split('/')[1]}" if colon else self.name
            if not self.path(name).is_dir() or not self.head_of(name, branch):
                raise Refusal(422, "Validation Failed: head is invalid")
            if not self.head_of(self.name, base):
                raise Refusal(422, "Validation Failed: base is invalid")
            if any(
                p.state == "open" and (p.repository, p.branch, p.base) == (name, branch, base)
                for p in self.pulls.values()
            ):
                raise Refusal(422, f"A pull request already exists for {head}.")
            pull = Pull(self.number(), title, body, user, name, branch, base, created=time.time())
            if self.head(pull) == self.head_of(self.name, base):
                raise Refusal(422, f"No commits between {base} and {branch}")
            self.pulls[pull.number] = pull
            return pull

    def head_of(self, name: str, branch: str) -> str:
        code, _, sha = self.git(name, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", code=True).partition(
            "\n"
        )
        return sha if code == "0" else ""

    def head(self, pull: Pull) -> str:
        """Follows pushes while it is open; its objects are in the base repository under refs/pull/N/head."""
        if pull.state == "open":
            head = self.head_of(pull.repository, pull.branch) or pull.last_head
            if head != pull.last_head:
                if pull.repository != self.name:
                    self.git(self.name, "fetch", "--quiet", str(self.path(pull.repository)), head)
                self.git(self.name, "update-ref", f"refs/pull/{pull.number}/head", head)
                pull.last_head = head
                pull.heads.append((time.time(), head))
        return pull.last_head

    def pushes(self, name: str, branch: str) -> list[tuple[float, str, str]]:
        """(time, head, login) of the pushes to a branch, oldest first. Unless ``pushed`` says so, by the author."""
        found = []
        for pull in self.pulls.values():
            if (pull.repository, pull.branch) == (name, branch):
                self.head(pull)
                found += [(at, sha, self.pushed.get(sha, pull.user)) for at, sha in pull.heads]
        return sorted(found)

    @staticmethod
    def _base(pull: Pull) -> str:
        if pull.merge_commit:
            return pull.merged_into or f"{pull.merge_commit}^1"
        return f"refs/heads/{pull.base}"

    def commits(self, pull: Pull) -> list[tuple[str, str]]:
        """(id, message) of the commits of a pull request, oldest first."""
        base = self._base(pull)
        out = self.git(self.name, "log", "--reverse", "--format=%H%x00%B%x01", f"{base}..{self.head(pull)}")
        parts = [part.strip("\n").split("\0") for part in out.split("\x01") if part.strip("\n")]
        return [(sha, message) for sha, message in parts]

    def files(self, pull: Pull) -> list[tuple[str, str]]:
        head = self.head(pull)
        base = self._base(pull)
        out = self.git(self.name, "diff", "--name-status", "--no-renames", f"{base}...{head}")
        letters = {"A": "added", "M": "modified", "D": "removed"}
        return [(line.split("\t")[1], letters.get(line[0], "modified")) for line in out.splitlines()]

    def merge_tree(self, pull: Pull) -> str | None:
        """The tree a merge would give; None on a conflict."""
        answer = self.git(
            self.name, "merge-tree", "--write-tree", f"refs/heads/{pull.base}", self.head(pull), code=True
        )
        code, _, out = answer.partition("\n")
        return out.splitlines()[0] if code == "0" else None

    def merge(self, number: int, user: str, sha: str = "", method: str = "merge", message: str = "") -> str:
        with self.lock:
            pull = self.pull(number)
            self.require(user, "write")
            if pull.state != "open":
                raise Refusal(405, "Pull Request is not mergeable")
            head, base = self.head(pull), self.head_of(self.name, pull.base)
            if sha and sha != head:
                raise Refusal(409, "Head branch was modified. Review and try the merge again.")
            tree = self.merge_tree(pull)
            if tree is None:
                raise Refusal(409, "Merge conflict")
            self._protected(pull, head)
            message = (
                message
                or f"Merge pull request #{number} from {pull.repository.split('/')[0]}/{pull.branch}\n\n{pull.title}"
            )
            parents = ["-p", base] + (["-p", head] if method == "merge" else [])
            commit = self.git(self.name, "commit-tree", tree, *parents, "-m", message)
            self.git(self.name, "update-ref", f"refs/heads/{pull.base}", commit, base)
            pull.state, pull.merged_at, pull.merge_commit = "closed", time.time(), commit
            return commit

    def _protected(self, pull: Pull, head: str) -> None:
        rule = self.protection.get(pull.base)
        if rule is None:
            return
        newest = {s.context: s.state for s in sorted(self.statuses.get(head, []), key=lambda s: s.id)}
        for context in rule.contexts:
            if newest.get(context) != "success":
                raise Refusal(405, f'Required status check "{context}" is {newest.get(context, "expected")}.')
        last = {r.user: r for r in self.reviews.get(pull.number, [])}
        approving = [r for r in last.values() if r.state == "APPROVED" and r.commit == head]
        if len(approving) < rule.approvals:
            raise Refusal(405, f"At least {rule.approvals} approving review is required.")

    def pull(self, number: int) -> Pull:
        if number not in self.pulls:
            raise Refusal(404, "Not Found")
        return self.pulls[number]

    def raise_issue(self, user: str, title: str, body: str, labels: tuple[str, ...]) -> Issue:
        with self.lock:
            self._short(body)
            issue = Issue(self.number(), title, body, user, labels, created=time.time())
            self.issues[issue.number] = issue
            return issue

    def issue(self, number: int) -> Issue:
        if number not in self.issues:
            raise Refusal(404, "Not Found")
        return self.issues[number]

    def pulls_of(self, sha: str) -> list[Pull]:
        found = []
        for pull in self.pulls.values():
            head = self.head(pull)
            base = self._base(pull)
            own = self.git(self.name, "rev-list", head, f"^{base}").splitlines()
            if sha in own or sha == pull.merge_commit:
                found.append(pull)
        return found

    # --- what is said ----------------------------------------------------------------------------------------------

    def comment(self, number: int, user: str, body: str) -> Comment:
        with self.lock:
            if number not in self.issues:
                self.pull(number)
            self._short(body)
            now = time.time()
            comment = Comment(self.number(), number, user, body, now, now)
            self.comments.append(comment)
            return comment

    def edit(self, identifier: int, user: str, body: str) -> Comment:
        with self.lock:
            comment = self.comment_of(identifier)
            if comment.user != user:
                self.require(user, "write")
            self._short(body)
            comment.body, comment.updated = body, time.time()
            return comment

    def comment_of(self, identifier: int) -> Comment:
        found = next((c for c in self.comments if c.id == identifier), None)
        if found is None:
            raise Refusal(404, "Not Found")
        return found

    def comments_of(self, number: int) -> list[Comment]:
        return [c for c in self.comments if c.number == number]

    def review(self, number: int, user: str, event: str, body: str = "", commit: str = "") -> Review:
        with self.lock:
            pull = self.pull(number)
            if user == pull.user and event in ("APPROVE", "REQUEST_CHANGES"):
                raise Refusal(422, "Can not approve your own pull request")
            states = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}
            if event not in states:
                raise Refusal(422, f"{event} is no event")
            review = Review(self.number(), user, states[event], commit or self.head(pull), body, time.time())
            self.reviews.setdefault(number, []).append(review)
            return review

    def set_status(self, sha: str, user: str, context: str, state: str, description: str, url: str) -> Status:
        with self.lock:
            if self.git(self.name, "cat-file", "-t", sha, code=True) != "0\ncommit":
                raise Refusal(422, f"No commit found for SHA: {sha}")
            if len(description) > 140:
                raise Refusal(422, "Validation Failed: description is too long (maximum is 140 characters)")
            if state not in ("pending", "success", "failure", "error"):
                raise Refusal(422, f"Validation Failed: {state}")
            status = Status(self.number(), context, state, description, url, user, time.time())
            self.statuses.setdefault(sha, []).append(status)
            return status

    def require(self, user: str, permission: str) -> None:
        order = ["none", "read", "write", "admin"]
        has = self.users.get(user, User(user)).permission
        if order.index(has) < order.index(permission):
            raise Refusal(
                403, "Resource not accessible by integration" if user.endswith("[bot]") else "Must have write access"
            )

    def _short(self, body: str) -> None:
        if len(body) > COMMENT_LIMIT:
            raise Refusal(422, f"Body is too long (maximum is {COMMENT_LIMIT} characters)")
        if not body.strip():
            raise Refusal(422, "Body can't be blank")

    def _allow(self, name: str) -> None:
        for key in ("http.receivepack", "uploadpack.allowAnySHA1InWant", "uploadpack.allowFilter"):
            self.git(name, "config", key, "true")
