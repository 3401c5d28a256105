"""Waiting until what is before it is registered and deployed: in memory, with a clock of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from modelyard.checkout.settling import unsettled_models, wait_until_settled
from modelyard.errors import ModelyardError
from modelyard.git import TagRef
from modelyard.registry.tags import StageRecord, VersionRecord, write_record
from support.pulls import MemoryEvidence, MemoryGit, memory_checkout
from support.yard import CONFIG, MODEL_YAML

LOCK = "schema: '2.0'\n"
LATEST = "model: churn\nversion: latest\n"


class Main:
    """A default branch whose newest candidate of churn is no version yet."""

    def __init__(self, folder: Path, deployment: str = LATEST) -> None:
        self.folder, self.git = folder, MemoryGit()
        files = {"modelyard.yaml": CONFIG, "models/churn/model.yaml": MODEL_YAML.format(name="churn"),
                 "models/churn/dvc.lock": LOCK, "deployments/staging/churn.yaml": deployment}  # fmt: skip
        self.first = self.git.add({path: text for path, text in files.items() if text})
        self.base = self.git.head = self.git.add({"README.md": "The entry before."}, self.first)
        self.git.fetch_tags = self.fetched  # type: ignore[attr-defined]
        self.coming: list[TagRef] = []
        self.git.ref = lambda ref: self.git.head  # type: ignore[attr-defined]
        self.now, self.said = 0.0, list[str]()

    def fetched(self, remote: str, *patterns: str) -> None:
        assert patterns == ("churn@*", "churn#*")
        if self.coming:
            self.git.tag_refs = [*self.git.tag_refs, self.coming.pop(0)]

    def registered(self, number: str = "v1.1.0", lock: str = LOCK) -> TagRef:
        record = VersionRecord("a" * 64, lock=hashlib.sha256(lock.encode()).hexdigest())
        return TagRef(f"churn@{number}", True, self.base, 1, "ada", write_record("", record))

    def deployed(self, number: str = "v1.1.0") -> TagRef:
        return TagRef("churn#staging#1", True, self.base, 2, "ada", write_record("", StageRecord(number)))

    def unsettled(self) -> list[str]:
        return unsettled_models(memory_checkout(self.folder, self.git, MemoryEvidence()), ["churn", "new"], self.base)

    def wait(self, minutes: float = 10) -> list[str]:
        def sleep(seconds: float) -> None:
            self.now += seconds

        checkout = memory_checkout(self.folder, self.git, MemoryEvidence())
        return wait_until_settled(checkout, ["churn"], self.base, minutes, self.said.append, sleep, lambda: self.now)


@pytest.fixture
def main(tmp_path: Path) -> Main:
    return Main(tmp_path)


def test_a_candidate_is_waited_for_until_it_is_registered_and_deployed(main: Main) -> None:
    main.coming = [main.registered(), main.deployed()]
    assert main.wait() == [] and main.now == 30 and len(main.said) == 1
    assert main.said[0] == "Waiting until what is before it is registered and deployed: churn …"


def test_the_wait_is_bounded(main: Main) -> None:
    assert main.wait(2) == ["churn"] and main.now == 120
    main.git.remote_name = None
    assert main.wait(0) == ["churn"], "nothing is waited for"


def test_the_wait_begins_when_the_entry_before_is_merged(main: Main) -> None:
    main.git.head = main.first
    with pytest.raises(ModelyardError, match="behind in the queue is not merged after 6 minutes"):
        main.wait(2)
    main.git.fetch = lambda remote, *refs: setattr(main.git, "head", main.base)  # type: ignore[method-assign]
    main.now = 0.0
    assert main.wait(2) == ["churn"] and main.now == 135, "two minutes after the first look at which it is on main"


def test_an_older_version_does_not_settle_a_newer_candidate(main: Main) -> None:
    main.git.tag_refs = [main.registered("v1.0.0", "another"), main.deployed("v1.0.0")]
    assert main.unsettled() == ["churn"]


@pytest.mark.parametrize(
    ("deployment", "expected"),
    [
        (LATEST, ["churn"]),
        ("model: churn\nversion: v1.0.0\n", []),
        (LATEST + "rollout: {strategy: canary, steps: [{weight: 10, hold: 2h}]}\n", []),
        ("model: churn\nversion: [\n", []),
        ("", []),
    ],
)  # fmt: skip
def test_only_a_deployment_at_once_is_waited_for(tmp_path: Path, deployment: str, expected: list[str]) -> None:
    main = Main(tmp_path, deployment)
    main.git.tag_refs = [main.registered()]
    assert main.unsettled() == expected
