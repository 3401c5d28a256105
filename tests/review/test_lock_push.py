"""The commit of retrained locks: only known files of models that exist, and only on the measured head."""

from __future__ import annotations

import hashlib
import json

import pytest
from modelyard.errors import ModelyardError
from modelyard.review.bundle import UntrustedBundle
from modelyard.review.lock_push import push_locks
from support.pulls import MemoryEvidence, MemoryGit, as_git, as_store
from support.yard import MODEL_YAML

LOCK = b"schema: '2.0'\nstages:\n  train:\n    outs: [{path: model.txt, md5: a, size: 1}]\n"
BRANCH = "refs/heads/feature"


class Scene:
    def __init__(self, model: str = MODEL_YAML.format(name="churn")) -> None:
        self.git, self.evidence = MemoryGit(), MemoryEvidence()
        self.main = self.git.add({"models/churn/model.yaml": model, "models/churn/metrics.json": "{}"})
        self.head = self.git.add({"models/churn/src/features.py": "new", "README.md": "new"}, self.main)
        self.git.remote_branches[BRANCH] = self.head

    def push(self, **generated: dict[str, bytes]) -> str | None:
        untrusted = UntrustedBundle(generated=generated)
        return push_locks(as_git(self.git), as_store(self.evidence), untrusted, self.head, "feature", self.main)


def test_what_differs_is_one_commit_on_the_branch() -> None:
    scene = Scene()
    commit = scene.push(churn={"dvc.lock": LOCK, "metrics.json": b"{}", "profile.json": b"{}"})
    assert commit and scene.git.remote_branches[BRANCH] == commit
    info = scene.git.commit_info(commit)
    assert (info.subject, info.parents) == ("Retrained: churn", (scene.head,))
    assert scene.git.files_of(info) == ["models/churn/dvc.lock", "models/churn/profile.json"]


def test_nothing_new_is_no_commit() -> None:
    scene = Scene()
    assert scene.push(churn={"metrics.json": b"{}"}) is None and scene.push() is None
    assert scene.push(unknown={"dvc.lock": LOCK}) is None, "the head has no such model"
    assert scene.git.remote_branches[BRANCH] == scene.head


def test_a_lock_is_filed_with_the_code_that_left_it_whether_it_differs_or_not() -> None:
    scene = Scene()
    folder = f"churn/locks/{hashlib.sha256(LOCK).hexdigest()}"
    first = scene.head
    scene.push(churn={"dvc.lock": LOCK})
    code = {"models/churn/src/features.py": scene.git.files_at(first)["models/churn/src/features.py"]}
    assert {path: json.loads(content) for path, content in scene.evidence.filed_files.items()} == {
        f"{folder}/{first}.json": {"commit": first, "changed": code}
    }
    scene.head = scene.git.remote_branches[BRANCH]
    assert scene.push(churn={"dvc.lock": LOCK}) is None
    assert len(scene.evidence.filed_files) == 1, "the commit that brings the lock has the same code"
    scene.head = scene.git.add({"models/churn/src/features.py": "newer"}, scene.head)
    for _ in range(2):
        scene.push(unknown={"dvc.lock": LOCK}, churn={"metrics.json": b"{}", "dvc.lock": LOCK})
        assert len(scene.evidence.filed_files) == 2 == len(scene.evidence.messages), "other code, once"


def test_the_profile_has_a_fixed_name() -> None:
    scene = Scene(MODEL_YAML.format(name="churn").replace("model.txt}", "model.txt, profile: src/train.py}"))
    commit = scene.push(churn={"profile.json": b"{}"})
    assert commit and scene.git.file_at(commit, "models/churn/profile.json") == b"{}"
    assert scene.git.file_at(commit, "models/churn/src/train.py") is None


@pytest.mark.parametrize(
    "lock",
    [b"stages: [", b"stages: [1]", b"[]", b"stages: {train: 1}", b"stages: {train: {outs: [x]}}",
     b"stages: {train: {outs: [{path: a, size: x}]}}", b"stages: {train: {params: [1]}}", b"\xff"],
)  # fmt: skip
def test_a_lock_that_is_none_is_an_error_and_nothing_is_pushed(lock: bytes) -> None:
    scene = Scene()
    with pytest.raises(ModelyardError, match=r"models/churn/dvc\.lock of the untrusted bundle is not a valid lock"):
        scene.push(churn={"dvc.lock": lock})
    assert scene.git.remote_branches[BRANCH] == scene.head


def test_a_branch_that_moved_gets_nothing() -> None:
    scene = Scene()
    newer = scene.git.remote_branches[BRANCH] = scene.git.add({"x": "1"}, scene.head)
    with pytest.raises(ModelyardError, match="has moved from"):
        scene.push(churn={"dvc.lock": LOCK})
    assert scene.git.remote_branches[BRANCH] == newer and not scene.evidence.filed_files
