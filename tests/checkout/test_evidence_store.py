"""Where evidence, approvals and copies of tags stand on the branch, with a Git in memory."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.checkout.evidence_branch import SUPERSEDED, AlreadyFiled, _superseded_path
from modelyard.checkout.evidence_store import EvidenceStore, approvals_file, copy_of, intent_of, report_blobs
from modelyard.evidence.approval import ApprovalRecord
from support.memory import MemoryGit

ARTIFACT, OTHER = "a" * 64, "b" * 64
RECORD = ApprovalRecord(
    commit="c" * 40, base="", pull=7, subject="Promote", author="ada", report="", by=("grace",), rules=(), refused=(),
    policy_sha256="",
)  # fmt: skip


@pytest.fixture
def git() -> MemoryGit:
    return MemoryGit()


@pytest.fixture
def store(git: MemoryGit) -> EvidenceStore:
    return EvidenceStore(git)  # type: ignore[arg-type]


def test_evidence_stands_below_the_digest_of_its_artifact(store: EvidenceStore) -> None:
    store.file_evidence("churn", ARTIFACT, {"drift": b"{}"}, {"report.html": b"<p>", "model.sig": b"sig"}, "evidence")
    assert set(store.listed()) == {f"churn/{ARTIFACT}/{name}" for name in ("drift.json", "report.html", "model.sig")}
    assert store.documents("churn", ARTIFACT) == {"drift": b"{}"}
    assert store.files("churn", ARTIFACT)["model.sig"] == b"sig"
    assert store.documents("churn", OTHER) == {} == store.documents("price", ARTIFACT)


def test_what_is_filed_again_is_kept_and_no_longer_shown(store: EvidenceStore) -> None:
    for content in (b"1", b"2", b"2"):
        store.file_evidence("churn", ARTIFACT, {"drift": content}, {"report.html": content}, "evidence")
    assert store.documents("churn", ARTIFACT) == {"drift": b"2"}
    assert set(store.files("churn", ARTIFACT)) == {"drift.json", "report.html"}
    older = {path: content for path, content in store.filed().items() if f"/{SUPERSEDED}/" in path}
    assert set(older.values()) == {b"1"} and len(older) == 2
    assert set(report_blobs(store.listed())) == {("churn", ARTIFACT)}
    assert store.all_documents([("churn", ARTIFACT)]) == {("churn", ARTIFACT): {"drift": b"2"}}


def test_many_artifacts_are_read_with_two_calls(store: EvidenceStore, git: MemoryGit) -> None:
    pairs = [("churn", ARTIFACT), ("price", ARTIFACT), ("price", OTHER), ("nobody", OTHER)]
    for number, (model, artifact) in enumerate(pairs[:3]):
        store.file_evidence(model, artifact, {"drift": str(number).encode()}, {"report.html": b""}, "evidence")
    git.calls.clear()
    found = store.all_documents(pairs)
    assert [found[pair] for pair in pairs] == [{"drift": b"0"}, {"drift": b"1"}, {"drift": b"2"}, {}]
    assert (git.calls["files_at"], git.calls["blobs"]) == (1, 1)
    assert store.all_documents([]) == {} and git.calls["files_at"] == 1


def test_only_copies_of_tags_count_as_copies(store: EvidenceStore) -> None:
    for model, tag in (("churn", "churn@v1.0.0"), ("churn", "churn#production#1"), ("price", "price@v1.0.0")):
        store.append({copy_of(model, tag): f"message of {tag}".encode()}, tag)
    others = {"pulls/7/tags/x": b"", "refused/tags/y": b"", "incidents/tags/z": b"", "changes/tags/w": b""}
    store.append(others | {copy_of("churn", "churn@v1.0.0"): b"other"}, "others")
    assert set(store.tags("churn")) == {"churn@v1.0.0", "churn#production#1"}
    assert store.tags("churn")["churn@v1.0.0"] == b"other"
    assert set(store.all_tags()) == {"churn@v1.0.0", "churn#production#1", "price@v1.0.0"}


def test_tags_that_a_run_began_are_listed_by_model(store: EvidenceStore) -> None:
    store.append({intent_of("churn", "churn@v1.0.0"): b"a", intent_of("price", "price#staging#1"): b"b"}, "begun")
    store.append({"pulls/7/pending/x": b"", "changes/pending/y": b""}, "others")
    assert store.pending() == {"churn": {"churn@v1.0.0": b"a"}, "price": {"price#staging#1": b"b"}}
    assert store.pending("price") == {"price": {"price#staging#1": b"b"}}


def test_a_path_that_must_be_new_is_filed_by_one_run_only(store: EvidenceStore) -> None:
    store.append({"a": b"1"}, "first", new=frozenset({"a"}))
    with pytest.raises(AlreadyFiled):
        store.append({"a": b"2", "b": b""}, "second", new=frozenset({"a"}))
    assert store.filed("a", "b") == {"a": b"1"}


def test_approvals_name_the_artifact_and_the_changes() -> None:
    [(path, content)] = approvals_file("churn", ARTIFACT, "churn@v1.0.0", (RECORD,)).items()
    document = json.loads(content)
    assert path == "churn/approvals/churn@v1.0.0.json"
    assert document["predicate"]["changes"][0]["by"] == ["grace"]
    assert document["subject"][0]["digest"]["sha256"] == ARTIFACT


def test_without_evidence_everything_is_empty(store: EvidenceStore) -> None:
    assert store.newest() is None and store.listed() == {}
    assert store.filed("churn/") == store.all_tags() == {}
    assert store.documents("churn", ARTIFACT) == store.files("churn", ARTIFACT) == store.tags("churn") == {}


def test_what_a_pull_request_showed_can_leave_the_newest_tree(store: EvidenceStore) -> None:
    store.append({"pulls/7/a.md": b"a", "pulls/8/b.md": b"b"}, "shown")
    store.append({"churn/c": b"c"}, "removed", frozenset({"pulls/7/a.md"}))
    assert set(store.listed()) == {"pulls/8/b.md", "churn/c"}


NAMES = st.from_regex(r"[a-z]{1,5}(\.[a-z]{1,4}){0,2}", fullmatch=True)
FOLDERS = st.sampled_from(["", "churn/aa", "a/b/c"])


@given(FOLDERS, NAMES, st.binary(max_size=9), st.binary(max_size=9))
def test_a_superseded_file_stays_beside_its_successor(folder: str, name: str, one: bytes, other: bytes) -> None:
    path = f"{folder}/{name}" if folder else name
    found = _superseded_path(path, one)
    assert found.rpartition("/")[0] == (f"{folder}/{SUPERSEDED}" if folder else SUPERSEDED)
    stem, dot, ending = name.partition(".")
    assert found.rpartition("/")[2].startswith(f"{stem}-") and found.endswith(dot + ending)
    assert (found == _superseded_path(path, other)) == (one == other)


@given(st.lists(st.tuples(st.sampled_from(["x/a.json", "x/b.json", "c"]), st.sampled_from([b"1", b"2", b"3"]))))
def test_no_content_is_ever_lost(writes: list[tuple[str, bytes]]) -> None:
    store = EvidenceStore(MemoryGit())  # type: ignore[arg-type]
    newest: dict[str, bytes] = {}
    for path, content in writes:
        store.append({path: content}, "write")
        newest[path] = content
    filed = store.filed()
    assert {path: filed[path] for path in newest} == newest
    for path, content in writes:
        assert content in (filed[path], filed.get(_superseded_path(path, content)))
