"""The GitLab adapter against the tests' git-backed forge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from forge.place import Place as PlaceOfForge
from forge.place import check_one_issue_for_one_cause, check_settings, forge_with_people
from forge.server import Fault, ForgeServer
from modelyard.errors import ModelyardError, UsageError
from modelyard.forges.ci import CI, read_ci
from modelyard.forges.gitlab import GitLabForge
from modelyard.forges.interface import Draft, report_at, verdict_status
from modelyard.git import Git
from support.waiting import next_second
from support.yard import git

BOT = "project_1_bot_abc"
MARK = "<!-- modelyard:report churn -->"


class Place(PlaceOfForge):
    """With this adapter."""

    def __init__(self, server: ForgeServer, folder: Path) -> None:
        super().__init__(server, folder)
        self.forge = self.connect("bot")

    def connect(self, token: str, timeout: float = 5) -> GitLabForge:
        ci = CI(self.server.url, "", self.store.name, token, "oauth2", timeout=timeout)
        return GitLabForge.connect(Git(self.clone), ci)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with forge_with_people(tmp_path, BOT, monkeypatch) as server:
        yield Place(server, tmp_path)


def test_a_merge_request_is_opened_once_refreshed_and_closed(place: Place) -> None:
    place.branch("bot-branch")
    draft = Draft("bot-branch", "main", "Retrain", "why")
    opened, new = place.forge.open_or_refresh(draft)
    assert new and (opened.author, opened.state, opened.from_fork) == (BOT, "open", False)
    again, new = place.forge.open_or_refresh(replace(draft, body="why not"))
    assert not new and again.number == opened.number and place.store.pulls[opened.number].body == "why not"
    place.forge.close(opened.number)
    assert place.forge.open_pulls("bot-branch") == []
    assert place.forge.pull(opened.number).state == "closed"


def test_one_issue_for_one_cause_is_refreshed_and_closed_with_a_word(place: Place) -> None:
    check_one_issue_for_one_cause(place.forge, place)


def test_an_approval_is_bound_to_the_version_and_the_report_that_stood_there(place: Place) -> None:
    pull = place.forge.pull(place.pull.number)
    assert place.forge.changed_files(pull.number) == ["feature.txt"]
    assert [p.number for p in place.forge.pulls_of(pull.head)] == [pull.number]
    place.forge.set_status(pull.head, verdict_status("success", "ok", "e" * 64, ""))
    place.store.review(pull.number, "grace", "APPROVE")
    [review] = place.forge.reviews(pull.number)
    assert (review.author, review.outcome, review.commit, review.report) == ("@grace", "approved", pull.head, "e" * 64)
    next_second()  # the stamps are compared in seconds
    newer = place.branch("feature")
    assert place.forge.pull(pull.number).head == newer
    assert place.forge.reviews(pull.number) == (review,), "it stays bound to what was there"
    place.store.merge(pull.number, "grace")
    git(place.clone, "fetch", "--quiet", "origin")
    git(place.clone, "switch", "--quiet", "--detach", "origin/main")
    change = place.forge.change_of(git(place.clone, "rev-parse", "HEAD"))
    assert (change.author, change.pull, change.head, change.report) == ("@ada", pull.number, newer, "")


def test_one_comment_beyond_the_first_page_and_nobody_elses(place: Place) -> None:
    number = place.pull.number
    place.store.comment(number, "mallory", f"{MARK}\nmine now")
    for i in range(130):
        place.store.comment(number, "grace", f"word {i}")
    place.forge.write_comment(number, f"{MARK}\none", MARK)
    place.forge.write_comment(number, f"{MARK}\ntwo " + "x" * 500_000, MARK)
    ours = [c.body for c in place.store.comments_of(number) if c.user == BOT]
    assert len(ours) == 1 and len(ours[0]) > 500_000
    place.server.faults.append(Fault("POST", r"/notes$", 502, act=True))
    place.forge.write_comment(number, "<!-- other -->\nother", "<!-- other -->")
    assert len([c for c in place.store.comments_of(number) if c.user == BOT]) == 2


def test_statuses_permissions_groups_reactions_pipelines(place: Place) -> None:
    head = place.store.head(place.pull)
    status = verdict_status("failure", "churn fail", "a" * 64, "https://example.test/run")
    for _ in range(2):
        place.forge.set_status(head, status)
    assert len(place.store.statuses[head]) == 1 and report_at(place.forge.statuses(head)) == "a" * 64
    assert [place.forge.permission(who) for who in ("@ada", "mallory", "nobody")] == ["write", "read", "none"]
    place.store.teams["acme/risk"] = ["grace"]
    assert place.forge.is_member("@grace", "@acme/risk") and not place.forge.is_member("@ada", "@acme/risk")
    comment = place.store.comment(place.pull.number, "ada", "hello")
    for _ in range(2):
        place.forge.react(place.pull.number, comment.id, "+1")
    assert comment.reactions == [(BOT, "thumbsup")]
    place.forge.measure_again(place.forge.pull(place.pull.number))
    assert place.store.dispatched == [(".gitlab-ci.yml", f"merge request {place.pull.number}", {})]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (401, "does not accept the token"),
        (403, "has no permission for"),
        (404, "does not find"),
        (409, "refuses"),
        (422, "refuses"),
        (429, "rate limit"),
        (500, "answered 500"),
    ],
)
def test_refusals_are_sentences(place: Place, code: int, said: str) -> None:
    place.server.faults.append(Fault("GET", r"/merge_requests/\d+$", code, times=99, headers={"Retry-After": "0"}))
    with pytest.raises(ModelyardError, match=said) as error:
        place.forge.pull(place.pull.number)
    assert error.value.remedy


def test_a_server_that_hangs_or_is_gone(place: Place) -> None:
    place.server.faults.append(Fault("GET", r"/user$", times=99, hang=3))
    with pytest.raises(ModelyardError, match="did not answer"):
        place.connect("bot", timeout=1).comments(place.pull.number)


def test_without_a_token_or_a_project(place: Place) -> None:
    with pytest.raises(UsageError, match="token for GitLab is missing"):
        GitLabForge.connect(Git(place.clone), CI(repository="acme/models"))
    with pytest.raises(UsageError, match="GitLab project of this clone is not known"):
        GitLabForge.connect(Git(place.clone), CI(token="x"))


def test_the_pipelines_variables() -> None:
    ci = read_ci({
        "CI_SERVER_URL": "https://gitlab.example", "CI_API_V4_URL": "https://gitlab.example/api/v4",
        "CI_PROJECT_PATH": "acme/deep/models", "MODELYARD_TOKEN": "t", "CI_PIPELINE_URL": "https://gitlab.example/p/1",
    })  # fmt: skip
    assert (ci.api, ci.repository, ci.token, ci.run) == (
        "https://gitlab.example",
        "acme/deep/models",
        "t",
        "https://gitlab.example/p/1",
    )
    assert ci.git_settings()["GIT_CONFIG_KEY_0"] == "http.https://gitlab.example/.extraheader"


def test_settings_are_told_as_far_as_the_token_may_ask(place: Place) -> None:
    place.store.user("root", "admin", "root")
    check_settings(place.connect("grace"), place.connect("root"), place.store)
    place.store.secrets = {"": {"PROTECTED", "MODELYARD_TOKEN"}}
    asked = place.connect("root").settings()
    assert (set(asked.exposed), asked.variables_by) == ({"MODELYARD_TOKEN"}, "developer")
    assert asked.everywhere == {"MODELYARD_TOKEN"}, "the other one has a scope"
    assert asked.forks_run_here, "as GitLab does where nobody changed it"


def test_the_finished_job_of_the_heads_pipeline_in_this_project_is_what_measured(place: Place) -> None:
    number, head = place.pull.number, place.forge.pull(place.pull.number).head

    def jobs(
        *statuses: str, project: int = 1, ref: str = "head", name: str = "measure"
    ) -> list[tuple[str, tuple[int, ...], bool]]:
        pipeline = {"id": 9, "project_id": project, "sha": head, "ref": f"refs/merge-requests/{number}/{ref}"}
        entries = [
            {"id": 90 + i, "name": name if i else "measure", "status": s, "web_url": f"job/{i}"}
            for i, s in enumerate(statuses)
        ]
        place.store.measured[number] = (pipeline, [{"id": 99, "name": "other", "status": "success"}, *entries])
        return [(one.commit, one.jobs, one.succeeded) for one in place.forge.measured()]

    assert place.forge.measured() == [], "no pipeline yet"
    assert jobs("success") == [(head, (90,), True)]
    assert jobs("success", "failed") == [(head, (91,), False)], "the newest, when it was run again"
    assert jobs("success", "running") == jobs("canceled") == jobs() == []
    on = "measure-on: [gpu]"
    assert jobs("success", "failed", name=on) == [(head, (90, 91), False)], "all of them, with one for each runner"
    assert place.forge.measured()[0].url == "job/1"
    assert jobs("success", "success", "success", name=on) == [(head, (90, 92), True)]
    assert jobs("success", "running", name=on) == [], "until the last one has ended"
    assert jobs("success", project=2) == [], "it ran in a fork"
    assert jobs("success", ref="train") == [], "a merge train judges by itself"


def test_of_a_jobs_archive_no_more_than_the_limit_is_kept(place: Place) -> None:
    assert place.forge.archive(5, 10) is None
    place.store.archives[5] = b"x" * 200_000
    assert place.forge.archive(5, 200_000) == b"x" * 200_000
    assert place.forge.archive(5, 99_999) == b"x" * 100_000, "one more, so that it is seen to be too large"


def test_a_status_of_another_job_is_set_again(place: Place) -> None:
    status = verdict_status("success", "passed", "", "job/1")
    for url in ("job/1", "job/1", "job/2"):
        place.forge.set_status(place.pull.last_head, replace(status, url=url))
    assert [s.url for s in place.forge.statuses(place.pull.last_head)] == ["job/2", "job/1"]
