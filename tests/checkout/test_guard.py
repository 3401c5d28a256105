"""``audit check``: tags and evidence compared with each other, and with the remote, both ways."""

from __future__ import annotations

from pathlib import Path

import pytest
from modelyard.checkout.checkout import Checkout
from modelyard.checkout.evidence_branch import BRANCH
from modelyard.checkout.evidence_store import approvals_file, evidence_files
from modelyard.checkout.guard import check_registry
from modelyard.deployment.record import write_receipt
from modelyard.errors import UsageError
from modelyard.evidence.approval import ApprovalRecord
from modelyard.registry.tags import StageRecord
from support.versions import add_version, artifact_of, opened
from support.yard import git, small_repository

GRACE = ApprovalRecord("c" * 40, "", 7, "Promote", "ada", "", ("@Grace",), (), (), "")
ARTIFACT = artifact_of("churn", "v1.0.0")
STAGE = "churn#production#1"


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """A version and its receipt, in a clone of a bare remote."""
    folder = small_repository(tmp_path / "yard")
    git(tmp_path, "clone", "--quiet", "--bare", str(folder), "remote.git")
    git(folder, "remote", "add", "origin", f"file://{tmp_path}/remote.git")
    git(folder, "fetch", "--quiet")
    report = evidence_files("churn", ARTIFACT, {"probe": b"{}"}, {"report.html": b"<p>"})
    opened(folder).evidence.append(report, "evidence")
    add_version(folder, "churn", "v1.0.0", filed=digests_of(report))
    git(folder, "push", "--quiet", "origin", "main")
    stage = StageRecord("v1.0.0", ARTIFACT, "wanted", "ada", ("grace",))
    write_receipt(opened(folder).model("churn"), "production", stage, (GRACE,))
    return folder


def digests_of(files: dict[str, bytes]) -> dict[str, str]:
    from modelyard.checkout.evidence_store import digests

    return digests("churn", files)


def said(checkout: Checkout) -> list[str]:
    return [f"{fault.tag}: {fault.sentence}" for fault in check_registry(checkout) if fault.level == "error"]


def test_a_receipt_names_what_was_filed_with_it(yard: Path) -> None:
    assigned = opened(yard).history("churn").assigned("production")
    assert assigned is not None and assigned.record is not None
    assert list(assigned.record.filed) == [f"approvals/{STAGE}.json"]
    assert check_registry(opened(yard)) == ()


@pytest.mark.parametrize("name", ["probe.json", "report.html"])
def test_a_file_that_is_not_the_filed_one_is_a_fault(yard: Path, name: str) -> None:
    path = f"{ARTIFACT}/{name}"
    opened(yard).evidence.append({f"churn/{path}": b"other"}, "a hand in it")
    assert said(opened(yard)) == [f"churn@v1.0.0: {path} is not the file that was filed with it"]
    opened(yard).evidence.append({}, "gone", frozenset({f"churn/{path}"}))
    assert said(opened(yard)) == [f"churn@v1.0.0: {path}, which was filed with it, is missing"]


def test_approvals_of_others_than_the_tag_names_are_a_fault(yard: Path) -> None:
    mallory = ApprovalRecord("c" * 40, "", 7, "Promote", "ada", "", ("mallory",), (), (), "")
    opened(yard).evidence.append(approvals_file("churn", ARTIFACT, STAGE, (mallory,)), "a hand in it")
    assert said(opened(yard)) == [
        f"{STAGE}: approvals/{STAGE}.json is not the file that was filed with it",
        f"{STAGE}: its filed approvals are not of those whom the tag names",
    ]
    opened(yard).evidence.append({f"churn/approvals/{STAGE}.json": b"[[["}, "a hand in it")
    assert len(said(opened(yard))) == 2


def test_a_tag_that_is_only_on_the_remote_is_a_fault_and_an_unfetched_one_is_not(yard: Path, tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    git(remote, "tag", "--annotate", "-m", "by hand", "churn@v9.9.9", "main")
    git(remote, "tag", "--annotate", "-m", "of a person", "release-7", "main")
    git(yard, "tag", "--delete", "churn@v1.0.0")
    found = check_registry(opened(yard))
    assert [(fault.level, fault.tag) for fault in found] == [("error", "churn@v9.9.9"), ("warning", "churn@v1.0.0")]
    assert found[0].sentence == "is on the remote only, and has no filed copy: it proves nothing"
    assert "git push origin ':refs/tags/churn@v9.9.9'" in found[0].remedy
    assert found[1].sentence == "is not fetched into this clone"


@pytest.mark.parametrize(
    ("path", "others"),
    [
        (f"churn/{ARTIFACT}/reproduction.json", []),
        (f"changes/{'c' * 40}.json", []),
        ("churn/tags/x", ["x: was deleted on the remote; its filed copy exists"]),
    ],
)
def test_what_a_hand_replaced_or_removed_is_a_fault_also_where_no_tag_names_it(
    yard: Path, path: str, others: list[str]
) -> None:
    evidence = opened(yard).evidence
    evidence.append({path: b"one", "pulls/1/report.md": b"r"}, "evidence")
    evidence.append({path: b"two"}, "filed again, which keeps the older one")
    evidence.append({}, "a report of a closed pull request", frozenset({"pulls/1/report.md"}))
    assert [f"{fault.tag}: {fault.sentence}" for fault in check_registry(opened(yard))] == others
    commit = evidence.git.add_to_branch(BRANCH, {path: b"forged"}, "a hand in it")
    git(yard, "push", "--quiet", "origin", BRANCH)
    lost = f"{path}: the commit {commit[:12]} of modelyard/evidence replaced or removed what was filed there"
    assert lost in said(opened(yard))
    evidence.git.add_to_branch(BRANCH, {}, "gone", frozenset({path}))
    git(yard, "push", "--quiet", "origin", BRANCH)
    assert any(sentence.startswith(f"{path}: the commit") for sentence in said(opened(yard)))
    evidence.append({path: b"two"}, "restored")
    assert lost not in said(opened(yard))


def test_a_shallow_clone_is_refused(yard: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{tmp_path}/remote.git", "shallow")
    with pytest.raises(UsageError, match="shallow, so it lacks the history"):
        check_registry(opened(tmp_path / "shallow"))
