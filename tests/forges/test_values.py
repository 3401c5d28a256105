"""How the values of GitHub and GitLab become ours, and what is tried again, with libraries that send nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace as Object
from typing import Any

import pytest
from modelyard.errors import ModelyardError
from modelyard.forges.ci import CI
from modelyard.forges.github import GitHubForge
from modelyard.forges.gitlab import GitLabForge
from modelyard.forges.interface import (
    LABEL,
    VERDICT,
    Comment,
    Draft,
    Issue,
    State,
    Status,
    UnknownResult,
    verdict_status,
)
from support.pulls import MemoryGit, a_pull, as_git

A = "a" * 64
ME = "github-actions[bot]"
MARK = "<!-- modelyard:report churn -->"


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class Answers:
    """Calls that give one answer after the other, and raise those that are exceptions; every call is kept."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls.append((arguments, named))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


# --- GitHub -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hub() -> Any:
    """A GitHub adapter whose repository is an empty object; the test gives it the calls it needs."""
    forge: Any = GitHubForge.connect(as_git(MemoryGit()), CI(repository="acme/models", token="t"))
    forge._retrying, forge._once = Object(), Object()
    forge._github = Object(get_user=lambda: Object(login=ME))
    return forge


def hub_error(forge: Any, status: int, message: str = "no") -> Exception:
    kinds = forge._errors
    kind = {404: kinds.UnknownObjectException}.get(status, kinds.GithubException)
    error: Exception = kind(status, {"message": message}, {})
    return error


def hub_pull(**changes: Any) -> Any:
    base = Object(ref="main", repo=Object(full_name="acme/models"))
    head = Object(sha="c" * 40, ref="feature", repo=base.repo)
    return Object(**({
        "number": 7, "title": "A", "body": None, "user": Object(login="ada"), "head": head, "base": base, "state": "open",
        "merged_at": None, "merge_commit_sha": "d" * 40, "html_url": "https://x/7",
    } | changes))  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "state", "from_fork", "merge_commit"),
    [
        ({}, "open", False, ""),
        ({"state": "closed"}, "closed", False, ""),
        ({"state": "closed", "merged_at": at(5)}, "merged", False, "d" * 40),
        ({"state": "closed", "merged_at": at(5), "merge_commit_sha": None}, "merged", False, ""),
        ({"head": Object(sha="c" * 40, ref="main", repo=Object(full_name="eve/models"))}, "open", True, ""),
        ({"head": Object(sha="c" * 40, ref="main", repo=None)}, "open", True, ""),
    ],
    ids=["open", "closed", "merged", "merged without a commit", "fork", "deleted fork"],
)
def test_github_pull_requests(
    hub: Any, changes: dict[str, Any], state: str, from_fork: bool, merge_commit: str
) -> None:
    hub._retrying.get_pull = lambda number: hub_pull(**changes)
    pull = hub.pull(7)
    assert (pull.number, pull.body, pull.author, pull.head, pull.base) == (7, "", "ada", "c" * 40, "main")
    assert (pull.state, pull.from_fork, pull.merge_commit) == (state, from_fork, merge_commit)


def test_github_open_pulls_ask_for_a_branch_of_an_owner_and_check_it(hub: Any) -> None:
    hub._retrying.get_pulls = Answers([hub_pull(), hub_pull(number=8, head=hub_pull(ref="x").head)])
    assert [pull.number for pull in hub.open_pulls("feature")] == [7, 8]
    hub.open_pulls("feature", "eve")
    hub.open_pulls()
    asked = [named.get("head") for _, named in hub._retrying.get_pulls.calls]
    assert asked == ["acme:feature", "eve:feature", None]
    assert hub.open_pulls("other") == []


def test_github_drafts_are_opened_or_updated_where_they_differ(hub: Any) -> None:
    edited, made = Answers(None), Answers(hub_pull(number=9))
    hub._retrying.get_pulls = Answers([], [hub_pull(body="b")])
    hub._retrying.create_pull, hub._retrying.get_pull = made, lambda number: Object(edit=edited)
    assert hub.open_or_refresh(Draft("feature", "main", "A", "b"))[1] is True
    assert hub.open_or_refresh(Draft("feature", "main", "A", "b")) == (hub.open_pulls()[0], False)
    assert edited.calls == [], "the same title and text are not written"
    hub.open_or_refresh(Draft("feature", "main", "A", "new"))
    assert edited.calls == [((), {"title": "A", "body": "new"})]


def test_github_reviews_are_bound_to_the_report_of_their_time(hub: Any) -> None:
    def review(state: str, login: str | None, seconds: int | None, kind: str = "User", commit: str | None = "c") -> Any:
        user = Object(login=login, type=kind) if login else None
        return Object(
            state=state, user=user, commit_id=commit, submitted_at=at(seconds) if seconds is not None else None
        )

    given = [
        review("APPROVED", "grace", 20), review("CHANGES_REQUESTED", "carol", 10), review("DISMISSED", "dora", 30),
        review("COMMENTED", "eve", 30), review("PENDING", "fay", None), review("APPROVED", None, 30, commit=None),
        review("APPROVED", ME, 30, "Bot"),
    ]  # fmt: skip
    verdict = verdict_status("success", "ok", A, "")
    status = Object(context=VERDICT, state="success", description=verdict.description, target_url=None,
                    created_at=at(15), creator=Object(login=ME))  # fmt: skip
    hub._retrying.get_pull = lambda number: Object(get_reviews=lambda: given)
    hub._retrying.get_commit = lambda sha: Object(get_statuses=lambda: [status])
    found = [(r.author, r.outcome, r.commit, r.at, r.bot, r.report) for r in hub.reviews(7)]
    assert found == [
        ("@grace", "approved", "c", 20, False, A),
        ("@carol", "rejected", "c", 10, False, ""),
        ("@dora", "dismissed", "c", 30, False, A),
        ("@eve", "commented", "c", 30, False, A),
        ("@fay", "commented", "c", 0, False, ""),
        ("@ghost", "approved", "", 30, True, ""),
        (f"@{ME}", "approved", "c", 30, True, A),
    ]


def test_github_statuses_are_ours_only_by_our_own_login(hub: Any) -> None:
    def status(creator: Any) -> Any:
        return Object(context="x", state="success", description=None, target_url="u", created_at=at(3), creator=creator)

    statuses = [status(Object(login=ME)), status(Object(login="ada")), status(None)]
    created = Answers(None)
    hub._retrying.get_commit = lambda sha: Object(get_statuses=lambda: statuses, create_status=created)
    assert [(s.ours, s.description, s.url, s.at) for s in hub.statuses("c")] == [
        (True, "", "u", 3), (False, "", "u", 3), (False, "", "u", 3),
    ]  # fmt: skip
    hub.set_status("c", Status("x", "success", ""))
    assert created.calls == [], "the same status again sets nothing"
    hub.set_status("c", Status("x", "failure", "d", "https://ci"))
    hub.set_status("c", Status("y", "success", "d"))
    assert [named for _, named in created.calls] == [
        {"state": "failure", "description": "d", "context": "x", "target_url": "https://ci"},
        {"state": "success", "description": "d", "context": "y"},
    ]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("admin", "admin"), ("write", "write"), ("read", "read"), ("none", "none"), ("owner", "none"), (404, "none")],
)
def test_github_permissions(hub: Any, answer: Any, expected: str) -> None:
    asked = Answers(hub_error(hub, answer) if isinstance(answer, int) else answer)
    hub._retrying.get_collaborator_permission = asked
    assert hub.permission("@ada") == expected and asked.calls == [(("ada",), {})]


def test_github_teams(hub: Any) -> None:
    team = Object(get_members=lambda: [Object(login="Grace")])
    slugs = Answers(team)
    hub._github.get_organization = lambda name: Object(get_team_by_slug=slugs)
    assert hub.is_member("@grace", "@acme/risk") and not hub.is_member("@ada", "@acme/risk")
    assert slugs.calls[0] == (("risk",), {})


@pytest.mark.parametrize(("status", "login"), [(401, ME), (403, ME), (404, ME), (500, None)])
def test_github_a_workflows_own_token_is_the_actions_bot(hub: Any, status: int, login: str | None) -> None:
    hub._github.get_user = Answers(hub_error(hub, status))
    if login is None:
        with pytest.raises(UnknownResult, match="answered 500 for the user of the token"):
            hub._me()
        return
    assert hub._me() == login and hub._me() == login and len(hub._github.get_user.calls) == 1


def hub_comment(number: int, body: str | None, login: str | None) -> Any:
    user = Object(login=login) if login else None
    return Object(id=number, body=body, user=user, html_url=f"u{number}")


def test_github_a_comment_is_tried_again_only_after_looking(hub: Any) -> None:
    mine = hub_comment(3, f"{MARK}\none", ME)
    created = Answers(hub_error(hub, 502))
    hub._once.get_issue = lambda number: Object(create_comment=created)
    hub._retrying.get_issue = lambda number: Object(get_comments=Answers([]))
    with pytest.raises(UnknownResult, match="answered 502"):
        hub.write_comment(7, f"{MARK}\none", MARK)
    assert len(created.calls) == 3
    listed = Answers([hub_comment(1, None, None), hub_comment(2, f"{MARK}\ntheirs", "eve")], [mine])
    hub._retrying.get_issue = lambda number: Object(get_comments=listed)
    created.calls.clear()
    assert hub.write_comment(7, f"{MARK}\none", MARK) == Comment(3, f"{MARK}\none", True, "u3")
    assert len(created.calls) == 1, "the first attempt had acted"


def test_github_an_error_that_says_no_is_not_tried_again(hub: Any) -> None:
    created = Answers(hub_error(hub, 422, "body is too long"))
    hub._once.get_issue = lambda number: Object(create_comment=created)
    hub._retrying.get_issue = lambda number: Object(get_comments=lambda: [])
    with pytest.raises(ModelyardError, match="GitHub refuses the comment on pull request 7: body is too long"):
        hub.write_comment(7, "x", MARK)
    assert len(created.calls) == 1


def hub_issue(number: int, title: str, body: str | None, login: str = ME, pull: Any = None) -> Any:
    return Object(
        number=number, title=title, body=body, html_url=f"u{number}", user=Object(login=login), pull_request=pull
    )


def test_github_issues_are_ours_and_no_pull_requests(hub: Any) -> None:
    there = [hub_issue(1, "a", f"{MARK}\nx", "eve"), hub_issue(2, "b", f"{MARK}\nx", pull={}), hub_issue(3, "c", None)]
    hub._retrying.get_issues = Answers(there)
    hub._once.create_issue = Answers(hub_issue(4, "T", "B"))
    assert hub.open_issues() == [Issue(3, "c", "", "u3")]
    assert hub.write_issue("T", f"{MARK}\nB", MARK) == (Issue(4, "T", f"{MARK}\nB", "u4"), True)
    assert hub._once.create_issue.calls[0][1]["labels"] == [LABEL]
    edited = Answers(None)
    hub._retrying.get_issues = Answers([hub_issue(5, "T", f"{MARK}\nB")])
    hub._retrying.get_issue = lambda number: Object(edit=edited)
    assert hub.write_issue("T", f"{MARK}\nB", MARK) == (Issue(5, "T", f"{MARK}\nB", "u5"), False) and edited.calls == []
    hub.write_issue("T2", f"{MARK}\nB", MARK)
    assert edited.calls[0][1]["title"] == "T2"


def test_github_files_of_a_rename_have_both_names(hub: Any) -> None:
    files = [Object(filename="b", previous_filename="a"), Object(filename="c", previous_filename=None)]
    hub._retrying.get_pull = lambda number: Object(get_files=lambda: files)
    assert hub.changed_files(7) == ["a", "b", "c"]


def test_github_workflows_that_do_not_start_are_errors(hub: Any) -> None:
    hub._retrying.get_workflow = lambda name: Object(create_dispatch=lambda branch, inputs: branch == "main")
    hub.measure_again(a_pull(7, branch="main"))
    with pytest.raises(ModelyardError, match=r"did not start the workflow propose\.yml on x"):
        hub.measure_again(a_pull(7, branch="x"))


@pytest.mark.parametrize(
    ("error", "match"),
    [
        (lambda f: hub_error(f, 401), "does not accept the token for pull request 7"),
        (lambda f: hub_error(f, 403, "Resource not accessible"), "no permission for pull request 7: Resource not"),
        (lambda f: hub_error(f, 404), "does not find pull request 7"),
        (lambda f: f._errors.RateLimitExceededException(403, {"message": "slow"}, {}), "rate limit is used up"),
        (lambda f: f._errors.GithubException(500, "<html>", {}), "answered 500"),
        (lambda f: f._errors.GithubException(400, None, {}), "answered 400"),
        (lambda f: ConnectionError("Max retries: too many 429 error responses"), r"rate limit is used up \(429\)"),
        (lambda f: ConnectionError("Max retries: too many 502 error responses"), "answered 502"),
        (lambda f: TimeoutError("slow"), r"did not answer \(TimeoutError\)"),
    ],
)
def test_github_errors_are_sentences(hub: Any, error: Any, match: str) -> None:
    hub._retrying.get_pull = Answers(error(hub))
    with pytest.raises(ModelyardError, match=match) as found:
        hub.pull(7)
    assert found.value.remedy


@pytest.mark.parametrize(
    ("ci", "url", "api", "page"),
    [
        (CI(repository="a/b", token="t"), "", "https://api.github.com", "https://github.com/a/b"),
        (CI(token="t"), "git@github.com:a/b.git", "https://api.github.com", "https://github.com/a/b"),
        (
            CI(server="https://ghe.example", token="t"),
            "https://ghe.example/a/b",
            "https://ghe.example/api/v3",
            "https://ghe.example/a/b",
        ),
        (
            CI(server="https://s", api="https://s/api", repository="a/b", token="t"),
            "",
            "https://s/api",
            "https://s/a/b",
        ),
    ],
)
def test_github_addresses(ci: CI, url: str, api: str, page: str) -> None:
    forge: Any = GitHubForge.connect(as_git(MemoryGit(url=url)), ci)
    assert forge._github.requester.base_url == api
    assert forge.raw_url("main", "a.svg") == f"{page}/raw/main/a.svg"


# --- GitLab -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def lab() -> Any:
    forge: Any = GitLabForge.connect(as_git(MemoryGit()), CI(repository="acme/models", token="t"))
    forge._project, forge._login = Object(), "bot"
    return forge


def lab_error(forge: Any, code: int, message: str = "no", kind: str = "GitlabHttpError") -> Exception:
    error: Exception = getattr(forge._errors, kind)(message, code)
    return error


def lab_pull(**changes: Any) -> dict[str, Any]:
    return {
        "iid": 7, "title": "A", "description": None, "author": {"username": "ada"}, "sha": "c" * 40,
        "source_branch": "feature", "target_branch": "main", "state": "opened", "source_project_id": 1,
        "target_project_id": 1, "web_url": "https://x/7", "merge_commit_sha": None, "squash_commit_sha": None,
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "state", "from_fork", "merge_commit"),
    [
        ({}, "open", False, ""),
        ({"state": "closed"}, "closed", False, ""),
        ({"state": "locked"}, "closed", False, ""),
        ({"state": "merged", "merge_commit_sha": "d" * 40}, "merged", False, "d" * 40),
        ({"state": "merged", "squash_commit_sha": "e" * 40}, "merged", False, "e" * 40),
        ({"state": "merged"}, "merged", False, "c" * 40),
        ({"source_project_id": 2}, "open", True, ""),
    ],
    ids=["open", "closed", "locked", "merged", "squashed", "fast-forward", "fork"],
)
def test_gitlab_merge_requests(
    lab: Any, changes: dict[str, Any], state: str, from_fork: bool, merge_commit: str
) -> None:
    lab._project.mergerequests = Object(get=lambda number, **_: Object(attributes=lab_pull(**changes)))
    pull = lab.pull(7)
    assert (pull.number, pull.body, pull.author, pull.head, pull.base) == (7, "", "ada", "c" * 40, "main")
    assert (pull.state, pull.from_fork, pull.merge_commit) == (state, from_fork, merge_commit)


def lab_note(number: int, body: str, user: str = "ada", second: int = 0, *, system: bool = False, **author: Any) -> Any:
    return Object(
        body=body,
        attributes={
            "id": number, "body": body, "author": {"username": user} | author, "system": system,
            "created_at": f"2026-05-03T10:00:{second:02}Z",
        },
    )  # fmt: skip


def with_notes(lab: Any, *notes: Any, **more: Any) -> None:
    listed = Object(list=lambda **_: list(notes), **more)
    lab._project.mergerequests = Object(get=lambda number, **_: Object(notes=listed))


def test_gitlab_approvals_are_bound_to_the_version_and_the_report_of_their_time(lab: Any) -> None:
    with_notes(
        lab,
        lab_note(1, "approved this merge request", "grace", 5, system=True),
        lab_note(2, "approved this merge request", "eve", 20),
        lab_note(3, "requested changes", "carol", 20, system=True),
        lab_note(4, "unapproved this merge request", "grace", 30, system=True),
        lab_note(5, "approved this merge request", "project_1_bot_x", 30, system=True),
        lab_note(6, "approved this merge request", "helper", 30, system=True, bot=True),
        lab_note(7, "changed the title", "ada", 30, system=True),
    )
    versions = [
        {"id": 2, "created_at": "2026-05-03T10:00:25Z", "head_commit_sha": "new"},
        {"id": 1, "created_at": "2026-05-03T10:00:10Z", "head_commit_sha": "old"},
    ]
    lab._gitlab = Object(http_list=lambda url, **_: versions)
    status = Object(attributes={
        "id": 1, "name": VERDICT, "status": "success", "description": verdict_status("success", "ok", A, "").description,
        "target_url": None, "created_at": "2026-05-03T10:00:15Z", "author": {"username": "bot"},
    })  # fmt: skip
    statuses = {"old": [status], "new": []}
    lab._project.commits = Object(get=lambda sha, **_: Object(statuses=Object(list=lambda **_: statuses[sha])))
    found = [(r.author, r.outcome, r.commit, r.bot, r.report) for r in lab.reviews(7)]
    assert found == [
        ("@grace", "approved", "", False, ""),
        ("@carol", "rejected", "old", False, A),
        ("@grace", "dismissed", "new", False, ""),
        ("@project_1_bot_x", "approved", "new", True, ""),
        ("@helper", "approved", "new", True, ""),
    ], "a person's own words are not a system note"


def test_gitlab_statuses_are_mapped_both_ways_newest_first(lab: Any) -> None:
    def status(number: int, state: str, user: str = "bot") -> Any:
        return Object(attributes={
            "id": number, "name": f"s{number}", "status": state, "description": None, "target_url": None,
            "created_at": "2026-05-03T10:00:00Z", "author": {"username": user},
        })  # fmt: skip

    created = Answers(None)
    there = [status(2, "failed"), status(10, "running"), status(1, "success"), status(9, "canceled", "eve")]
    listed = Object(list=lambda **_: there, create=created)
    lab._project.commits = Object(get=lambda sha, **_: Object(statuses=listed))
    found = [(s.context, s.state, s.ours) for s in lab.statuses("c")]
    assert found == [("s10", "pending", True), ("s9", "error", False), ("s2", "failure", True), ("s1", "success", True)]
    lab.set_status("c", Status("s1", "success", ""))
    assert created.calls == []
    mapped: list[tuple[State, str]] = [("error", "failed"), ("failure", "failed"), ("pending", "pending")]
    for state, theirs in mapped:
        lab.set_status("c", Status("x", state, "d", "https://ci"))
        assert created.calls[-1][0][0] == {"state": theirs, "name": "x", "description": "d", "target_url": "https://ci"}


@pytest.mark.parametrize(
    ("level", "expected"), [(50, "admin"), (40, "admin"), (30, "write"), (20, "read"), (10, "read"), (5, "none")]
)
def test_gitlab_permissions(lab: Any, level: int, expected: str) -> None:
    members = [Object(username="Ada", access_level=level), Object(username="adam", access_level=50)]
    lab._project.members_all = Object(list=lambda **_: members)
    assert lab.permission("@ada") == expected and lab.permission("@eve") == "none"


def test_gitlab_groups(lab: Any) -> None:
    asked = Answers(Object(members_all=Object(list=lambda **_: [Object(username="Grace")])))
    lab._gitlab = Object(groups=Object(get=asked))
    assert lab.is_member("@grace", "@acme/risk") and not lab.is_member("@ada", "@acme/risk")
    assert asked.calls[0][0] == ("acme/risk",)


def test_gitlab_comments_are_notes_of_people(lab: Any) -> None:
    with_notes(lab, lab_note(1, "closed", system=True), lab_note(2, "hello"), lab_note(3, "mine", "bot"))
    assert lab.comments(7) == [Comment(2, "hello", False), Comment(3, "mine", True)]


def test_gitlab_a_comment_is_tried_again_only_after_looking(lab: Any) -> None:
    created = Answers(lab_error(lab, 502), Object(id=9))
    with_notes(lab, create=created)
    assert lab.write_comment(7, f"{MARK}\none", MARK) == Comment(9, f"{MARK}\none", True) and len(created.calls) == 2
    updated = Answers(None)
    with_notes(lab, lab_note(3, f"{MARK}\none", "bot"), update=updated)
    lab.write_comment(7, f"{MARK}\none", MARK)
    assert updated.calls == []
    lab.write_comment(7, f"{MARK}\ntwo", MARK)
    assert updated.calls == [((3, {"body": f"{MARK}\ntwo"}), {})]


def test_gitlab_a_reaction_that_is_there_already_is_no_error(lab: Any) -> None:
    def react(error: Exception | None) -> Answers:
        created = Answers(error)
        note = Object(awardemojis=Object(create=created))
        lab._project.mergerequests = Object(get=lambda *_, **__: Object(notes=Object(get=lambda *_, **__: note)))
        lab.react(7, 9, "+1")
        return created

    assert react(None).calls == [(({"name": "thumbsup"},), {})]
    react(lab_error(lab, 404, "Award Emoji Name has already been taken", "GitlabCreateError"))
    with pytest.raises(ModelyardError, match="no permission for the reaction to comment 9"):
        react(lab_error(lab, 403, "forbidden", "GitlabCreateError"))


def test_gitlab_files_and_pipelines(lab: Any) -> None:
    diffs = [{"old_path": "a", "new_path": "b"}, {"old_path": "c", "new_path": "c"}]
    asked = Answers(diffs)
    lab._gitlab = Object(http_list=asked)
    assert lab.changed_files(7) == ["a", "b", "c"]
    assert asked.calls[0][0] == ("/projects/acme%2Fmodels/merge_requests/7/diffs",)
    started = Answers(None)
    request = Object(pipelines=Object(create=started))
    lab._project.mergerequests = Object(get=lambda number, lazy: request)
    lab.measure_again(a_pull(7))
    assert started.calls == [(({},), {})], "no variable is handed over"


@pytest.mark.parametrize(
    ("code", "match"),
    [
        (401, "does not accept the token"),
        (403, "no permission for merge request 7: no"),
        (404, "does not find merge request 7"),
        (400, "refuses merge request 7"),
        (429, "rate limit is used up"),
        (503, "answered 503"),
        (0, r"did not answer \(TimeoutError\)"),
    ],
)
def test_gitlab_errors_are_sentences(lab: Any, code: int, match: str) -> None:
    error = lab_error(lab, code) if code else TimeoutError("slow")
    lab._project.mergerequests = Object(get=Answers(error))
    with pytest.raises(ModelyardError, match=match) as found:
        lab.pull(7)
    assert found.value.remedy and isinstance(found.value, UnknownResult) == (code in (0, 503))


@pytest.mark.parametrize(
    ("ci", "url", "page"),
    [
        (CI(repository="a/b", token="t"), "", "https://gitlab.com/a/b"),
        (
            CI(server="https://gitlab.example", token="t"),
            "git@gitlab.example:deep/er/b.git",
            "https://gitlab.example/deep/er/b",
        ),
    ],
)
def test_gitlab_addresses(ci: CI, url: str, page: str) -> None:
    forge: Any = GitLabForge.connect(as_git(MemoryGit(url=url)), ci)
    assert forge.raw_url("main", "a.svg") == f"{page}/-/raw/main/a.svg"
