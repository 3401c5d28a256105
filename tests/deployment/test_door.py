"""The door asks a forge once for each change, also where the forge stops answering."""

from __future__ import annotations

from pathlib import Path

import pytest
from modelyard.deployment.door import Door
from modelyard.errors import ModelyardError
from modelyard.forges.git import GitForge
from modelyard.forges.interface import Change
from modelyard.review.mainline import FOLDER
from support.versions import opened
from support.yard import commit_all, git, small_repository, write

RULES = "rules:\n  - {id: reviewed, paths: ['models/*'], role: writers, count: 1, why: Two people look.}\n"
GRACE = "\n\nApproved-by: Grace Reviewer <grace@example.org>"


class Limited(GitForge):
    """A forge that answers a few times only."""

    left = 2

    def change_of(self, commit: str, parent: str = "") -> Change:
        self.left -= 1
        if self.left < 0:
            raise ModelyardError("The forge's rate limit is reached.", "Wait an hour.")
        return super().change_of(commit, parent)


def test_what_a_forge_answered_before_its_rate_limit_is_filed(tmp_path: Path) -> None:
    small_repository(tmp_path)
    write(tmp_path, {"policies/approvals.yaml": RULES})
    commit_all(tmp_path, "rules")
    for number in range(5):
        write(tmp_path, {"models/churn/note": str(number)})
        commit_all(tmp_path, f"change {number}{GRACE}")
    for filed in (2, 4):
        checkout = opened(tmp_path)
        door = Door(checkout, Limited(checkout.git))
        with pytest.raises(ModelyardError, match="rate limit"):
            door.admit_removal(checkout.model("churn"), "production")
        assert len(opened(tmp_path).evidence.listed(FOLDER)) == filed
    checkout = opened(tmp_path)
    Door(checkout, Limited(checkout.git)).admit_removal(checkout.model("churn"), "production")
    assert git(tmp_path, "ls-tree", "--name-only", "modelyard/evidence", FOLDER).count(".json") == 5
