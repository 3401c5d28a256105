"""dvc.lock merged stage by stage: properties, and real merges by git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError
from modelyard.registry.lock_merge import merge_locks
from support.yard import IDENTITY, commit_all, git, small_repository, tool

LOCK = "models/m/dvc.lock"


def stage(deps: dict[str, str], outs: dict[str, str]) -> dict[str, object]:
    def entries(files: dict[str, str]) -> list[dict[str, str]]:
        return [{"path": path, "hash": "md5", "md5": md5} for path, md5 in files.items()]

    return {"cmd": "python x.py", "deps": entries(deps), "outs": entries(outs)}


def lock(stages: dict[str, dict[str, object]]) -> bytes:
    return yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=False).encode() if stages else b""


def merged(base: dict, ours: dict, theirs: dict) -> tuple[dict, tuple[str, ...]]:  # type: ignore[type-arg]
    found = merge_locks(lock(base), lock(ours), lock(theirs), LOCK)
    assert b"<<<<" not in found.content
    return yaml.safe_load(found.content)["stages"], found.recompute


A, B, C = stage({"raw": "1"}, {"a": "1"}), stage({"other": "1"}, {"b": "1"}), stage({"a": "1"}, {"c": "1"})


def test_independent_stages_merge() -> None:
    new_a, new_b = stage({"raw": "2"}, {"a": "1"}), stage({"other": "2"}, {"b": "2"})
    assert merged({"A": A, "B": B}, {"A": new_a, "B": B}, {"A": A, "B": new_b}) == ({"A": new_a, "B": new_b}, ())
    assert merged({}, {"A": A}, {"B": B}) == ({"A": A, "B": B}, ())
    assert merged({"A": A, "B": B}, {"A": A}, {"A": A, "B": B}) == ({"A": A}, ())


def test_concurrent_retrains_are_left_out_with_the_stages_that_read_them() -> None:
    one, two = stage({"raw": "2"}, {"a": "2"}), stage({"raw": "3"}, {"a": "3"})
    ours = {"A": one, "C": stage({"a": "2"}, {"c": "2"})}
    theirs = {"A": two, "C": stage({"a": "3"}, {"c": "3"})}
    assert merged({"A": A, "C": C}, ours, theirs) == ({}, ("A", "C"))


def test_a_stage_that_reads_what_the_merge_no_longer_writes_is_left_out() -> None:
    ours = {"A": stage({"raw": "2"}, {"a": "2"}), "C": stage({"a": "2"}, {"c": "1"})}
    theirs = {"A": A, "C": stage({"a": "1", "more": "9"}, {"c": "7"})}
    assert merged({"A": A, "C": C}, ours, theirs) == ({"A": ours["A"]}, ("C",))
    changed = {"A": A, "C": C, "D": stage({"c": "1", "a": "1"}, {"d": "4"})}
    assert merged({"A": A, "C": C}, {"A": ours["A"], "C": C}, changed)[1] == ("C", "D")


def test_the_text_of_a_stage_is_kept_to_the_byte() -> None:
    text = b"schema: '2.0'\nstages:\n  A:\n    cmd: x   # said\n    deps: []\n  'b: c':\n    cmd: y\n"
    assert merge_locks(text, text, text, LOCK).content == text
    assert merge_locks(b"", text, b"", LOCK).content == text


def test_an_invalid_lock_is_an_error() -> None:
    with pytest.raises(ModelyardError):
        merge_locks(b"", b"stages: [", b"", LOCK)


MD5 = st.sampled_from("1234")
STAGES = st.dictionaries(
    st.sampled_from("ABCD"),
    st.builds(
        stage,
        st.dictionaries(st.sampled_from("wxyz"), MD5, max_size=2),
        st.dictionaries(st.sampled_from("wxyz"), MD5, max_size=1),
    ),
)


@given(STAGES, STAGES, STAGES)
def test_a_merge_invents_nothing_and_knows_no_sides(base: dict, ours: dict, theirs: dict) -> None:  # type: ignore[type-arg]
    one, raced = merged(base, ours, theirs)
    two, raced_too = merged(base, theirs, ours)
    assert one == two and set(raced) == set(raced_too)
    for name, value in one.items():
        assert value in (ours.get(name), theirs.get(name))
    assert not set(one) & set(raced)
    outs = {out["path"]: out["md5"] for value in one.values() for out in value["outs"]}
    assert len(outs) <= sum(len(v["outs"]) for v in one.values())


def test_git_uses_it_as_merge_driver(tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard", ("m",))
    (yard / ".gitattributes").write_text("dvc.lock merge=modelyard-lock\n")
    tool(yard, "merge-lock", "--install")
    path = yard / LOCK
    path.write_bytes(lock({"A": A, "B": B}))
    commit_all(yard, "base")
    git(yard, "switch", "--quiet", "--create", "one")
    path.write_bytes(lock({"A": stage({"raw": "2"}, {"a": "1"}), "B": B}))
    commit_all(yard, "one")
    git(yard, "switch", "--quiet", "main")
    path.write_bytes(lock({"A": A, "B": stage({"other": "2"}, {"b": "2"})}))
    commit_all(yard, "two")
    git(yard, "merge", "--quiet", "--no-edit", "one")
    assert yaml.safe_load(path.read_bytes())["stages"]["A"]["deps"][0]["md5"] == "2"
    git(yard, "switch", "--quiet", "--create", "three")
    path.write_bytes(lock({"A": stage({"raw": "3"}, {"a": "3"}), "B": B}))
    commit_all(yard, "three")
    git(yard, "switch", "--quiet", "main")
    path.write_bytes(lock({"A": stage({"raw": "4"}, {"a": "4"}), "B": B}))
    commit_all(yard, "four")
    said = subprocess.run(
        ["git", "merge", "--no-edit", "three"],
        cwd=yard,
        env=os.environ | IDENTITY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "run modelyard retrain" in said.stderr and list(yaml.safe_load(path.read_bytes())["stages"]) == ["B"]
