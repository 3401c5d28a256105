"""GitLab through python-gitlab: merge requests, notes, commit statuses, and approvals by its system notes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from modelyard.errors import UsageError, missing_extra
from modelyard.forges.ci import CI, place_of
from modelyard.forges.gitlab_activity import contribution_of, reviews_of
from modelyard.forges.gitlab_errors import translated_error, unreachable_error
from modelyard.forges.gitlab_measured import archive_of, jobs_named, measured_of
from modelyard.forges.gitlab_settings import settings_of
from modelyard.forges.interface import (
    LABEL,
    Change,
    Comment,
    Contribution,
    Draft,
    ForgeSettings,
    Issue,
    Measured,
    Permission,
    Pull,
    Reaction,
    Status,
    UnknownResult,
    is_marked,
    merged_change,
)
from modelyard.gate.approvals import Review
from modelyard.git import Git

COMMENT_LIMIT = 1_000_000
# Only reads are retried. Before a write is repeated, our code looks whether the first one acted.
_READ: dict[str, Any] = {"retry_transient_errors": True, "max_retries": 3}
_ALL: dict[str, Any] = {"iterator": True, "per_page": 100, **_READ}
_STATES = {"opened": "open", "merged": "merged"}
_TO_GITLAB = {"pending": "pending", "success": "success", "failure": "failed", "error": "failed"}
_FROM_GITLAB = {"success": "success", "failed": "failure", "canceled": "error"}
_EMOJI: dict[Reaction, str] = {"eyes": "eyes", "+1": "thumbsup", "-1": "thumbsdown", "confused": "confused"}


class GitLabForge:
    """One project on GitLab."""

    comment_limit = COMMENT_LIMIT
    measured_by = ".gitlab-ci.yml"

    def __init__(self, git: Git, ci: CI) -> None:
        try:
            import gitlab
        except ImportError as error:
            raise missing_extra("gitlab", "python-gitlab") from error
        self._errors = gitlab.exceptions
        self._git = git
        self._gitlab = gitlab.Gitlab(ci.api or ci.server, private_token=ci.token, timeout=ci.timeout)
        self._path = ci.repository
        self._page = f"{ci.server}/{ci.repository}"
        self._project = self._gitlab.projects.get(ci.repository, lazy=True)
        self._pipeline, self._login = ci.pipeline, ""

    @classmethod
    def connect(cls, git: Git, ci: CI) -> GitLabForge:
        """The adapter by the pipeline's variables, or by MODELYARD_TOKEN and the remote; UsageError where one lacks."""
        server, repository = place_of(ci, git, "https://gitlab.com", "CI_SERVER_URL")
        if not repository:
            raise UsageError("The GitLab project of this clone is not known.", "Add it as the remote origin.")
        if not ci.token:
            raise UsageError(
                "The token for GitLab is missing.",
                "Set MODELYARD_TOKEN to a project access token with the scopes api and write_repository.",
            )
        return cls(git, replace(ci, server=server, repository=repository))

    # --- merged changes ---------------------------------------------------------------------------------------------

    def change_of(self, commit: str, parent: str = "") -> Change:
        """The change of one commit of main."""
        return merged_change(self._git, self, self._git.commit_info(commit), parent)

    def pulls_of(self, commit: str) -> list[Pull]:
        """The merge requests that contain a commit, or were merged as that commit."""
        with self._translate_errors(f"the merge requests of {commit[:12]}"):
            found = self._project.commits.get(commit, lazy=True).merge_requests(**_READ)
            return [self._pull(request) for request in found]

    # --- merge requests --------------------------------------------------------------------------------------------

    def pull(self, number: int) -> Pull:
        """One merge request by its number in the project."""
        with self._translate_errors(f"merge request {number}"):
            return self._pull(self._project.mergerequests.get(number, **_READ).attributes)

    def open_pulls(self, branch: str = "", owner: str = "") -> list[Pull]:
        """Open merge requests from a branch; '' for all branches."""
        source: dict[str, Any] = {"source_branch": branch} if branch else {}
        with self._translate_errors(f"the open merge requests {branch}".rstrip()):
            found = self._project.mergerequests.list(state="opened", **(source | _ALL))
            return [self._pull(request.attributes) for request in found]

    def open_or_refresh(self, draft: Draft) -> tuple[Pull, bool]:
        """The open merge request of the draft's branch, and whether it is new. A changed title or text is updated."""
        existing = next((p for p in self.open_pulls(draft.branch) if not p.from_fork and p.base == draft.base), None)
        with self._translate_errors(f"a merge request from {draft.branch}"):
            if existing is None:
                values = {"source_branch": draft.branch, "target_branch": draft.base, "title": draft.title,
                          "description": draft.body}  # fmt: skip
                return self._pull(self._project.mergerequests.create(values).attributes), True
            if (existing.title, existing.body) != (draft.title, draft.body):
                self._project.mergerequests.update(existing.number, {"title": draft.title, "description": draft.body})
            return existing, False

    def close(self, number: int) -> None:
        """Closes a merge request without a merge."""
        with self._translate_errors(f"merge request {number}"):
            self._project.mergerequests.update(number, {"state_event": "close"})

    def changed_files(self, number: int) -> list[str]:
        """The paths that a merge request changes, with both names of a rename."""
        with self._translate_errors(f"the files of merge request {number}"):
            paths: set[str] = set()
            url = f"/projects/{self._quoted}/merge_requests/{number}/diffs"
            for diff in self._gitlab.http_list(url, **_ALL):
                paths |= {diff["old_path"], diff["new_path"]}
            return sorted(paths)

    def contribution(self, number: int) -> Contribution:
        """The commits of a merge request, their authors and committers, and who pushed by the project's events."""
        with self._translate_errors(f"the commits of merge request {number}"):
            return contribution_of(self._gitlab, self._errors, self._project.mergerequests.get(number, **_READ))

    def reviews(self, number: int) -> tuple[Review, ...]:
        """All approvals and withdrawn approvals, oldest first; the commit of each is the head at that time."""
        with self._translate_errors(f"the approvals of merge request {number}"):
            request = self._project.mergerequests.get(number, lazy=True)
            notes = [n.attributes for n in request.notes.list(sort="asc", order_by="created_at", **_ALL)]
            url = f"/projects/{self._quoted}/merge_requests/{number}/versions"
            found = sorted(self._gitlab.http_list(url, **_ALL), key=lambda v: (_seconds(v["created_at"]), v["id"]))
            versions = [(_seconds(v["created_at"]), v["head_commit_sha"]) for v in found]
        return reviews_of(notes, versions, self.statuses)

    # --- comments --------------------------------------------------------------------------------------------------

    def comments(self, number: int) -> list[Comment]:
        """All notes of people and bots, oldest first, without system notes."""
        me = self._me()
        with self._translate_errors(f"the comments of merge request {number}"):
            request = self._project.mergerequests.get(number, lazy=True)
            notes = [n.attributes for n in request.notes.list(sort="asc", order_by="created_at", **_ALL)]
        return [Comment(n["id"], n["body"], n["author"]["username"] == me) for n in notes if not n["system"]]

    def write_comment(self, number: int, body: str, marker: str) -> Comment:
        """Updates our note that begins with ``marker``, or adds one. Each attempt looks for it first."""
        for attempt in range(3):
            ours = next((c for c in self.comments(number) if c.ours and is_marked(c.body, marker)), None)
            if ours is not None and ours.body == body:
                return ours
            try:
                with self._translate_errors(f"the comment on merge request {number}"):
                    notes = self._project.mergerequests.get(number, lazy=True).notes
                    if ours is not None:
                        notes.update(ours.id, {"body": body})
                        return Comment(ours.id, body, True)
                    return Comment(notes.create({"body": body}).id, body, True)
            except UnknownResult:
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    def react(self, number: int, comment: int, reaction: Reaction) -> None:
        """Adds an emoji to a note, once."""
        with self._translate_errors(f"the reaction to comment {comment}"):
            note = self._project.mergerequests.get(number, lazy=True).notes.get(comment, lazy=True)
            try:
                note.awardemojis.create({"name": _EMOJI[reaction]})
            except self._errors.GitlabCreateError as error:
                if "already" not in str(error.error_message):
                    raise

    # --- issues ----------------------------------------------------------------------------------------------------

    def open_issues(self) -> list[Issue]:
        """The open issues with our label by this token's user, newest first."""
        me = self._me()
        with self._translate_errors("the open issues"):
            found = [i.attributes for i in self._project.issues.list(state="opened", labels=[LABEL], **_ALL)]
        return [
            Issue(i["iid"], i["title"], i["description"] or "", i["web_url"])
            for i in found
            if i["author"]["username"] == me
        ]

    def write_issue(self, title: str, body: str, marker: str) -> tuple[Issue, bool]:
        """Updates our open issue that begins with ``marker``, or opens one. Each attempt looks for it first."""
        for attempt in range(3):
            ours = next((issue for issue in self.open_issues() if is_marked(issue.body, marker)), None)
            try:
                with self._translate_errors(f"the issue {title!r}"):
                    if ours is None:
                        made = self._project.issues.create({"title": title, "description": body, "labels": LABEL})
                        return Issue(made.iid, title, body, made.web_url), True
                    if (ours.title, ours.body) != (title, body):
                        self._project.issues.update(ours.number, {"title": title, "description": body})
                    return Issue(ours.number, title, body, ours.url), attempt > 0
            except UnknownResult:
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    def close_issue(self, number: int, comment: str) -> None:
        """Adds a last note, once, and closes the issue."""
        with self._translate_errors(f"issue {number}"):
            notes = self._project.issues.get(number, lazy=True).notes
            if all(note.body != comment for note in notes.list(**_ALL)):
                notes.create({"body": comment})
            self._project.issues.update(number, {"state_event": "close"})

    # --- statuses, people, pipelines -------------------------------------------------------------------------------

    def set_status(self, commit: str, status: Status) -> None:
        """Sets a commit status, unless the newest one of its context is the same."""
        newest = next((s for s in self.statuses(commit) if s.context == status.context), None)
        if (
            newest
            and (newest.state, newest.description) == (status.state, status.description)
            and (
                newest.url == status.url or status.state == "pending"  # GitLab refuses pending after pending
            )
        ):
            return
        values = {"state": _TO_GITLAB[status.state], "name": status.context, "description": status.description}
        if status.url:
            values["target_url"] = status.url
        with self._translate_errors(f"the status of {commit[:12]}"):
            self._project.commits.get(commit, lazy=True).statuses.create(values)

    def statuses(self, commit: str) -> list[Status]:
        """All statuses of a commit, newest first."""
        me = self._me()
        with self._translate_errors(f"the statuses of {commit[:12]}"):
            found = self._project.commits.get(commit, lazy=True).statuses.list(all=True, **_ALL)
            newest_first = sorted((s.attributes for s in found), key=lambda s: int(s["id"]), reverse=True)
        return [
            Status(
                context=s["name"],
                state=_FROM_GITLAB.get(s["status"], "pending"),  # type: ignore[arg-type]
                description=s["description"] or "",
                url=s["target_url"] or "",
                at=_seconds(s["created_at"]),
                ours=s["author"]["username"] == me,
            )
            for s in newest_first
        ]

    def permission(self, handle: str) -> Permission:
        """The permission of a user in this project, also by a group. A developer may push."""
        name = handle.removeprefix("@")
        with self._translate_errors(f"the permission of {handle}"):
            found = self._project.members_all.list(query=name, **_ALL)
            level = max((m.access_level for m in found if m.username.lower() == name.lower()), default=0)
        return "admin" if level >= 40 else "write" if level >= 30 else "read" if level >= 10 else "none"

    def is_member(self, handle: str, team: str) -> bool:
        """Whether a user belongs to @group or @group/subgroup."""
        with self._translate_errors(f"the members of {team}"):
            members = self._gitlab.groups.get(team.removeprefix("@"), lazy=True).members_all.list(**_ALL)
            return any(member.username.lower() == handle.removeprefix("@").lower() for member in members)

    def raw_url(self, branch: str, path: str) -> str:
        """The URL of a file of a branch, as plain content."""
        return f"{self._page}/-/raw/{branch}/{path}"

    def file_url(self, commit: str, path: str) -> str:
        """The URL of the page of a file at a commit."""
        return f"{self._page}/-/blob/{commit}/{path}"

    def measure_again(self, pull: Pull) -> None:
        """Starts a pipeline of the merge request. It has no protected variable, so not the token."""
        with self._translate_errors(f"a pipeline of merge request {pull.number}"):
            self._project.mergerequests.get(pull.number, lazy=True).pipelines.create({})

    def measured(self) -> list[Measured]:
        """The finished measuring job of each open merge request, of pipelines in this project alone."""
        pulls = self.open_pulls()
        with self._translate_errors("the jobs that measured"):
            return measured_of(self._gitlab, f"/projects/{self._quoted}", pulls)

    def jobs_beside(self, name: str) -> list[int]:
        """The jobs of this process's own pipeline with a name, and those for models on runners."""
        if not self._pipeline:
            raise UsageError("This is no pipeline of GitLab, so no jobs ran beside it.", "Name a folder.")
        with self._translate_errors(f"the jobs {name} of pipeline {self._pipeline}"):
            return [job["id"] for job in jobs_named(self._gitlab, f"/projects/{self._quoted}", self._pipeline, name)]

    def archive(self, job: int, limit: int) -> bytes | None:
        """The zip archive that a job left; None where it left none. A longer one is cut at ``limit`` + 1 bytes."""
        with self._translate_errors(f"the archive of job {job}"):
            return archive_of(self._project, self._errors, job, limit)

    def settings(self) -> ForgeSettings:
        """The default branch, whether a merge needs the pipeline, and names of variables."""
        with self._translate_errors("the settings of the project"):
            return settings_of(self._gitlab, self._errors, self._path)

    # --- internal --------------------------------------------------------------------------------------------------

    @property
    def _quoted(self) -> str:
        return self._path.replace("/", "%2F")

    def _me(self) -> str:
        if not self._login:
            with self._translate_errors("the user of the token"):
                self._gitlab.auth()
            self._login = self._gitlab.user.username if self._gitlab.user else ""
        return self._login

    def _pull(self, found: dict[str, Any]) -> Pull:
        merged = found["state"] == "merged"
        merge_commit = found.get("merge_commit_sha") or found.get("squash_commit_sha") or found["sha"] or ""
        return Pull(
            number=found["iid"], title=found["title"], body=found["description"] or "",
            author=found["author"]["username"], head=found["sha"] or "",
            branch=found["source_branch"], base=found["target_branch"],
            state=_STATES.get(found["state"], "closed"),  # type: ignore[arg-type]
            from_fork=found["source_project_id"] != found["target_project_id"], url=found["web_url"],
            merge_commit=merge_commit if merged else "",
        )  # fmt: skip

    @contextmanager
    def _translate_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._errors.GitlabError as error:
            raise translated_error(error, what) from error
        except OSError as error:  # requests' exceptions are OSErrors
            raise unreachable_error(error) from error


def _seconds(stamp: str) -> int:
    return int(datetime.fromisoformat(stamp).timestamp())
