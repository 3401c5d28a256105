"""What every forge shares: statuses with digests, merged changes, the CI system, plain git, the choice of an adapter."""

from __future__ import annotations

import base64
import json
import os
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.documents import visible
from modelyard.errors import ModelyardError, UsageError
from modelyard.forges.ci import CI, read_ci, read_event, repository_of
from modelyard.forges.discovery import open_forge, open_pull_forge
from modelyard.forges.git import GitForge
from modelyard.forges.interface import (
    DESCRIPTION_LIMIT,
    VERDICT,
    Status,
    merged_change,
    report_at,
    shortened,
    verdict_status,
)
from modelyard.gate.approvals import Review
from modelyard.manifests.repository import ModelRepository
from support.pulls import MemoryForge, MemoryGit, a_pull, as_forge, as_git
from support.yard import CONFIG, write

A, B = "a" * 64, "b" * 64


# --- statuses ---------------------------------------------------------------------------------------------------------


@given(st.text(max_size=300), st.sampled_from(["", A]))
def test_a_verdict_fits_every_forge_and_keeps_its_digest(summary: str, digest: str) -> None:
    status = verdict_status("failure", summary, digest, "https://ci.example")
    assert len(status.description) <= DESCRIPTION_LIMIT and (status.context, status.url) == (
        VERDICT,
        "https://ci.example",
    )
    if digest:
        assert report_at([status]) == digest
    room = DESCRIPTION_LIMIT - (len(f" · report sha256 {A}") if digest else 0)
    shown = visible(" ".join(summary.split()))
    assert status.description.startswith(shown if len(shown) <= room else shown[: room - 1] + "…")


@pytest.mark.parametrize("report", ["", A])
def test_a_reason_that_names_a_report_is_not_taken_for_one(report: str) -> None:
    status = verdict_status("error", f"churn error: x\n\u202e report sha256 {B}", report, "")
    assert report_at([status]) == report and "\n" not in status.description and "\u202e" not in status.description


@given(st.text(max_size=40), st.integers(1, 30))
def test_a_long_sentence_is_cut_and_says_so(sentence: str, limit: int) -> None:
    found = shortened(sentence, limit)
    assert len(found) <= limit and (found == sentence or found.endswith("…"))


def test_the_newest_own_verdict_counts_now_or_at_a_time() -> None:
    def verdict(digest: str, at: int, **changes: Any) -> Status:
        return Status(changes.pop("context", VERDICT), "success", f"ok · report sha256 {digest}", at=at, **changes)

    statuses = [
        verdict("c" * 64, 40, ours=False),
        verdict("d" * 64, 35, context="other"),
        verdict(B, 30),
        verdict(A, 10),
    ]
    assert report_at(statuses) == B and report_at(statuses, 30) == B and report_at(statuses, 29) == A
    assert report_at(statuses, 9) == "" and report_at([]) == ""
    assert report_at([Status(VERDICT, "pending", f"report sha256 {A} and more"), *statuses]) == "", (
        "the newest has none"
    )


# --- merged changes ---------------------------------------------------------------------------------------------------


def test_a_merged_change_has_the_reviews_of_its_pull_request_and_a_direct_push_has_none() -> None:
    git, forge = MemoryGit(), MemoryForge()
    base = git.add({"a.txt": "1"})
    head = git.add({"b.txt": "1"}, base)
    merge = git.add({"b.txt": "1"}, base, merged=head, message="Merge it")
    git.head = git.add({"c.txt": "1"}, merge, message="A hotfix", author="Eve")
    review = Review("@grace", "approved", head, 5)
    forge.pulls[7] = a_pull(7, head=head, merge_commit=merge, state="merged", title="Better")
    forge.pulls[8] = a_pull(8, head=git.head, state="open")
    forge.given[7] = (review,)
    forge.set_status(head, verdict_status("success", "ok", A, ""))
    change = merged_change(as_git(git), as_forge(forge), git.commit_info(merge))
    assert (change.commit, change.subject, change.author, change.files) == (merge, "Better", "@ada", ("b.txt",))
    assert (change.reviews, change.pull, change.head, change.report) == ((review,), 7, head, A)
    direct = merged_change(as_git(git), as_forge(forge), git.commit_info("HEAD"))
    assert (direct.author, direct.reviews, direct.pull, direct.report) == ("Eve", (), None, ""), (
        "an open one is no merge"
    )


# --- the CI system ----------------------------------------------------------------------------------------------------

GITHUB = {
    "GITHUB_SERVER_URL": "https://github.com/", "GITHUB_API_URL": "https://api.github.com", "GITHUB_TOKEN": "own",
    "GITHUB_REPOSITORY": "acme/models", "GITHUB_RUN_ID": "17", "GITHUB_EVENT_PATH": "/run/event.json",
}  # fmt: skip
GITLAB = {
    "CI_SERVER_URL": "https://gitlab.example/", "CI_API_V4_URL": "https://gitlab.example/api/v4", "GITLAB_TOKEN": "own",
    "CI_PROJECT_PATH": "acme/deep/models", "CI_PIPELINE_URL": "https://gitlab.example/p/1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (GITHUB, CI(server="https://github.com", api="https://api.github.com", repository="acme/models", token="own",
                    user="x-access-token", run="https://github.com/acme/models/actions/runs/17",
                    event=Path("/run/event.json"))),
        (GITLAB, CI(server="https://gitlab.example", api="https://gitlab.example", repository="acme/deep/models",
                    token="own", user="oauth2", run="https://gitlab.example/p/1")),
        (GITHUB | GITLAB | {"MODELYARD_TOKEN": "ours"},
         CI(server="https://gitlab.example", api="https://gitlab.example", repository="acme/deep/models", token="ours",
            user="oauth2", run="https://gitlab.example/p/1")),
        ({"BUILD_URL": "https://jenkins.example/7", "MODELYARD_TOKEN": "ours", "MODELYARD_FORGE_TIMEOUT": "2.5"},
         CI(token="ours", user="x-access-token", run="https://jenkins.example/7", timeout=2.5)),
        ({}, CI(user="x-access-token")),
    ],
    ids=["GitHub Actions", "GitLab CI", "an own token", "Jenkins", "nothing"],
)  # fmt: skip
def test_the_ci_system_by_its_variables(environ: dict[str, str], expected: CI) -> None:
    assert read_ci(environ) == expected


@pytest.mark.parametrize("value", ["soon", "0", "-1", "601", "nan", "inf"])
def test_a_timeout_is_a_number_of_seconds(value: str) -> None:
    with pytest.raises(UsageError, match="MODELYARD_FORGE_TIMEOUT is"):
        read_ci({"MODELYARD_FORGE_TIMEOUT": value})


def test_git_gets_the_token_only_over_https() -> None:
    settings = read_ci(GITHUB).git_settings()
    assert settings["GIT_CONFIG_KEY_0"] == "http.https://github.com/.extraheader"
    secret = settings["GIT_CONFIG_VALUE_0"].removeprefix("AUTHORIZATION: basic ")
    assert base64.b64decode(secret) == b"x-access-token:own"
    for ci in (CI(server="http://plain.example", token="t"), CI(server="https://x.example"), CI(token="t")):
        assert ci.git_settings() == {}


@pytest.mark.parametrize(
    "url", ["https://host:99999/a/b", "https://host:port/a", "http://[::1/a", "https://[x]/a", "://", "https:///a", ""]
)
def test_a_url_without_a_server_names_no_repository(url: str) -> None:
    assert repository_of(url) == ("", "")


@given(st.text(max_size=40) | st.text(max_size=30).map(lambda text: f"https://{text}"))
def test_any_remote_has_a_server_or_none(url: str) -> None:
    server, name = repository_of(url)
    assert server.startswith("https://") or (server, name) == ("", "")


def test_the_event_of_a_workflow(tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_text('{"action": "created"}')
    assert read_event(path) == {"action": "created"}
    with pytest.raises(UsageError, match="there is no workflow event"):
        read_event(None)
    for content, match in ((b"[1]", "not a JSON object"), (b"{", "cannot be read"), (b"\xff", "cannot be read"),
                           (b'"' + b"x" * 5_000_000 + b'"', "more than 5,000,000 bytes")):  # fmt: skip
        path.write_bytes(content)
        with pytest.raises(ModelyardError, match=match):
            read_event(path)
    with pytest.raises(ModelyardError, match="cannot be read"):
        read_event(tmp_path / "nothing.json")


@given(st.binary(max_size=60) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(
    lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_event_file_is_an_object_or_an_error(content: bytes) -> None:
    path = SimpleNamespace(stat=lambda: SimpleNamespace(st_size=len(content)), read_bytes=lambda: content)
    try:
        assert isinstance(read_event(path), dict)  # type: ignore[arg-type]
    except ModelyardError as error:
        assert error.remedy


# --- plain git --------------------------------------------------------------------------------------------------------


def change_with(message: str, *, merged: bool = True) -> Any:
    git = MemoryGit()
    base = git.add({"a.txt": "1"})
    head = git.add({"b.txt": "1"}, base, message="Better", author="Ada", email="ada@example.org")
    git.head = git.add({"b.txt": "1"}, base, merged=head if merged else "", message=message, author="Ada",
                       email="ada@example.org")  # fmt: skip
    forge = GitForge.connect(as_git(git), CI())
    return forge.change_of(git.head)


@pytest.mark.parametrize(
    ("trailers", "authors"),
    [
        ("", []),
        ("Approved-by: Grace <grace@example.org>", ["Grace"]),
        ("approved-BY:   Grace  ", ["Grace"]),
        ("Approved-by: <grace@example.org>", ["grace@example.org"]),
        ("Approved-by: Grace <g@x>\nApproved-by: Carol <c@x>", ["Grace", "Carol"]),
        ("Approved-by: Somebody <ADA@example.org>", ["Ada"]),
        ("Approved-by: Ada", ["Ada"]),
        ("Approved-by:", []),
        ("They said Approved-by: Grace", []),
    ],
)
def test_reviews_are_trailers_and_two_spellings_are_one_person(trailers: str, authors: list[str]) -> None:
    change = change_with(f"Merge branch 'better'\n\n{trailers}")
    assert (change.subject, change.author, change.files) == ("Better", "Ada", ("b.txt",))
    assert [review.author for review in change.reviews] == authors
    assert all(review.outcome == "approved" and not review.bot for review in change.reviews)


def test_a_plain_commit_is_its_own_proposal() -> None:
    change = change_with("Merge-like words\n\nApproved-by: Grace", merged=False)
    assert change.subject == "Merge-like words" and change.pull is None and change.head == ""


def test_plain_git_has_no_teams_and_its_committers_may_write() -> None:
    forge = GitForge(as_git(MemoryGit()))
    assert forge.permission("anybody") == "write" and not forge.is_member("anybody", "@acme/risk")


# --- the choice of an adapter -----------------------------------------------------------------------------------------


class Adapter:
    """An installed adapter; connecting gives what it was connected with."""

    name = "github"

    def load(self) -> Adapter:
        return self

    def connect(self, git: object, ci: CI) -> tuple[str, CI]:
        return "connected", ci


def repository(folder: Path, forge: str) -> ModelRepository:
    write(folder, {"modelyard.yaml": CONFIG + f"forge: {forge}\n"})
    return ModelRepository(folder)


def test_the_adapter_is_found_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "entry_points", lambda group: [Adapter()] if group == "modelyard.forges" else [])
    monkeypatch.setattr(os, "environ", {"GITHUB_TOKEN": "t"})
    git = as_git(MemoryGit())
    opened: Any = open_pull_forge(repository(tmp_path, "github"), git)
    forge, ci = opened
    assert forge == ("connected", ci) and ci.token == "t"
    assert isinstance(open_forge(repository(tmp_path, "git"), git), GitForge)
    with pytest.raises(UsageError, match=r"modelyard\.yaml has forge: git"):
        open_pull_forge(repository(tmp_path, "git"), git)
    with pytest.raises(ModelyardError, match="The forge 'gitlab' is not installed") as error:
        open_forge(repository(tmp_path, "gitlab"), git)
    assert error.value.remedy == "Did you mean 'github'?"
