"""Comment commands with a forge and a clone in memory: permission, pinning to a commit, and the effect."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError, Refused, UsageError
from modelyard.forges.interface import VERDICT, Comment, Status
from modelyard.git import TagRef
from modelyard.registry.tags import VersionRecord, write_record
from modelyard.report.markdown.comment import marker
from modelyard.report.markdown.summary import REPORT
from modelyard.review.commands import CommentEvent, CommentRunner, read_comment
from support.pulls import MemoryForge, MemoryGit, a_pull, as_forge, memory_checkout
from support.yard import CONFIG, DVC_YAML, MODEL_YAML

TODAY = date(2026, 5, 3)
ARTIFACT = "a" * 64
POLICY = """\
name: standard
description: d
checks:
  - {id: auc-floor, kind: threshold, metric: auc, minimum: 0.7, why: A weak ranking is useless.}
  - {id: no-leak, kind: leakage, level: hard, why: A leak makes every metric worthless.}
"""
FILES = {
    "modelyard.yaml": CONFIG,
    "models/churn/model.yaml": MODEL_YAML.format(name="churn"),
    "models/churn/dvc.yaml": DVC_YAML,
    "policies/standard.yaml": POLICY,
    "deployments/production/churn.yaml": "model: churn\nversion: v1.0.0\n",
}
BODY = f"{REPORT}\n{marker('churn')}\n<sub>commit {'c' * 12} · artifact sha256 {ARTIFACT}<br>report</sub>"


class Scene:
    """Pull request 7 of the branch feature, with a report and a verdict, on the forge and in the clone."""

    def __init__(self, folder: Path) -> None:
        self.git = MemoryGit()
        self.base = self.git.head = self.git.add(FILES)
        self.head = self.git.add({"models/churn/params.yaml": "train: {trees: 6}\n"}, self.base)
        self.git.tag_refs = [TagRef("churn@v1.0.0", True, self.base, 1, "ada", "v1.0.0")]
        self.forge = MemoryForge(permissions={"grace": "write", "ada": "write"})
        self.forge.pulls[7] = a_pull(7, head=self.head)
        self.forge.written[7] = [Comment(1, BODY, True)]
        self.forge.set_statuses.append((self.head, Status(VERDICT, "success", "ok", at=100)))
        self.said: list[str] = []
        self.runner = CommentRunner(memory_checkout(folder, self.git), as_forge(self.forge), TODAY, self.said.append)

    def write(self, body: str, actor: str = "grace", at: int = 200) -> None:
        self.runner.run(CommentEvent(7, 9, body, actor, at))

    def opened(self) -> tuple[str, str]:
        """Title and branch of the newest pull request."""
        pull = self.forge.pulls[max(self.forge.pulls)]
        return pull.title, pull.branch

    def pushed(self, branch: str, path: str) -> str:
        content = self.git.file_at(self.git.remote_branches[f"refs/heads/{branch}"], path)
        assert content is not None
        return content.decode()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_explain_answers_in_one_comment(scene: Scene) -> None:
    scene.write("/modelyard explain check=auc-floor")
    assert scene.forge.reactions == ["eyes", "+1"]
    assert "A weak ranking is useless" in scene.forge.written[7][-1].body
    scene.write("/modelyard explain")
    assert len(scene.forge.written[7]) == 2, "the second answer replaces the first"


def test_who_may_only_read_is_refused(scene: Scene) -> None:
    with pytest.raises(Refused, match="@mallory has the permission read, but explain needs write"):
        scene.write("/modelyard explain", actor="mallory")
    assert scene.forge.reactions == ["eyes", "-1"]


def test_wrong_syntax_is_confusing_and_looks_nobody_up(scene: Scene) -> None:
    with pytest.raises(UsageError):
        scene.write("/modelyard promote env=$(id)")
    assert scene.forge.reactions == ["eyes", "confused"] and scene.forge.asked == []


def test_promote_opens_one_pull_request_with_a_verdict(scene: Scene) -> None:
    scene.write("/modelyard promote env=staging version=v1.0.0")
    assert scene.opened() == ("Promote churn to v1.0.0 in staging", "modelyard/promote/staging/churn")
    assert scene.pushed("modelyard/promote/staging/churn", "deployments/staging/churn.yaml") == (
        "model: churn\nversion: v1.0.0\n"
    )
    commit, status = scene.forge.set_statuses[-1]
    assert commit in scene.git.remote_branches.values()
    assert (status.context, status.state, status.description) == (VERDICT, "success", "no model is affected")
    scene.write("/modelyard promote env=staging version=v1.0.0")
    assert max(scene.forge.pulls) == 8, "the same command again opens no second pull request"
    assert scene.said == [
        "opened pull request 8: Promote churn to v1.0.0 in staging",
        "updated pull request 8: Promote churn to v1.0.0 in staging",
    ]


def test_promote_without_a_version_takes_the_one_that_the_merge_registered(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="has no registered version of churn"):
        scene.write("/modelyard promote env=staging")
    merge = scene.git.add({}, scene.base, merged=scene.head, message="Merge")
    message = write_record("Registering artifact churn version v1.1.0", VersionRecord(artifact=ARTIFACT))
    scene.git.tag_refs.append(TagRef("churn@v1.1.0", True, merge, 2, "ada", message))
    scene.forge.pulls[7] = replace(scene.forge.pulls[7], merge_commit=merge, state="merged")
    checkout = memory_checkout(tmp_path, scene.git)
    runner = CommentRunner(checkout, as_forge(scene.forge), TODAY, scene.said.append)
    runner.run(CommentEvent(7, 9, "/modelyard promote env=staging", "grace", 200))
    assert scene.opened()[0] == "Promote churn to v1.1.0 in staging"


@pytest.mark.parametrize(
    ("body", "error", "match"),
    [
        ("/modelyard promote env=stagin version=v1.0.0", UsageError, "declares no environment 'stagin'"),
        ("/modelyard promote env=staging version=v9.0.0", UsageError, "has no version v9.0.0"),
        ("/modelyard promote env=production version=v1.0.0", Refused, "already has the desired version v1.0.0"),
        ("/modelyard rollback to=v9.0.0", UsageError, "has no version v9.0.0"),
        ("/modelyard promote model=chrun env=staging version=v1.0.0", UsageError, "There is no model chrun"),
        ("/modelyard explain check=auc-flor", UsageError, "has no check auc-flor"),
        ('/modelyard waive check=auc-flor until=2026-06-30 reason="x"', UsageError, "has no check auc-flor"),
        ('/modelyard waive check=no-leak until=2026-06-30 reason="x"', Refused, "only soft checks can be waived"),
        ('/modelyard waive check=auc-floor until=2026-05-02 reason="x"', UsageError, "is in the past"),
    ],
)
def test_what_cannot_be_done(scene: Scene, body: str, error: type[ModelyardError], match: str) -> None:
    with pytest.raises(error, match=match):
        scene.write(body)
    assert scene.forge.reactions == ["eyes", "-1"] and max(scene.forge.pulls) == 7


def test_rollback_goes_to_the_last_environment_by_default(scene: Scene) -> None:
    scene.git.tag_refs.append(TagRef("churn@v1.1.0", True, scene.base, 2, "ada", "v1.1.0"))
    scene.write("/modelyard rollback to=v1.1.0")
    assert scene.opened() == ("Roll back churn to v1.1.0 in production", "modelyard/rollback/production/churn")
    scene.write("/modelyard rollback to=v1.1.0 env=staging")
    assert scene.opened()[1] == "modelyard/rollback/staging/churn"


def test_a_waiver_names_the_artifact_of_the_report_and_its_requester(scene: Scene) -> None:
    scene.write('/modelyard waive check=auc-floor until=2026-06-30 reason="Agreed, see minutes"')
    title, branch = scene.opened()
    assert (title, branch) == ("Waive auc-floor for churn until 2026-06-30", "modelyard/waive/churn/auc-floor")
    assert scene.pushed(branch, f"waivers/churn-auc-floor-{ARTIFACT[:8]}.yaml").splitlines() == [
        'model: "churn"',
        'check: "auc-floor"',
        f'artifact: "{ARTIFACT}"',
        'reason: "Agreed, see minutes"',
        'requested_by: "@grace"',
        'expires: "2026-06-30"',
    ]


@pytest.mark.parametrize(
    ("comments", "match"),
    [
        ([], "has no report about churn"),
        ([Comment(1, BODY, False)], "has no report about churn"),
        ([Comment(1, f"{REPORT}\n{marker('churn')}", True)], "names no artifact"),
    ],
)
def test_only_our_own_report_names_an_artifact(scene: Scene, comments: list[Comment], match: str) -> None:
    scene.forge.written[7] = comments
    with pytest.raises(Refused, match=match):
        scene.write('/modelyard waive check=auc-floor until=2026-06-30 reason="x"')


def test_retrain_starts_the_workflow_on_the_head_that_was_seen(scene: Scene) -> None:
    scene.write("/modelyard retrain")
    assert scene.forge.dispatched == [(7, scene.head)]


@pytest.mark.parametrize(
    ("pull", "at", "match"),
    [
        ({"state": "merged"}, 200, "is merged, so nothing is run"),
        ({"from_fork": True}, 200, "code of a fork does not run"),
        ({}, 99, "had no verdict when the comment was written"),
    ],
)
def test_retrain_of_what_nobody_saw_is_refused(scene: Scene, pull: dict[str, Any], at: int, match: str) -> None:
    scene.forge.pulls[7] = replace(scene.forge.pulls[7], **pull)
    with pytest.raises(Refused, match=match):
        scene.write("/modelyard retrain", at=at)
    assert scene.forge.dispatched == []


def test_a_verdict_of_somebody_else_does_not_count(scene: Scene) -> None:
    scene.forge.set_statuses[:] = [(scene.head, Status(VERDICT, "success", "forged", at=100, ours=False))]
    with pytest.raises(Refused, match="had no verdict"):
        scene.write("/modelyard retrain")


def test_the_model_must_be_named_where_the_pull_request_affects_not_exactly_one(scene: Scene) -> None:
    words = scene.git.add({"README.md": "words"}, scene.base)
    scene.forge.pulls[7] = replace(scene.forge.pulls[7], head=words)
    with pytest.raises(UsageError, match="This pull request changes no model"):
        scene.write("/modelyard explain")


def test_the_head_is_fetched_and_nothing_else(scene: Scene) -> None:
    far = scene.git.add({"models/churn/params.yaml": "train: {trees: 7}\n"}, scene.head, far=True)
    scene.forge.pulls[7] = replace(scene.forge.pulls[7], head=far)
    scene.write("/modelyard explain")
    assert scene.git.fetched == [far]


EVENT: dict[str, Any] = {
    "action": "created",
    "comment": {"id": 5, "body": "/modelyard explain", "user": {"login": "ada"}, "created_at": "2026-05-03T10:00:00Z"},
    "issue": {"number": 7, "pull_request": {}},
}


def test_the_event_of_a_new_comment_on_a_pull_request() -> None:
    event = EVENT | {"issue": {"number": 7, "pull_request": {"url": "x"}}}
    assert read_comment(event) == CommentEvent(7, 5, "/modelyard explain", "ada", 1777802400)
    assert read_comment(event | {"action": "edited"}) is None, "an edit runs nothing"
    assert read_comment(EVENT) is None, "a comment on an issue runs nothing"
    assert read_comment(event | {"comment": EVENT["comment"] | {"body": "See /modelyard explain"}}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(["comment", "issue", "action"]), JSON, st.sampled_from(["id", "body", "user", "created_at"]), JSON
)
def test_any_event_is_read_or_an_error(part: str, whole: Any, key: str, value: Any) -> None:
    sound = EVENT | {"issue": {"number": 7, "pull_request": {"url": "x"}}}
    for event in (sound | {part: whole}, sound | {"comment": EVENT["comment"] | {key: value}}):
        try:
            found = read_comment(event)
        except ModelyardError as error:
            assert error.remedy
        else:
            assert found is None or isinstance(found.actor, str)
