"""Entries of a merge queue: events, subjects, and the verdict on the merged tree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError
from modelyard.evidence.statement import write_statement
from modelyard.forges.ci import CI
from modelyard.review.comment import Poster
from modelyard.review.queue import Queued, read_queued, subjects_of_queued
from review.test_comment import CHANGE, TODAY, Scene, documents
from support.evidence import ARTIFACT, EVALUATION
from support.pulls import a_pull, as_forge, as_git

BASE, HEAD = "b" * 40, "a" * 40


def event(**changes: str) -> dict[str, Any]:
    group = {"head_sha": HEAD, "base_sha": BASE, "head_ref": f"refs/heads/gh-readonly-queue/main/pr-7-{BASE}"}
    return {"action": "checks_requested", "merge_group": group | changes}


def test_the_event_of_a_queue() -> None:
    assert read_queued(event()) == Queued(7, HEAD, BASE)
    assert read_queued(event(head_ref=f"refs/heads/gh-readonly-queue/release/1.x/pr-12-{BASE}")) == Queued(
        12, HEAD, BASE
    )
    assert read_queued({"workflow_run": {}}) is None


@given(st.dictionaries(st.sampled_from(["head_sha", "base_sha", "head_ref"]), st.text(max_size=80), min_size=1))
def test_an_odd_event_is_an_error(changes: dict[str, str]) -> None:
    with pytest.raises(ModelyardError, match="names no pull request or no commit"):
        read_queued(event(**changes))
    with pytest.raises(ModelyardError):
        read_queued({"merge_group": list(changes)})


class Queue(Scene):
    """The merged tree of pull request 7 on a champion."""

    def judge(self, evidence: dict[str, dict[str, bytes]], succeeded: bool = True) -> tuple[str, str]:
        """State and text of the verdict's status on the merged tree."""
        merged = self.git.add(CHANGE if evidence else {"README.md": "words"}, self.base)
        own = self.git.add({"models/churn/params.yaml": "own"}, self.base)
        self.forge.pulls[7], self.forge.files[7] = a_pull(7, head=own), ["x"]
        queued = Queued(7, merged, self.base)
        subject, approved = subjects_of_queued(as_forge(self.forge), as_git(self.git), queued, "", succeeded)
        assert (subject.head, approved.head) == (merged, own)
        poster = Poster(self.checkout, as_forge(self.forge), CI(), queued.base, TODAY, self.said.append)
        poster.judge_queued(subject, evidence, [])
        assert self.forge.comments(7) == [] and self.evidence.filed_files == {}, "a queue has no comment"
        status = self.status(merged)
        return status.state, status.description


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    return Queue(tmp_path, monkeypatch)


def test_the_merged_tree_is_judged_by_the_champion_of_the_moment(queue: Queue) -> None:
    state, said = queue.judge({"churn": documents()})
    assert state == "success" and said.startswith("churn pass vs v1.0.0: ")
    older = write_statement("evaluation", "churn", ARTIFACT, replace(EVALUATION, champion="v0.9.0"))
    stale = documents() | {"evaluation": older}
    assert queue.judge({"churn": stale}) == (
        "error", "churn error: compared with v0.9.0, but the champion is now v1.0.0",
    )  # fmt: skip


def test_an_entry_behind_one_that_is_no_version_yet_is_queued_again(queue: Queue) -> None:
    main = queue.base
    queue.base = queue.git.add({"models/churn/dvc.lock": "schema: '2.0'\n"}, main)
    assert queue.judge({"churn": documents()})[1].startswith("churn error: another candidate is before it")
    queue.git.head = queue.base
    assert queue.judge({"churn": documents()})[0] == "success", "main's own candidate may have been refused for good"


def test_a_queue_never_waits_for_a_status(queue: Queue) -> None:
    assert queue.judge({}) == ("success", "no model is affected")
    assert queue.judge({}, succeeded=False) == ("error", "the run that checks this pull request failed")
    assert queue.judge({"churn": {}})[0] == "error", "what was not uploaded is missing"
