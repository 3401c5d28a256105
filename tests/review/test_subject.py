"""The pull request and the commit of a workflow run, with a forge and a clone in memory."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.candidate.workspace import is_generated
from modelyard.errors import ModelyardError
from modelyard.review.subject import (
    RunEvent,
    fetch_head,
    read_run,
    subject_of_pull,
    subject_of_run,
)
from support.pulls import MemoryForge, MemoryGit, a_pull, as_forge, as_git
from support.yard import MODEL_YAML

MODEL = MODEL_YAML.format(name="churn")
LOCK = {"models/churn/dvc.lock": "stages: {}\n", "models/churn/metrics.json": "{}", "models/churn/profile.json": "{}"}


class Scene:
    """A measured commit, and a pull request whose head may have moved since."""

    def __init__(self, *later: dict[str, str]) -> None:
        self.git = MemoryGit()
        base = self.git.head = self.git.add({"models/churn/model.yaml": MODEL})
        self.measured = self.head = self.git.add({"models/churn/params.yaml": "a: 1\n"}, base)
        for files in later:
            self.head = self.git.add(files, self.head)
        self.forge = MemoryForge(pulls={7: a_pull(7, head=self.head)})

    def event(self, **changes: Any) -> dict[str, Any]:
        run = {
            "head_sha": self.measured, "head_branch": "feature", "head_repository": {"owner": {"login": "acme"}},
            "conclusion": "success", "html_url": "https://ci.example/run/1",
        }  # fmt: skip
        return {"workflow_run": run | changes}

    def of_run(self, **changes: Any) -> Any:
        return subject_of_run(as_forge(self.forge), as_git(self.git), self.event(**changes))

    def of_pull(self, measured: str | None = None) -> Any:
        return subject_of_pull(as_forge(self.forge), as_git(self.git), 7, measured, "https://ci.example/run/1")


def test_the_head_that_was_measured() -> None:
    scene = Scene()
    for subject in (scene.of_run(), scene.of_pull(scene.measured), scene.of_pull()):
        assert (subject.measured, subject.head, subject.run) == (scene.head, scene.head, "https://ci.example/run/1")
        assert subject.succeeded
    assert not scene.of_run(conclusion="failure").succeeded


def test_one_commit_of_generated_files_on_top_still_counts() -> None:
    scene = Scene(LOCK)
    for subject in (scene.of_run(), scene.of_pull(scene.measured)):
        assert (subject.measured, subject.head) == (scene.measured, scene.head)


@pytest.mark.parametrize(
    "later",
    [
        [{"models/churn/params.yaml": "a: 2\n"}],
        [LOCK | {"models/churn/params.yaml": "a: 2\n"}],
        [LOCK, {"models/churn/dvc.lock": "stages: {x: {}}\n"}],
        [{"README.md": "words"}],
    ],
    ids=["other work", "a lock with other work", "two commits", "no model"],
)
def test_other_work_since_then_is_not_reported_on(later: list[dict[str, str]]) -> None:
    scene = Scene(*later)
    assert scene.of_run() is None and scene.of_pull(scene.measured) is None


def test_a_closed_pull_request_is_not_reported_on() -> None:
    scene = Scene()
    scene.forge.close(7)
    assert scene.of_run() is None
    assert scene.of_run(head_branch="other") is None


def test_a_commit_that_this_clone_does_not_have_is_not_carried() -> None:
    scene = Scene(LOCK)
    assert scene.of_pull("f" * 40) is None


def test_fetching_needs_a_commit_and_a_remote() -> None:
    git = MemoryGit()
    far = git.add({"a": "1"}, far=True)
    fetch_head(as_git(git), a_pull(7, head=far))
    fetch_head(as_git(git), a_pull(7, head=far))
    assert git.fetched == [far], "what is here already is not fetched again"
    with pytest.raises(ModelyardError, match="cannot be fetched"):
        fetch_head(as_git(git), a_pull(7, head="--upload-pack=evil"))
    git.remote_name = None
    with pytest.raises(ModelyardError, match="cannot be fetched"):
        fetch_head(as_git(git), a_pull(7, head="f" * 40))


@pytest.mark.parametrize(
    ("path", "generated"),
    [
        ("models/churn/dvc.lock", True),
        ("models/churn/metrics.json", True),
        ("models/churn/profile.json", True),
        ("models/churn/src/profile.json", False),
        ("models/churn/src/x.py", False),
        ("models/churn/src/dvc.lock", False),
        ("models/churn/model.yaml", False),
        ("models/../dvc.lock", False),
        ("models/dvc.lock", False),
        ("data/dvc.lock", False),
        ("dvc.lock", False),
    ],
)
def test_what_retraining_writes(path: str, generated: bool) -> None:
    assert is_generated(path) is generated


@pytest.mark.parametrize(
    ("event", "match"),
    [
        ({}, "not a workflow_run event"),
        ({"workflow_run": None}, "not a workflow_run event"),
        ({"workflow_run": {"head_sha": "a" * 40}}, "not a workflow_run event"),
        (Scene().event(head_repository=None), "not a workflow_run event"),
        (Scene().event(head_sha="main; rm -rf /"), "no valid commit"),
        (Scene().event(head_sha="A" * 40), "no valid commit"),
    ],
)
def test_other_events_are_errors(event: dict[str, Any], match: str) -> None:
    with pytest.raises(ModelyardError, match=match):
        read_run(event)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(["head_sha", "head_branch", "head_repository", "conclusion", "html_url"]), JSON)
def test_any_run_is_read_or_an_error(key: str, value: Any) -> None:
    for event in (Scene().event(**{key: value}), {"workflow_run": value}):
        try:
            found = read_run(event)
        except ModelyardError as error:
            assert error.remedy
        else:
            assert isinstance(found, RunEvent) and len(found.head) == 40
