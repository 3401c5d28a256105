"""The GitHub adapter against the tests' git-backed forge, and against emulate where it has the route."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from forge.place import Place as PlaceOfForge
from forge.place import check_one_issue_for_one_cause, check_settings, forge_with_people
from forge.server import Fault, ForgeServer
from modelyard.errors import ModelyardError, UsageError
from modelyard.forges.ci import CI, read_ci, repository_of
from modelyard.forges.github import GitHubForge
from modelyard.forges.interface import (
    PROTECTED_BRANCHES,
    VERDICT,
    Draft,
    ForgeEnvironment,
    Pull,
    Status,
    report_at,
    verdict_status,
)
from modelyard.git import Git
from support.yard import git

BOT = "github-actions[bot]"
MARK = "<!-- modelyard:report churn -->"


class Place(PlaceOfForge):
    """With this adapter."""

    def __init__(self, server: ForgeServer, folder: Path) -> None:
        super().__init__(server, folder)
        self.forge = self.connect("bot")

    def connect(self, token: str, timeout: float = 5) -> GitHubForge:
        ci = CI(self.server.url, f"{self.server.url}/api/v3", self.store.name, token, "x", timeout=timeout)
        return GitHubForge.connect(Git(self.clone), ci)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with forge_with_people(tmp_path, BOT, monkeypatch) as server:
        yield Place(server, tmp_path)


def test_a_pull_request_is_opened_once_and_refreshed(place: Place) -> None:
    place.branch("bot-branch")
    draft = Draft("bot-branch", "main", "Retrain", "why")
    opened, new = place.forge.open_or_refresh(draft)
    assert new and (opened.author, opened.state, opened.from_fork) == (BOT, "open", False)
    again, new = place.forge.open_or_refresh(replace(draft, body="why not"))
    assert not new and again.number == opened.number
    assert place.store.pulls[opened.number].body == "why not"
    place.forge.close(opened.number)
    assert place.forge.open_pulls("bot-branch") == []


def test_one_issue_for_one_cause_is_refreshed_and_closed_with_a_word(place: Place) -> None:
    check_one_issue_for_one_cause(place.forge, place)


def test_pulls_files_and_merged_changes(place: Place) -> None:
    pull = place.forge.pull(place.pull.number)
    assert isinstance(pull, Pull) and pull.branch == "feature" and pull.base == "main"
    assert place.forge.changed_files(pull.number) == ["feature.txt"]
    assert [p.number for p in place.forge.pulls_of(pull.head)] == [pull.number]
    place.forge.set_status(pull.head, verdict_status("success", "ok", "e" * 64, ""))
    place.store.review(pull.number, "grace", "APPROVE")
    place.store.merge(pull.number, "grace")
    git(place.clone, "fetch", "--quiet", "origin")
    git(place.clone, "switch", "--quiet", "--detach", "origin/main")
    merge, first = git(place.clone, "rev-list", "--first-parent", "HEAD").split()
    change = place.forge.change_of(merge)
    assert (change.author, change.pull, change.head, change.report) == (
        "@ada",
        pull.number,
        pull.head,
        "e" * 64,
    )
    assert change.files == ("feature.txt",)
    [review] = change.reviews
    assert (review.author, review.outcome, review.commit, review.report) == ("@grace", "approved", pull.head, "e" * 64)
    direct = place.forge.change_of(first)
    assert direct.pull is None and direct.reviews == (), "a direct push has no reviews"


def test_one_comment_beyond_the_first_page_and_nobody_elses(place: Place) -> None:
    number = place.pull.number
    place.store.comment(number, "mallory", f"{MARK}\nmine now")
    for i in range(150):
        place.store.comment(number, "grace", f"word {i}")
    place.forge.write_comment(number, f"{MARK}\none", MARK)
    place.forge.write_comment(number, f"{MARK}\ntwo", MARK)
    assert [c.body for c in place.store.comments_of(number) if c.user == BOT] == [f"{MARK}\ntwo"]
    assert place.store.comments_of(number)[0].body == f"{MARK}\nmine now"


def test_a_comment_that_was_made_but_not_acknowledged_is_not_made_twice(place: Place) -> None:
    number = place.pull.number
    place.server.faults.append(Fault("POST", r"/issues/\d+/comments", 502, act=True))
    place.forge.write_comment(number, f"{MARK}\none", MARK)
    assert len(place.store.comments_of(number)) == 1


def test_the_same_status_is_set_once_and_others_are_not_believed(place: Place) -> None:
    head = place.store.head(place.pull)
    status = verdict_status("failure", "churn fail", "a" * 64, "https://example.test/run")
    for _ in range(2):
        place.forge.set_status(head, status)
    assert len(place.store.statuses[head]) == 1
    place.store.set_status(head, "ada", VERDICT, "success", f"forged · report sha256 {'b' * 64}", "")
    assert report_at(place.forge.statuses(head)) == "a" * 64
    long = verdict_status("failure", "x" * 500, "a" * 64, "")
    place.forge.set_status(head, long)
    assert len(long.description) == 140 and long.description.endswith("a" * 64)


def test_permissions_teams_reactions_workflows(place: Place) -> None:
    assert [place.forge.permission(who) for who in ("@ada", "mallory")] == ["write", "read"]
    place.store.teams["acme/risk"] = ["Grace"]
    assert place.forge.is_member("@grace", "@acme/risk") and not place.forge.is_member("@ada", "@acme/risk")
    comment = place.store.comment(place.pull.number, "ada", "/modelyard explain")
    place.forge.react(place.pull.number, comment.id, "eyes")
    assert comment.reactions == [(BOT, "eyes")]
    with pytest.raises(ModelyardError, match=r"propose.yml"):
        place.forge.measure_again(place.forge.pull(place.pull.number))


def test_a_bots_review_is_a_bots(place: Place) -> None:
    place.store.review(place.pull.number, BOT, "APPROVE")
    [review] = place.forge.reviews(place.pull.number)
    assert review.bot


@pytest.mark.parametrize(
    ("code", "headers", "said"),
    [
        (401, None, "does not accept the token"),
        (403, None, "has no permission for"),
        (404, None, "does not find"),
        (422, None, "refuses"),
        (409, None, "refuses"),
        (429, {"Retry-After": "0"}, "rate limit"),
        (403, {"Retry-After": "0"}, "rate limit"),
        (500, None, "answered 500"),
        (502, None, "answered 502"),
    ],
)
def test_refusals_are_sentences(place: Place, code: int, headers: dict[str, str] | None, said: str) -> None:
    place.server.faults.append(Fault("GET", r"/pulls/\d+$", code, times=99, headers=headers))
    with pytest.raises(ModelyardError, match=said) as error:
        place.forge.pull(place.pull.number)
    assert error.value.remedy


def test_a_passing_fault_is_waited_out(place: Place) -> None:
    for code in (500, 429):
        place.server.faults.append(Fault("GET", r"/pulls/\d+$", code, times=1, headers={"Retry-After": "0"}))
        assert place.forge.pull(place.pull.number).number == place.pull.number


def test_a_server_that_hangs_or_is_gone(place: Place) -> None:
    place.server.faults.append(Fault("GET", r"/pulls/\d+$", times=99, hang=3))
    with pytest.raises(ModelyardError, match="did not answer"):
        place.connect("bot", timeout=1).pull(1)
    gone = CI("https://localhost:1", "https://localhost:1/api/v3", "acme/models", "bot")
    with pytest.raises(ModelyardError, match="did not answer"):
        GitHubForge.connect(Git(place.clone), gone).pull(1)


def test_a_token_that_may_only_read(place: Place) -> None:
    from forge.store import Token

    place.store.tokens["readonly"] = Token(BOT, {"contents": "read", "pull-requests": "read"})
    forge = place.connect("readonly")
    assert forge.pull(place.pull.number).number
    with pytest.raises(ModelyardError, match="has no permission for"):
        forge.write_comment(place.pull.number, f"{MARK}\nx", MARK)
    with pytest.raises(ModelyardError, match="has no permission for"):
        forge.set_status(place.store.head(place.pull), Status(VERDICT, "success", "x"))


def test_without_a_token_or_a_repository(place: Place) -> None:
    with pytest.raises(UsageError, match="token for GitHub is missing"):
        GitHubForge.connect(Git(place.clone), CI(repository="acme/models"))
    with pytest.raises(UsageError, match="GitHub repository of this clone is not known"):
        GitHubForge.connect(Git(place.clone), CI(token="x"))


@pytest.mark.parametrize(
    ("url", "server", "name"),
    [
        ("https://github.com/acme/models.git", "https://github.com", "acme/models"),
        ("git@github.example:acme/models.git", "https://github.example", "acme/models"),
        ("ssh://git@github.example:2222/acme/models", "https://github.example", "acme/models"),
        ("https://user:secret@host.example:8443/a/b/c.git", "https://host.example:8443", "a/b/c"),
        ("/srv/git/models.git", "", ""),
        ("../models.git", "", ""),
        ("file:///srv/models.git", "", ""),
    ],
)
def test_the_repository_in_a_remotes_url(url: str, server: str, name: str) -> None:
    assert repository_of(url) == (server, name)


def test_the_token_reaches_git_and_no_command_line() -> None:
    ci = read_ci({"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "t0ken"})
    settings = ci.git_settings()
    assert settings["GIT_CONFIG_KEY_0"] == "http.https://github.com/.extraheader"
    assert "t0ken" not in str(settings), "base64 only"
    assert read_ci({"GITHUB_TOKEN": "a", "MODELYARD_TOKEN": "b"}).token == "b"
    with pytest.raises(UsageError, match="MODELYARD_FORGE_TIMEOUT"):
        read_ci({"MODELYARD_FORGE_TIMEOUT": "soon"})


def test_settings_are_told_as_far_as_the_token_may_ask(place: Place) -> None:
    place.store.user("root", "admin", "root")
    check_settings(place.connect("grace"), place.connect("root"), place.store)
    place.store.rulesets["main"] = ("modelyard/approval",)
    place.store.secrets["production"] = {"OF_PRODUCTION"}
    known = place.connect("root").settings()
    assert known.required == frozenset(["modelyard/approval"]) and "OF_PRODUCTION" in known.secrets
    assert known.environments == (ForgeEnvironment("production", None, False, frozenset(["OF_PRODUCTION"])),)


def test_environments_are_told_with_who_may_enter(place: Place) -> None:
    place.store.user("root", "admin", "root")
    place.store.variables = {"": {"AWS_REGION"}, "/": {"OF_ALL"}, "staging": {"AWS_ROLE_ARN"}}
    place.store.entering = {"production": (("main", "release/*"), True), "staging": ((), False)}
    known = place.connect("root").settings()
    assert known.variables == frozenset(["AWS_REGION", "OF_ALL"])
    assert known.environments == (
        ForgeEnvironment("production", frozenset(["main", "release/*"]), True),
        ForgeEnvironment("staging", frozenset([PROTECTED_BRANCHES]), False, variables=frozenset(["AWS_ROLE_ARN"])),
    )
    place.store.user("reader", "read", "reader")
    asked = place.connect("reader").settings()
    assert asked.variables is None and asked.environments is not None, "whoever reads may list environments"
