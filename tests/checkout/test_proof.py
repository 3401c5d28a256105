"""Tags against their filed copies, in a real repository: which count, and what is read for it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from modelyard.catalog.queries import told
from modelyard.checkout.evidence_store import EvidenceStore
from modelyard.checkout.proof import doubts, filed_copies, proven_registry
from modelyard.checkout.tags import write_tag
from modelyard.errors import UsageError
from modelyard.git import Git
from modelyard.registry.tags import StageRecord, write_record
from modelyard.report.terminal.history import render_history
from support.versions import add_stage, add_version, opened
from support.yard import git, small_repository


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = small_repository(tmp_path_factory.mktemp("proof") / "yard")
    for version in ("v1.0.0", "v1.1.0"):
        add_version(folder, "churn", version)
    add_stage(folder, "churn", "v1.0.0", "staging")
    return folder


def test_no_copy_is_read_where_every_tag_equals_its_copy(yard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def blobs(git: Git, shas: Iterable[str]) -> dict[str, bytes]:
        read.extend(shas)
        return {}

    monkeypatch.setattr(Git, "blobs", blobs)
    tags = opened(yard).git.tags()
    assert filed_copies(EvidenceStore(Git(yard)), tags) == {tag.name: tag.object for tag in tags}
    assert len(tags) == 3 and not read


@pytest.mark.parametrize("message", ["said otherwise", "\n\nthe same\n\n", "\ufffd \u2028 é"])
def test_a_moved_tag_and_one_without_a_copy_prove_nothing(yard: Path, tmp_path: Path, message: str) -> None:
    git(tmp_path, "clone", "--quiet", str(yard), "two")
    two = tmp_path / "two"
    git(two, "tag", "--force", "--annotate", "--cleanup=verbatim", "-m", message, "churn@v1.1.0", "churn@v1.1.0^{}")
    git(two, "tag", "--annotate", "-m", "by hand", "churn#production#9", "HEAD")
    registry = proven_registry(Git(two), Git(two).begin_tags())
    history = registry.history("churn")
    assert [known.version for known in history.versions] == ["v1.0.0"]
    assert {tag: why.partition(":")[0] for tag, why in doubts(history).items()} == {
        "churn@v1.1.0": "moved", "churn#production#9": "not filed",
    }  # fmt: skip


def test_tags_of_many_models_are_compared_too(yard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.checkout.proof._FEW", 0)
    assert not doubts(proven_registry(Git(yard), Git(yard).begin_tags()).history("churn"))


def test_a_clone_without_evidence_says_what_to_fetch(yard: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--single-branch", "--branch=main", f"file://{yard}", "one")
    with pytest.raises(UsageError, match="nothing proves them") as missing:
        proven_registry(Git(tmp_path / "one"), Git(tmp_path / "one").begin_tags())
    assert "git fetch origin modelyard/evidence" in missing.value.remedy


def test_history_says_what_was_refused_and_what_nobody_approved(yard: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(yard), "two")
    checkout = opened(tmp_path / "two")
    head = checkout.git.commit_of("HEAD")
    refusal = b'{"subject": "evil", "author": "Mallory", "missing": "reviewed: 0 of 1 approvals"}'
    checkout.evidence.append(
        {f"refused/production/churn/{head}.json": refusal, "refused/production/price/x.json": b"{}",
         f"refused/staging/churn/{'0' * 40}.json": b"[[["},
        "refused",
    )  # fmt: skip
    found = told(checkout.git, "churn", checkout.git.tags("churn@*", "churn#*"))
    refused = [event for event in found if event.what == "refused"]
    assert [(event.environment, event.at > 0) for event in refused] == [("staging", False), ("production", True)]
    shown = " ".join(render_history("churn", found).fit(None).split())
    assert f"by Mallory: the commit {head[:12]} (evil) is not approved: reviewed: 0 of 1 approvals" in shown
    assert "the record cannot be read" in shown and "unapproved" not in shown
    view, tag = checkout.model("churn"), "churn#production#2"
    record = StageRecord("v1.0.0", "a" * 64, "in a hurry", "ada")
    write_tag(view, tag, view.version("v1.0.0").commit, write_record("Assigning", record))
    shown = " ".join(render_history("churn", told(checkout.git, "churn", checkout.git.tags())).fit(None).split())
    assert "by ada, unapproved: in a hurry" in shown
