"""The verifier reads git objects as git does: crafted names, headers and trees do not change what they mean."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.audit.verifier.objects import ClaimFailed
from support.bundle import ONE, THREE, TWO, Bundle

SEPARATORS = st.sampled_from(["\x85", "\u2028", "\u2029", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\r", " "])


@given(SEPARATORS)
def test_a_name_cannot_add_a_parent(separator: str) -> None:
    bundle = Bundle()
    sha = bundle.commit(f"parent {TWO}\n", f"Eve{separator}parent {THREE}{separator}")
    commit = bundle.opened().commit(sha)
    assert (commit.tree, commit.parents) == (ONE, [TWO])


def test_a_parent_below_the_author_does_not_count_as_for_git() -> None:
    bundle = Bundle()
    sha = bundle.add("commit", f"tree {ONE}\nparent {TWO}\nauthor E <e> 1 +0000\nparent {THREE}\n\nm".encode())
    assert bundle.opened().commit(sha).parents == [TWO]
    both = bundle.commit(f"parent {TWO}\nparent {THREE}\n")
    first = bundle.commit()
    assert bundle.opened().commit(both).parents == [TWO, THREE] and bundle.opened().commit(first).parents == []


@given(SEPARATORS)
def test_a_name_cannot_change_what_a_tag_points_at(separator: str) -> None:
    bundle = Bundle()
    record = {"why": f"a{separator}b"}
    message = f"headline\n\n{json.dumps(record, ensure_ascii=False)}\n"
    sha = bundle.tag("churn@v1.0.0", f"Eve{separator}object {TWO}{separator}tag other", message=message)
    tag = bundle.opened().tag("churn@v1.0.0", sha)
    assert (tag.commit, tag.at, tag.name) == (ONE, 77, "churn@v1.0.0")
    assert tag.record == record
    note = bundle.tag("churn@v2.0.0", message="by hand\n\n{not json\n")
    assert bundle.opened().tag("churn@v2.0.0", note).record == {}


def test_headers_out_of_order_are_not_a_tag() -> None:
    bundle = Bundle()
    sha = bundle.tag("churn@v1.0.0", before=f"object {TWO}\n")
    other = bundle.tag("churn@v1.0.0")
    with pytest.raises(ClaimFailed, match="is not a valid tag"):
        bundle.opened().tag("churn@v1.0.0", sha)
    with pytest.raises(ClaimFailed, match=r"has the name churn@v1\.0\.0"):
        bundle.opened().tag("churn@v2.0.0", other)


def test_an_object_must_match_its_id_and_its_kind() -> None:
    bundle = Bundle()
    forged = bundle.add("blob", b"other", name=ONE)
    blob = bundle.add("blob", b"content")
    opened = bundle.opened()
    assert opened.read(blob, "blob") == b"content"
    with pytest.raises(ClaimFailed, match="does not match its id"):
        opened.read(forged, "blob")
    with pytest.raises(ClaimFailed, match="is not a tree"):
        opened.read(blob, "tree")
    with pytest.raises(ClaimFailed, match="is not in the bundle"):
        opened.read(TWO, "blob")


def test_paths_lead_through_folders_only() -> None:
    bundle = Bundle()
    blob, other = bundle.add("blob", b"policy"), bundle.add("blob", b"newer")
    inner = bundle.tree({"standard.yaml": blob})
    old = bundle.tree({"policies": inner, "file": blob}, "policies")
    new = bundle.tree({"policies": bundle.tree({"standard.yaml": other}), "file": blob}, "policies")
    commit, empty = bundle.commit(tree=old), bundle.tree({})
    git = bundle.opened()
    assert git.blob_at(commit, "policies/standard.yaml") == b"policy"
    assert git.blob_at(commit, "file/standard.yaml") is None and git.blob_at(commit, "policies") is None
    assert git.files(old) == {"policies/standard.yaml": blob, "file": blob}
    assert git.blobs_below(old, "policies") == {blob} and git.blobs_below(old, "nowhere/at/all") == set()
    assert list(git.lost(old, new)) == [("policies/standard.yaml", blob)] and list(git.lost(old, old)) == []
    assert dict(git.lost(old, empty)) == git.files(old)


def test_the_history_of_a_head_is_every_commit_it_builds_on() -> None:
    bundle = Bundle()
    first = bundle.commit()
    second, third = bundle.commit(f"parent {first}\n"), bundle.commit(f"parent {first}\n", "Bob")
    merge = bundle.commit(f"parent {second}\nparent {third}\n")
    assert set(bundle.opened().history(merge)) == {merge, first, second, third}
