"""What status and deploy say besides their tables: that nothing is protected, what is not pushed, and stray receipts."""

from __future__ import annotations

from pathlib import Path

import pytest
from modelyard.deployment.observation import UNPROTECTED, UNPUSHED, protection, unpushed
from modelyard.deployment.planning import stray_receipts
from modelyard.git import Git
from support.memory import memory_yard
from support.versions import add_version, opened
from support.yard import commit_all, git, small_repository, tool, write

RULES = "rules:\n  - {id: reviewed, paths: ['*'], why: Two people look.}\n"


def flat(text: str) -> str:
    return " ".join(text.split())


def test_that_nothing_is_protected_is_said_until_rules_stand_on_main(tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard")
    write(yard, {"deployments/production/churn.yaml": "model: churn\nversion: latest\n"})
    commit_all(yard, "a deployment")
    add_version(yard, "churn", "v1.0.0")
    for command in (["status"], ["deploy", "--plan"], ["doctor"]):
        done = tool(yard, *command, expect=None)
        assert UNPROTECTED in flat(done.stdout + done.stderr), command
    write(yard, {"policies/approvals.yaml": RULES})
    commit_all(yard, "rules")
    for command in (["status"], ["deploy", "--plan"], ["doctor"]):
        done = tool(yard, *command, expect=None)
        assert "Nothing is protected" not in done.stdout + done.stderr, command
    git(yard, "rm", "--quiet", "policies/approvals.yaml")
    commit_all(yard, "no rules")
    assert protection(Git(yard)) == "", "removed rules stay in force"


def test_status_says_what_is_not_pushed(tmp_path: Path) -> None:
    yard = small_repository(tmp_path / "yard")
    add_version(yard, "churn", "v1.0.0")
    git(tmp_path, "clone", "--quiet", "--bare", str(yard), "remote.git")
    git(yard, "remote", "add", "origin", f"file://{tmp_path}/remote.git")
    git(yard, "fetch", "--quiet")
    assert unpushed(Git(yard)) == ""
    opened(yard).git.add_to_branch("modelyard/evidence", {"churn/x.json": b"{}"}, "of a killed run")
    assert unpushed(Git(yard)) == UNPUSHED and UNPUSHED in flat(tool(yard, "status").stderr)
    opened(yard).evidence.refresh()
    assert unpushed(Git(yard)) == "", "the next command pushed it"


def test_a_stray_receipt_is_named_with_the_command_that_settles_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yard = memory_yard(tmp_path, monkeypatch)
    yard.add_version("v1.0.0")
    yard.deploy_manifest("v1.0.0")
    yard.deploy()
    assert stray_receipts(yard.plan()) == ()
    for name in ("churn#production#9", "churn#staging#10", "churn@v9.9.9"):
        yard.add_tag(name, "by GTO")
    yard.reopen()
    [said] = stray_receipts(yard.plan())
    assert said.startswith("churn#production#9 does not equal a filed copy, so it is no receipt.")
    assert "git push origin ':refs/tags/churn#production#9'" in said
