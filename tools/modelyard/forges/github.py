"""GitHub and GitHub Enterprise Server through PyGithub, with its retries, its paging and its rate limits."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError, UsageError, missing_extra
from modelyard.forges.ci import CI, place_of
from modelyard.forges.github_activity import contribution_of
from modelyard.forges.github_errors import translated_error, unreachable_error
from modelyard.forges.github_settings import settings_of
from modelyard.forges.interface import (
    LABEL,
    Change,
    Comment,
    Contribution,
    Draft,
    ForgeSettings,
    Issue,
    Permission,
    Pull,
    Reaction,
    Status,
    UnknownResult,
    is_marked,
    merged_change,
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
_REVIEW_OUTCOMES = {"APPROVED": "approved", "CHANGES_REQUESTED": "rejected", "DISMISSED": "dismissed"}


class GitHubForge:
    """One repository on GitHub."""

    comment_limit = COMMENT_LIMIT
    measured_by = ".github/workflows/propose.yml"

    def __init__(self, git: Git, ci: CI) -> None:
        try:
            import github
        except ImportError as error:
            raise missing_extra("github", "PyGithub") from error
        logging.getLogger("github").setLevel(logging.CRITICAL)  # our errors say the same
        self._errors = github
        self._git = git
        self._name = ci.repository
        self._page = f"{ci.server}/{ci.repository}"
        retry = github.GithubRetry(
            total=_ATTEMPTS, backoff_factor=0.5, max_rate_limit_wait=120, status_forcelist=[429, *range(500, 600)]
        )
        # A request that creates something is not repeated blindly: our code first looks whether the first one acted.
        self._retrying = self._client(ci, retry).get_repo(ci.repository)
        self._once = self._client(ci, None).get_repo(ci.repository)
        self._github = self._client(ci, retry)
        self._login: str | None = None

    @classmethod
    def connect(cls, git: Git, ci: CI) -> GitHubForge:
        """The adapter by the workflow's variables, or by GITHUB_TOKEN and the remote; UsageError where one lacks."""
        server, repository = place_of(ci, git, "https://github.com", "GITHUB_SERVER_URL")
        if not repository:
            raise UsageError(
                "The GitHub repository of this clone is not known.",
                "Add it as the remote origin, or set GITHUB_REPOSITORY to owner/name.",
            )
        if not ci.token:
            raise UsageError(
                "The token for GitHub is missing.",
                "Set GITHUB_TOKEN (in a workflow: ${{ github.token }}) and run the command again.",
            )
        api = ci.api or ("https://api.github.com" if server == "https://github.com" else f"{server}/api/v3")
        return cls(git, CI(server=server, api=api, repository=repository, token=ci.token, timeout=ci.timeout))

    def _client(self, ci: CI, retry: Any) -> Github:
        github = self._errors
        client: Github = github.Github(
            auth=github.Auth.Token(ci.token), base_url=ci.api, timeout=max(1, int(ci.timeout)), retry=retry,
            per_page=100, seconds_between_requests=None, seconds_between_writes=None, lazy=True,
        )  # fmt: skip
        return client

    # --- merged changes ---------------------------------------------------------------------------------------------

    def change_of(self, commit: str, parent: str = "") -> Change:
        """The change of one commit of main."""
        return merged_change(self._git, self, self._git.commit_info(commit), parent)

    def pulls_of(self, commit: str) -> list[Pull]:
        """The pull requests that contain a commit, or were merged as that commit."""
        with self._translate_errors(f"the pull requests of {commit[:12]}"):
            return [_pull(found) for found in self._retrying.get_commit(commit).get_pulls()]

    # --- pull requests ---------------------------------------------------------------------------------------------

    def pull(self, number: int) -> Pull:
        """One pull request."""
        with self._translate_errors(f"pull request {number}"):
            return _pull(self._retrying.get_pull(number))

    def open_pulls(self, branch: str = "", owner: str = "") -> list[Pull]:
        """Open pull requests from a branch of this repository, or of ``owner``'s fork; '' for all branches."""
        head = {"head": f"{owner or self._name.split('/')[0]}:{branch}"} if branch else {}
        with self._translate_errors(f"the open pull requests {branch}".rstrip()):
            found = [_pull(pull) for pull in self._retrying.get_pulls(state="open", **head)]
        return [pull for pull in found if branch in ("", pull.branch)]

    def open_or_refresh(self, draft: Draft) -> tuple[Pull, bool]:
        """The open pull request of the draft's branch, and whether it is new. A changed title or body is updated."""
        existing = next((p for p in self.open_pulls(draft.branch) if not p.from_fork and p.base == draft.base), None)
        with self._translate_errors(f"a pull request from {draft.branch}"):
            if existing is None:
                opened = self._retrying.create_pull(
                    base=draft.base, head=draft.branch, title=draft.title, body=draft.body
                )
                return _pull(opened), True
            if (existing.title, existing.body) != (draft.title, draft.body):
                self._retrying.get_pull(existing.number).edit(title=draft.title, body=draft.body)
            return existing, False

    def close(self, number: int) -> None:
        """Closes a pull request without a merge."""
        with self._translate_errors(f"pull request {number}"):
            self._retrying.get_pull(number).edit(state="closed")

    def contribution(self, number: int) -> Contribution:
        """The commits of a pull request, their authors and committers, and who pushed by the branch's activity."""
        with self._translate_errors(f"the commits of pull request {number}"):
            return contribution_of(self._github, self._errors, self._retrying.get_pull(number))

    def changed_files(self, number: int) -> list[str]:
        """The paths that a pull request changes, with both names of a rename."""
        with self._translate_errors(f"the files of pull request {number}"):
            found = []
            for file in self._retrying.get_pull(number).get_files():
                found += [file.filename, *([file.previous_filename] if file.previous_filename else [])]
            return sorted(set(found))

    def reviews(self, number: int) -> tuple[Review, ...]:
        """All reviews, oldest first."""
        with self._translate_errors(f"the reviews of pull request {number}"):
            given = list(self._retrying.get_pull(number).get_reviews())
        statuses = {commit: self.statuses(commit) for commit in {r.commit_id for r in given if r.commit_id}}
        found = []
        for review in given:
            at = int(review.submitted_at.timestamp()) if review.submitted_at else 0
            commit = review.commit_id or ""
            found.append(
                Review(
                    author=f"@{review.user.login}" if review.user else "@ghost",
                    outcome=_REVIEW_OUTCOMES.get(review.state, "commented"),  # type: ignore[arg-type]
                    commit=commit,
                    at=at,
                    bot=review.user is None or review.user.type == "Bot",
                    report=report_at(statuses.get(commit, []), at),
                )
            )
        return tuple(found)

    # --- comments --------------------------------------------------------------------------------------------------

    def comments(self, number: int) -> list[Comment]:
        """All comments, oldest first."""
        me = self._me()
        with self._translate_errors(f"the comments of pull request {number}"):
            return [
                Comment(c.id, c.body or "", c.user is not None and c.user.login == me, c.html_url)
                for c in self._retrying.get_issue(number).get_comments()
            ]

    def write_comment(self, number: int, body: str, marker: str) -> Comment:
        """Updates our comment that begins with ``marker``, or adds one. Each attempt looks for it first."""
        for attempt in range(_ATTEMPTS):
            ours = next((c for c in self.comments(number) if c.ours and is_marked(c.body, marker)), None)
            if ours is not None and ours.body == body:
                return ours
            try:
                with self._translate_errors(f"the comment on pull request {number}"):
                    if ours is not None:
                        comment = self._retrying.get_issue(number).get_comment(ours.id)
                        comment.edit(body)
                    else:
                        comment = self._once.get_issue(number).create_comment(body)
                    return Comment(comment.id, body, True, comment.html_url)
            except UnknownResult:
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def react(self, number: int, comment: int, reaction: Reaction) -> None:
        """Adds a reaction to a comment, once."""
        with self._translate_errors(f"the reaction to comment {comment}"):
            self._retrying.get_issue(number).get_comment(comment).create_reaction(reaction)

    # --- issues ----------------------------------------------------------------------------------------------------

    def open_issues(self) -> list[Issue]:
        """The open issues with our label by this token's user, newest first."""
        me = self._me()
        with self._translate_errors("the open issues"):
            return [
                Issue(i.number, i.title, i.body or "", i.html_url)
                for i in self._retrying.get_issues(state="open", labels=[LABEL])
                if i.pull_request is None and i.user is not None and i.user.login == me
            ]

    def write_issue(self, title: str, body: str, marker: str) -> tuple[Issue, bool]:
        """Updates our open issue that begins with ``marker``, or opens one. Each attempt looks for it first."""
        for attempt in range(_ATTEMPTS):
            ours = next((issue for issue in self.open_issues() if is_marked(issue.body, marker)), None)
            try:
                with self._translate_errors(f"the issue {title!r}"):
                    if ours is None:
                        opened = self._once.create_issue(title=title, body=body, labels=[LABEL])
                        return Issue(opened.number, title, body, opened.html_url), True
                    if (ours.title, ours.body) != (title, body):
                        self._retrying.get_issue(ours.number).edit(title=title, body=body)
                    return Issue(ours.number, title, body, ours.url), attempt > 0
            except UnknownResult:
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def close_issue(self, number: int, comment: str) -> None:
        """Adds a last comment, once, and closes the issue."""
        self.write_comment(number, comment, comment)
        with self._translate_errors(f"issue {number}"):
            self._retrying.get_issue(number).edit(state="closed")

    # --- statuses, people, workflows -------------------------------------------------------------------------------

    def set_status(self, commit: str, status: Status) -> None:
        """Sets a commit status, unless the newest one of its context is the same."""
        newest = next((s for s in self.statuses(commit) if s.context == status.context), None)
        if newest and (newest.state, newest.description) == (status.state, status.description):
            return
        with self._translate_errors(f"the status of {commit[:12]}"):
            url = {"target_url": status.url} if status.url else {}
            said = {"state": status.state, "description": status.description, "context": status.context}
            self._retrying.get_commit(commit).create_status(**said, **url)

    def statuses(self, commit: str) -> list[Status]:
        """All statuses of a commit, newest first."""
        me = self._me()
        with self._translate_errors(f"the statuses of {commit[:12]}"):
            return [
                Status(
                    context=s.context,
                    state=s.state,  # type: ignore[arg-type]
                    description=s.description or "",
                    url=s.target_url or "",
                    at=int(s.created_at.timestamp()),
                    ours=s.creator is not None and s.creator.login == me,
                )
                for s in self._retrying.get_commit(commit).get_statuses()
            ]

    def permission(self, handle: str) -> Permission:
        """The permission of a login in this repository; ``none`` for an unknown login."""
        with self._translate_errors(f"the permission of {handle}"):
            try:
                level = self._retrying.get_collaborator_permission(handle.removeprefix("@"))
            except self._errors.UnknownObjectException:
                return "none"
        return level if level in ("none", "read", "write", "admin") else "none"  # type: ignore[return-value]

    def is_member(self, handle: str, team: str) -> bool:
        """Whether a login is an active member of @organisation/team."""
        organisation, _, slug = team.removeprefix("@").partition("/")
        with self._translate_errors(f"the members of {team} (the token needs read permission for the organisation)"):
            members = self._github.get_organization(organisation).get_team_by_slug(slug).get_members()
            return any(member.login.lower() == handle.removeprefix("@").lower() for member in members)

    def raw_url(self, branch: str, path: str) -> str:
        """The URL of a file of a branch, as plain content."""
        return f"{self._page}/raw/{branch}/{path}"

    def file_url(self, commit: str, path: str) -> str:
        """The URL of the page of a file at a commit."""
        return f"{self._page}/blob/{commit}/{path}"

    def measure_again(self, pull: Pull) -> None:
        """Starts the workflow on the pull request's branch. It must have ``workflow_dispatch``."""
        name = self.measured_by.rpartition("/")[2]
        with self._translate_errors(f"the workflow {name}"):
            started = self._retrying.get_workflow(name).create_dispatch(pull.branch, {"commit": pull.head})
        if not started:
            remedy = "Its file must be on that branch, with workflow_dispatch; the job needs actions: write."
            raise ModelyardError(f"GitHub did not start the workflow {name} on {pull.branch}.", remedy)

    def settings(self) -> ForgeSettings:
        """The default branch, required statuses (of protections and rulesets), and names of secrets."""
        with self._translate_errors("the settings of the repository"):
            return settings_of(self._github, self._errors, self._name)

    # --- internal --------------------------------------------------------------------------------------------------

    def _me(self) -> str:
        """The login of the token's user. A workflow's own token may not read it; its user is the actions bot."""
        if self._login is None:
            try:
                self._login = self._github.get_user().login
            except self._errors.GithubException as error:
                if error.status not in (401, 403, 404):
                    raise translated_error(self._errors, error, "the user of the token") from error
                self._login = _ACTIONS
            except OSError as error:
                raise unreachable_error(error, "the user of the token") from error
        return self._login

    @contextmanager
    def _translate_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._errors.GithubException as error:
            raise translated_error(self._errors, error, what) from error
        except OSError as error:  # requests' exceptions are OSErrors
            raise unreachable_error(error, what) from error


def _pull(found: PullRequest) -> Pull:
    head = found.head
    fork = head.repo is None or head.repo.full_name != found.base.repo.full_name
    merged = found.merged_at is not None
    return Pull(
        number=found.number, title=found.title, body=found.body or "", author=found.user.login,
        head=head.sha, branch=head.ref, base=found.base.ref,
        state="merged" if merged else "closed" if found.state == "closed" else "open",
        from_fork=fork, url=found.html_url, merge_commit=(found.merge_commit_sha or "") if merged else "",
    )  # fmt: skip
