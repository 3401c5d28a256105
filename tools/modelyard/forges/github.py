"""GitHub (and GitHub Enterprise Server) through PyGithub: its retries, its paging, its waiting for rate limits."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError, UsageError, missing_extra
from modelyard.forges.ci import CI, repository_of
from modelyard.forges.github_errors import Unsure, told_error, unreachable
from modelyard.forges.interface import (
    LABEL,
    Change,
    Comment,
    Draft,
    Issue,
    Permission,
    Pull,
    Reaction,
    Status,
    merged_change,
    newest_change,
    report_at,
)
from modelyard.gate.approvals import Review
from modelyard.git import Git

if TYPE_CHECKING:
    from github import Github
    from github.PullRequest import PullRequest

COMMENT_LIMIT = 65_536
_ATTEMPTS = 3
_ACTIONS = "github-actions[bot]"
_OUTCOMES = {"APPROVED": "approved", "CHANGES_REQUESTED": "rejected", "DISMISSED": "dismissed"}


class GitHubForge:
    """One repository on GitHub."""

    comment_limit = COMMENT_LIMIT

    def __init__(self, git: Git, ci: CI) -> None:
        try:
            import github
        except ImportError as error:
            raise missing_extra("github", "PyGithub") from error
        logging.getLogger("github").setLevel(logging.CRITICAL)  # what it would log, our errors say
        self._errors = github
        self._git = git
        self._name = ci.repository
        self._page = f"{ci.server}/{ci.repository}"
        retry = github.GithubRetry(
            total=_ATTEMPTS, backoff_factor=0.5, max_rate_limit_wait=120, status_forcelist=[429, *range(500, 600)]
        )
        # A request that may have acted is not sent twice blindly: new comments are looked for first, then tried again.
        self._patient = self._client(ci, retry).get_repo(ci.repository)
        self._once = self._client(ci, None).get_repo(ci.repository)
        self._github = self._client(ci, retry)
        self._login: str | None = None

    @classmethod
    def connect(cls, git: Git, ci: CI) -> GitHubForge:
        """From the workflow's variables, or GITHUB_TOKEN and the remote; a UsageError that says what is missing."""
        server, repository = ci.server, ci.repository
        if not repository and (remote := git.remote()):
            server, repository = repository_of(git.remote_url(remote))
        if not repository:
            raise UsageError(
                "It is not known which GitHub repository this is.",
                "Add it as the remote origin, or set GITHUB_REPOSITORY to owner/name.",
            )
        if not ci.token:
            raise UsageError(
                "There is no token for GitHub.", "Set GITHUB_TOKEN (in a workflow: ${{ github.token }}) and run again."
            )
        api = ci.api or ("https://api.github.com" if server in ("", "https://github.com") else f"{server}/api/v3")
        return cls(git, CI(server, api, repository, ci.token, timeout=ci.timeout))

    def _client(self, ci: CI, retry: Any) -> Github:
        github = self._errors
        client: Github = github.Github(
            auth=github.Auth.Token(ci.token), base_url=ci.api, timeout=max(1, int(ci.timeout)), retry=retry,
            per_page=100, seconds_between_requests=None, seconds_between_writes=None, lazy=True,
        )  # fmt: skip
        return client

    # --- what was merged -------------------------------------------------------------------------------------------

    def last_change(self, path: str) -> Change | None:
        """The newest commit on main that touched ``path``, with the pull request that brought it."""
        return newest_change(self._git, self, path)

    def change_of(self, commit: str) -> Change:
        """What one commit of main brought."""
        return merged_change(self._git, self, self._git.commit_info(commit))

    def pulls_of(self, commit: str) -> list[Pull]:
        """The pull requests that hold a commit, or were merged as it."""
        with self._told(f"the pull requests of {commit[:12]}"):
            return [_pull(found) for found in self._patient.get_commit(commit).get_pulls()]

    # --- pull requests ---------------------------------------------------------------------------------------------

    def pull(self, number: int) -> Pull:
        """One pull request."""
        with self._told(f"pull request {number}"):
            return _pull(self._patient.get_pull(number))

    def open_pulls(self, branch: str = "", owner: str = "") -> list[Pull]:
        """Open pull requests from a branch of this repository, or of a fork's owner; '' for all."""
        head = {"head": f"{owner or self._name.split('/')[0]}:{branch}"} if branch else {}
        with self._told(f"the open pull requests {branch}".rstrip()):
            found = [_pull(pull) for pull in self._patient.get_pulls(state="open", **head)]
        return [pull for pull in found if branch in ("", pull.branch)]

    def open_or_refresh(self, draft: Draft) -> tuple[Pull, bool]:
        """Opens the branch's pull request, or edits title and body of the open one where they differ."""
        existing = next((p for p in self.open_pulls(draft.branch) if not p.from_fork and p.base == draft.base), None)
        with self._told(f"a pull request from {draft.branch}"):
            if existing is None:
                opened = self._patient.create_pull(
                    base=draft.base, head=draft.branch, title=draft.title, body=draft.body
                )
                return _pull(opened), True
            if (existing.title, existing.body) != (draft.title, draft.body):
                self._patient.get_pull(existing.number).edit(title=draft.title, body=draft.body)
            return existing, False

    def close(self, number: int) -> None:
        """Closes a pull request unmerged."""
        with self._told(f"pull request {number}"):
            self._patient.get_pull(number).edit(state="closed")

    def changed_files(self, number: int) -> list[str]:
        """Paths a pull request changes; of a rename both names."""
        with self._told(f"the files of pull request {number}"):
            found = []
            for file in self._patient.get_pull(number).get_files():
                found += [file.filename, *([file.previous_filename] if file.previous_filename else [])]
            return sorted(set(found))

    def reviews(self, number: int) -> tuple[Review, ...]:
        """All reviews, oldest first."""
        with self._told(f"the reviews of pull request {number}"):
            given = list(self._patient.get_pull(number).get_reviews())
        statuses = {commit: self.statuses(commit) for commit in {r.commit_id for r in given if r.commit_id}}
        found = []
        for review in given:
            at = int(review.submitted_at.timestamp()) if review.submitted_at else 0
            commit = review.commit_id or ""
            found.append(
                Review(
                    f"@{review.user.login}" if review.user else "@ghost",
                    _OUTCOMES.get(review.state, "commented"),  # type: ignore[arg-type]
                    commit,
                    at,
                    review.user is None or review.user.type == "Bot",
                    report_at(statuses.get(commit, []), at),
                )
            )
        return tuple(found)

    # --- comments --------------------------------------------------------------------------------------------------

    def comments(self, number: int) -> list[Comment]:
        """All comments, oldest first."""
        me = self._me()
        with self._told(f"the comments of pull request {number}"):
            return [
                Comment(c.id, c.body or "", c.user is not None and c.user.login == me, c.html_url)
                for c in self._patient.get_issue(number).get_comments()
            ]

    def write_comment(self, number: int, body: str, marker: str) -> Comment:
        """Edits our comment that holds ``marker``, or adds one. Looks again before it tries again."""
        for attempt in range(_ATTEMPTS):
            ours = next((c for c in self.comments(number) if c.ours and marker in c.body), None)
            if ours is not None and ours.body == body:
                return ours
            try:
                with self._told(f"the comment on pull request {number}"):
                    if ours is not None:
                        comment = self._patient.get_issue(number).get_comment(ours.id)
                        comment.edit(body)
                    else:
                        comment = self._once.get_issue(number).create_comment(body)
                    return Comment(comment.id, body, True, comment.html_url)
            except Unsure:
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def react(self, number: int, comment: int, reaction: Reaction) -> None:
        """Answers a comment with a reaction; the same reaction again changes nothing."""
        with self._told(f"the reaction to comment {comment}"):
            self._patient.get_issue(number).get_comment(comment).create_reaction(reaction)

    # --- issues ----------------------------------------------------------------------------------------------------

    def open_issues(self) -> list[Issue]:
        """The open issues with our label that this token's user wrote, newest first."""
        me = self._me()
        with self._told("the open issues"):
            found = self._patient.get_issues(state="open", labels=[LABEL])
            return [
                Issue(i.number, i.title, i.body or "", i.html_url)
                for i in found
                if i.pull_request is None and i.user is not None and i.user.login == me
            ]

    def write_issue(self, title: str, body: str, marker: str) -> tuple[Issue, bool]:
        """Edits our open issue that holds ``marker``, or opens one. Looks again before it tries again."""
        for attempt in range(_ATTEMPTS):
            ours = next((issue for issue in self.open_issues() if marker in issue.body), None)
            try:
                with self._told(f"the issue {title!r}"):
                    if ours is None:
                        opened = self._once.create_issue(title=title, body=body, labels=[LABEL])
                        return Issue(opened.number, title, body, opened.html_url), True
                    if (ours.title, ours.body) != (title, body):
                        self._patient.get_issue(ours.number).edit(title=title, body=body)
                    return Issue(ours.number, title, body, ours.url), attempt > 0
            except Unsure:
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def close_issue(self, number: int, said: str) -> None:
        """A last comment of ours, then closed."""
        self.write_comment(number, said, said)
        with self._told(f"issue {number}"):
            self._patient.get_issue(number).edit(state="closed")

    # --- statuses, people, workflows -------------------------------------------------------------------------------

    def set_status(self, commit: str, status: Status) -> None:
        """Sets a commit status unless it is the newest of its context already."""
        newest = next((s for s in self.statuses(commit) if s.context == status.context), None)
        if newest and (newest.state, newest.description) == (status.state, status.description):
            return
        with self._told(f"the status of {commit[:12]}"):
            extra = {"target_url": status.url} if status.url else {}
            self._patient.get_commit(commit).create_status(
                state=status.state, description=status.description, context=status.context, **extra
            )

    def statuses(self, commit: str) -> list[Status]:
        """Every status ever set on a commit, newest first."""
        me = self._me()
        with self._told(f"the statuses of {commit[:12]}"):
            return [
                Status(
                    s.context, s.state, s.description or "", s.target_url or "", int(s.created_at.timestamp()),  # type: ignore[arg-type]
                    s.creator is not None and s.creator.login == me,
                )
                for s in self._patient.get_commit(commit).get_statuses()
            ]  # fmt: skip

    def permission(self, handle: str) -> Permission:
        """What a login may do here; one that GitHub does not know, or no longer, may nothing."""
        with self._told(f"the permission of {handle}"):
            try:
                said = self._patient.get_collaborator_permission(handle.removeprefix("@"))
            except self._errors.UnknownObjectException:
                return "none"
        return said if said in ("none", "read", "write", "admin") else "none"  # type: ignore[return-value]

    def is_member(self, handle: str, team: str) -> bool:
        """Whether a login is an active member of @organisation/team."""
        organisation, _, slug = team.removeprefix("@").partition("/")
        with self._told(f"the members of {team} (that needs a token that may read the organisation)"):
            members = self._github.get_organization(organisation).get_team_by_slug(slug).get_members()
            return any(member.login.lower() == handle.removeprefix("@").lower() for member in members)

    def raw_url(self, branch: str, path: str) -> str:
        """Where a file of a branch is served as it is."""
        return f"{self._page}/raw/{branch}/{path}"

    def run_workflow(self, name: str, branch: str, inputs: dict[str, str]) -> None:
        """Starts a workflow that has ``workflow_dispatch``."""
        with self._told(f"the workflow {name}"):
            started = self._patient.get_workflow(name).create_dispatch(branch, inputs)
        if not started:
            raise ModelyardError(
                f"GitHub would not start the workflow {name} on {branch}.",
                "Its file must be on that branch with workflow_dispatch; the job needs permissions: actions: write.",
            )

    # --- inside ----------------------------------------------------------------------------------------------------

    def _me(self) -> str:
        """The login behind the token. A workflow's own token may not ask, and is the actions bot."""
        if self._login is None:
            try:
                self._login = self._github.get_user().login
            except self._errors.GithubException as error:
                if error.status not in (401, 403, 404):
                    raise told_error(self._errors, error, "who the token belongs to") from error
                self._login = _ACTIONS
            except OSError as error:
                raise unreachable(error, "who the token belongs to") from error
        return self._login

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._errors.GithubException as error:
            raise told_error(self._errors, error, what) from error
        except OSError as error:  # requests' exceptions are OSErrors
            raise unreachable(error, what) from error


def _pull(found: PullRequest) -> Pull:
    head = found.head
    fork = head.repo is None or head.repo.full_name != found.base.repo.full_name
    merged = found.merged_at is not None
    return Pull(
        found.number, found.title, found.body or "", found.user.login, head.sha, head.ref, found.base.ref,
        "merged" if merged else "closed" if found.state == "closed" else "open",
        fork, found.html_url, (found.merge_commit_sha or "") if merged else "",
    )  # fmt: skip
