"""Attacks on the mirror, by who can write into its bucket, push with force, or change a checkout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from modelyard.audit.mirror.records import EVIDENCE, name_of
from modelyard.errors import Refused
from support.mirrors import MAIN, Shelf, forge_record, mirrored, push_forced, restored, with_mirror
from support.versions import add_version
from support.yard import git, tool


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["refs"].update({"refs/heads/other": d["refs"][MAIN]}), "which no mirror holds"),
        (lambda d: d["refs"].update({MAIN: "1" * 40}), "has another refs/heads/main"),
        (lambda d: d["refs"].update({MAIN: d["refs"][EVIDENCE]}), "has another refs/heads/main"),
        (lambda d: d.update(bundle="b" * 64), None),
        (lambda d: d.update(before=["00000001-" + "c" * 64], everything=False), "is missing"),
        (lambda d: d.update(size=d["size"] - 1, refs={MAIN: "1" * 40}), "missing"),
    ],
    ids=["other branch", "no such object", "another ref", "no bundle", "a gap", "too large"],
)
def test_to_bring_a_repository_back_with_what_one_put_into_its_mirror(
    recorded: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], said: str | None
) -> None:
    shelf = Shelf()
    good = mirrored(recorded, shelf)
    forge_record(shelf, change)
    shelf.put("records/../../x.json", b"")
    shelf.put("records/\u202e.json", b"")
    with pytest.raises(Refused, match=said or "has other bytes than its name says|is missing"):
        restored(shelf, tmp_path / "back")
    assert not (tmp_path / "back").exists() and not list(tmp_path.glob(".modelyard-*"))
    assert restored(shelf, tmp_path / "back", str(good)).records == 1


def test_to_have_another_branch_checked_out_after_a_restoration(recorded: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    good = mirrored(recorded, shelf)
    forged = forge_record(shelf, lambda d: d.update(default="refs/heads/other"))
    record = msgspec.json.decode(shelf.objects.pop(f"records/{forged}.json")[0])
    record["refs"]["refs/heads/other"] = record["refs"].pop(MAIN)
    content = msgspec.json.encode(record)
    shelf.put(f"records/{name_of(content, 2)}.json", content)
    with pytest.raises(Refused, match="several default branches: refs/heads/main, refs/heads/other"):
        restored(shelf, tmp_path / "back")
    assert restored(shelf, tmp_path / "back", str(good)).records == 1


def test_to_stop_a_mirror_by_a_record_that_is_not_valid(recorded: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    mirrored(recorded, shelf)
    forged = forge_record(shelf, lambda d: d["refs"].update({"refs/heads/other": d["refs"][MAIN]}))
    add_version(recorded, "churn", "v1.2.0")
    git(recorded, "push", "--quiet", "origin", "main")
    added = mirrored(recorded, shelf)
    assert added and added[:8] == forged[:8]
    assert "churn@v1.2.0" in restored(shelf, tmp_path / "back", added).tags


def test_to_overwrite_what_a_mirror_holds(recorded: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    mirrored(recorded, shelf)
    for kept in shelf.objects.values():
        kept.append(b"other")
    assert restored(shelf, tmp_path / "back").records == 1
    for kept in shelf.objects.values():
        kept[0] = b"lost"
    with pytest.raises(Refused):
        restored(shelf, tmp_path / "again")


def test_to_lose_evidence_by_a_forced_push_and_a_lost_clone(recorded: Path, tmp_path: Path) -> None:
    shelf = Shelf()
    first = mirrored(recorded, shelf)
    good = git(recorded, "rev-parse", EVIDENCE)
    push_forced(recorded, EVIDENCE, "cut")
    git(tmp_path, "clone", "--quiet", "remote.git", "third")
    assert mirrored(tmp_path / "third", shelf), "a clone that never saw what was cut"
    with pytest.raises(Refused, match="two histories of refs/heads/modelyard/evidence"):
        restored(shelf, tmp_path / "back")
    assert restored(shelf, tmp_path / "back", str(first)).refs[EVIDENCE] == good

    lost = set(git(recorded, "ls-tree", "-r", good).splitlines())
    add_version(recorded, "churn", "v1.2.0")  # by a clone that has what was cut, and puts it back
    git(recorded, "push", "--quiet", "origin", "main")
    assert mirrored(recorded, shelf)
    done = restored(shelf, tmp_path / "healed")
    assert lost <= set(git(tmp_path / "healed", "ls-tree", "-r", EVIDENCE).splitlines()), "the evidence names the push"
    assert [git(tmp_path / "healed", "rev-parse", ref) for ref in done.kept] == [good]


def test_to_have_a_checkout_mirrored_to_a_server_of_ones_own(recorded: Path) -> None:
    with_mirror(recorded, "http://127.0.0.1:9")  # it is not pushed
    done = tool(recorded, "deprecate", "churn@v1.1.0", "--why", "old", MIRROR_KEY="any:any")
    assert "mirror" not in done.stderr
