"""dvc.lock merged stage by stage: properties, and real merges by git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
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


def test_a_data_set_of_dvc_is_an_entry_like_a_stage() -> None:
    def text(dogs: str, cats: str, train: str) -> bytes:
        return (
            f"schema: '2.0'\ndatasets:\n- name: dogs\n  rev_lock: '{dogs}'\n- name: cats\n  rev_lock: '{cats}'\n"
            f"stages:\n  train:\n    cmd: '{train}'\n"
        ).encode()

    found = merge_locks(text("1", "1", "1"), text("2", "1", "1"), text("1", "2", "2"), LOCK)
    assert found.content == text("2", "2", "2") and not found.conflicts
    assert merge_locks(text("1", "1", "1"), text("2", "1", "2"), text("3", "1", "1"), LOCK).conflicts == (
        "datasets dogs",
    )


def test_a_section_that_nobody_knows_is_kept_or_is_a_conflict() -> None:
    def text(later: str, train: str) -> bytes:
        return (
            f"# DVC wrote this\nschema: '2.0'\nstages:\n  train:\n    cmd: '{train}'\nlater:\n  x: {later}\n".encode()
        )

    assert merge_locks(text("1", "1"), text("1", "2"), text("2", "1"), LOCK).content == text("2", "2")
    assert merge_locks(text("1", "1"), text("3", "2"), text("2", "1"), LOCK).conflicts == ("later",)


@pytest.mark.parametrize("ours", [2, 4])
@pytest.mark.parametrize("theirs", [2, 4])
def test_other_indentation(ours: int, theirs: int) -> None:
    new_a, new_b = stage({"raw": "2"}, {"a": "1"}), stage({"other": "2"}, {"b": "2"})

    def text(stages: dict, indent: int) -> bytes:  # type: ignore[type-arg]
        return yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=False, indent=indent).encode()

    found = merge_locks(
        text({"A": A, "B": B}, ours), text({"A": new_a, "B": B}, ours), text({"A": A, "B": new_b}, theirs), LOCK
    )
    assert yaml.safe_load(found.content)["stages"] == {"A": new_a, "B": new_b} and not found.conflicts


def test_flow_style_is_taken_whole_or_is_a_conflict() -> None:
    one, two, three = (b'{"schema":"2.0","stages":{"A":{"cmd":"%s"},"B":{"cmd":"%s"}}}\n' % pair
                       for pair in ((b"a", b"a"), (b"b", b"a"), (b"a", b"b")))  # fmt: skip
    assert merge_locks(one, two, one, LOCK).content == two and merge_locks(one, one, three, LOCK).content == three
    assert merge_locks(one, two, three, LOCK).conflicts


def test_what_reads_a_file_of_a_changed_folder_is_left_out() -> None:
    folder = {"A": stage({"raw": "1"}, {"data": "1.dir"}), "C": stage({"data/x": "1"}, {"c": "1"})}
    new_folder = stage({"raw": "2"}, {"data": "2.dir"})
    other_code = stage({"data/x": "1", "code": "2"}, {"c": "2"})
    ours, theirs = {"A": new_folder, "C": folder["C"]}, {"A": folder["A"], "C": other_code}
    assert merged(folder, ours, theirs) == ({"A": new_folder}, ("C",))
    # Where one side says that both fit together, they are kept.
    fits = {"A": new_folder, "C": stage({"data/x": "1"}, {"c": "1"})}
    more = {**folder, "B": B}
    assert merged(folder, fits, more) == ({**fits, "B": B}, ())


def test_an_invalid_lock_is_an_error() -> None:
    with pytest.raises(ModelyardError):
        merge_locks(b"", b"stages: [", b"", LOCK)


SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "datasets": st.dictionaries(st.sampled_from(["dogs", "cats"]), st.sampled_from("12")).map(
            lambda found: [{"name": name, "rev_lock": rev} for name, rev in found.items()]
        ),
        "stages": st.dictionaries(
            st.sampled_from(["A", "it's: b", "C@1"]),
            st.fixed_dictionaries(
                {"cmd": st.sampled_from(["x", "two\nlines", "# no comment", "ü" * 90])},
                optional={"later": st.sampled_from([None, 1, [1, {"a": [2]}], "007"])},
            ),
        ),
        "later": st.sampled_from([None, 1, [], {"a": {"b": "1"}}]),
    },
)
WRITERS = st.sampled_from([{}, {"indent": 4}, {"width": 20}, {"default_flow_style": True}, {"explicit_start": True}])


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _naive(base: Any, ours: Any, theirs: Any) -> Any:
    if ours == theirs or theirs == base:
        return ours
    return theirs if ours == base else "conflict"


def _flat(document: dict[str, Any]) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {("later",): document["later"]} if "later" in document else {}
    found |= {("stages", name): value for name, value in (document.get("stages") or {}).items()}
    return found | {("datasets", value["name"]): value for value in document.get("datasets") or []}


@given(st.tuples(SECTIONS, SECTIONS, SECTIONS), st.tuples(WRITERS, WRITERS, WRITERS))
def test_nothing_is_lost(documents: tuple[Any, Any, Any], writers: tuple[Any, Any, Any]) -> None:
    texts = [
        yaml.dump({"schema": "2.0", **found}, Dumper=_Plain, sort_keys=False, allow_unicode=True, **writer).encode()
        for found, writer in zip(documents, writers, strict=True)
    ]
    found = merge_locks(texts[0], texts[1], texts[2], LOCK)
    flat = [_flat(document) for document in documents]
    wanted = {key: _naive(*(one.get(key, "none") for one in flat)) for key in {key for one in flat for key in one}}
    left = {("stages", name) for name in found.recompute}
    assert left == {key for key, value in wanted.items() if value == "conflict" and key[0] == "stages"}
    if not found.conflicts:
        kept = {key: value for key, value in wanted.items() if value != "none" and key not in left}
        assert _flat(yaml.safe_load(found.content)) == kept
    elif not any(writer.get("default_flow_style") for writer in writers):
        assert set(found.conflicts) == {
            " ".join(key) for key, v in wanted.items() if v == "conflict" and key not in left
        }


MD5 = st.sampled_from("1234")
STAGES = st.dictionaries(
    st.sampled_from("ABCD"),
    st.builds(
        stage,
        st.dictionaries(st.sampled_from("wxyz"), MD5, max_size=2),
        st.dictionaries(st.sampled_from("wxyz"), MD5, max_size=1),
    ),
)


@example({}, {"A": stage({}, {"w": "1"})}, {"B": stage({"w": "1"}, {"w": "2"})})
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


def test_a_conflict_is_gits_to_show(tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard", ("m",))
    (yard / ".gitattributes").write_text("dvc.lock merge=modelyard-lock\n")
    tool(yard, "merge-lock", "--install")
    path = yard / LOCK
    for branch, rev in (("", "1"), ("one", "2"), ("main", "3")):
        if branch == "main":
            git(yard, "switch", "--quiet", "main")
        elif branch:
            git(yard, "switch", "--quiet", "--create", branch)
        path.write_text(f"schema: '2.0'\ndatasets:\n- name: dogs\n  rev_lock: '{rev}'\n")
        commit_all(yard, "change")
    said = subprocess.run(
        ["git", "merge", "one"], cwd=yard, env=os.environ | IDENTITY, capture_output=True, text=True, check=False
    )
    assert said.returncode == 1 and "both sides changed datasets dogs" in said.stderr
    assert "<<<<<<<" in path.read_text() and git(yard, "diff", "--name-only", "--diff-filter=U") == LOCK
