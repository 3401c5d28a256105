"""The approvals of the default branch's history: asked of the forge once, filed, and asked again only for what is new."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from modelyard.errors import Refused
from modelyard.gate.approvals import Review
from modelyard.review import mainline
from modelyard.review.mainline import CHECKPOINT, FOLDER, Mainline
from support.memory import START, MemoryForge, MemoryYard, memory_yard

RULES = "rules:\n  - {id: reviewed, paths: ['*'], role: writers, count: 1, why: w}\n"


class CountingForge(MemoryForge):
    """A forge that notes which commits it was asked about."""

    asked: list[str]

    def change_of(self, commit: str, parent: str = "") -> Any:
        self.asked.append(commit)
        return super().change_of(commit, parent)


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryYard:
    """Twenty approved changes after the commit that brought the rules."""
    found = memory_yard(tmp_path, monkeypatch)
    forge = CountingForge(found.git, (Review("grace", "approved", "", START),))
    forge.asked = []
    found.forge = forge
    found.commit({"policies/approvals.yaml": RULES}, "rules")
    for number in range(20):
        found.commit({"models/churn/note": str(number)}, f"change {number}")
    found.reopen()
    return found


def looked_at(yard: MemoryYard, *, file: bool = True) -> tuple[int, int]:
    """(changes that nobody approved, commits that the forge was asked about) of one command."""
    assert isinstance(yard.forge, CountingForge)
    yard.forge.asked.clear()
    line = Mainline(yard.reopen(), yard.forge)  # type: ignore[arg-type]
    missing = line.unapproved(yard.git.commit_of("HEAD"))
    if file:
        line.file()
    return len(missing), len(yard.forge.asked)


def test_each_change_is_asked_for_once(yard: MemoryYard) -> None:
    assert looked_at(yard, file=False) == (0, 20), "a plan files nothing"
    assert looked_at(yard) == (0, 20)
    assert looked_at(yard) == (0, 0)
    yard.commit({"models/churn/note": "new"}, "one more")
    assert looked_at(yard) == (0, 1) and looked_at(yard) == (0, 0)
    filed = set(yard.checkout.evidence.listed(FOLDER))
    assert len(filed) == 21 and CHECKPOINT not in filed


def test_a_long_history_gets_a_checkpoint(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mainline, "_FAR", 10)
    assert looked_at(yard) == (0, 20)
    assert CHECKPOINT in yard.checkout.evidence.listed(FOLDER)
    for name in yard.checkout.evidence.listed(FOLDER):
        if name != CHECKPOINT:
            yard.checkout.evidence.append({}, "forgotten", drop=frozenset({name}))
    assert looked_at(yard) == (0, 0), "nothing before the checkpoint is looked at again"


def test_a_change_without_approvals_is_asked_for_again_until_it_has_them(yard: MemoryYard) -> None:
    looked_at(yard)
    commit = yard.commit({"models/churn/note": "new"}, "at night")
    yard.forge.unapproved.add(commit)
    assert looked_at(yard) == (1, 1) == looked_at(yard)
    yard.forge.unapproved.clear()
    assert looked_at(yard) == (0, 1) and looked_at(yard) == (0, 0)


def test_a_checkpoint_that_is_not_in_the_history_counts_for_nothing(yard: MemoryYard) -> None:
    yard.checkout.evidence.append(
        {CHECKPOINT: b'{"start":"' + b"a" * 40 + b'","commit":"' + b"b" * 40 + b'"}'}, "forged"
    )
    assert looked_at(yard) == (0, 20)
    yard.checkout.evidence.append({CHECKPOINT: b"[" * 100_000}, "broken")
    assert looked_at(yard)[0] == 0


def test_without_a_forge_only_what_is_filed_is_known(yard: MemoryYard) -> None:
    head = yard.git.commit_of("HEAD")
    assert len(Mainline(yard.reopen(), None).unapproved(head)) == 20
    looked_at(yard)
    assert Mainline(yard.reopen(), None).unapproved(head) == {}


def test_changes_before_the_rules_and_without_rules_need_no_approval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard = memory_yard(tmp_path, monkeypatch)
    yard.commit({"models/churn/note": "1"}, "before")
    line = Mainline(yard.reopen(), yard.forge)  # type: ignore[arg-type]
    assert line.start == "" and line.unapproved(yard.git.commit_of("HEAD")) == {}
    with pytest.raises(Refused, match="is not in the history of main"):
        line.require_merged("f" * 40, "The tag x")
