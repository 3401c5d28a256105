"""Facts that keep something from running are filed as incidents, each with one issue on the forge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from modelyard.deployment.delivery import Deployer
from modelyard.deployment.record import read_rollouts
from modelyard.gate.approvals import Review
from modelyard.registry.tags import VersionRecord, write_record
from modelyard.rollout.progress import RolloutState
from support.memory import START, MemoryYard, digest_of, memory_yard
from support.yard import CONFIG

RULES = "rules:\n  - {id: reviewed, paths: ['*'], role: writers, count: 1, why: w}\n"


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryYard:
    """Production serves v1.1.0; the forge opens issues."""
    found = memory_yard(tmp_path, monkeypatch)
    found.commit({"policies/approvals.yaml": RULES, "modelyard.yaml": f"{CONFIG}forge: github\n"}, "rules")
    found.forge.reviews = (Review("grace", "approved", "", START),)
    found.forge.issues = {}  # type: ignore[attr-defined]

    def write_issue(title: str, body: str, marker: str) -> None:
        assert body.startswith(marker)
        found.forge.issues[marker] = title  # type: ignore[attr-defined]

    found.forge.write_issue = write_issue  # type: ignore[attr-defined]
    for version in ("v1.0.0", "v1.1.0"):
        found.add_version(version)
        found.deploy_manifest(version)
        found.deploy()
    return found


def incidents(yard: MemoryYard) -> list[str]:
    """What is filed after two runs of deploy. Each has one issue, and nothing else has one."""
    for _ in range(2):
        yard.reopen()
        planner = yard.planner()
        _, faults = Deployer(planner, yard.forge, yard.said.append).deliver_all(planner.plan({"production"}, set()))  # type: ignore[arg-type]
        assert faults
    filed = yard.checkout.evidence.filed("incidents/")
    issues: dict[str, str] = yard.forge.issues  # type: ignore[attr-defined]
    assert sorted(issues) == [f"<!-- modelyard:incident {Path(path).stem} -->" for path in sorted(filed)]
    return [json.loads(content)["problem"] for content in filed.values()]


def test_a_tag_made_by_hand(yard: MemoryYard) -> None:
    yard.add_tag("churn@v9.9.9", write_record("x", VersionRecord(digest_of("evil"), verdict="pass")))
    yard.deploy_manifest("v9.9.9")
    [problem] = incidents(yard)
    assert "The tag churn@v9.9.9 was made by hand" in problem


def test_a_tag_that_was_moved(yard: MemoryYard) -> None:
    yard.git.delete_tag("churn@v1.0.0")
    yard.add_tag("churn@v1.0.0", write_record("x", VersionRecord(digest_of("evil"), verdict="pass")))
    yard.deploy_manifest("v1.0.0")
    assert incidents(yard) == ["The tag churn@v1.0.0 was moved after it was filed."]


def test_a_version_that_main_does_not_have(yard: MemoryYard) -> None:
    main = yard.git.commit_of("HEAD")
    yard.add_version("v1.2.0")
    yard.git.set_ref("refs/heads/main", main)
    yard.deploy_manifest("v1.2.0")
    [problem] = incidents(yard)
    assert "which is not in the history of main" in problem


def test_a_version_without_a_verdict(yard: MemoryYard) -> None:
    yard.add_version("v1.2.0")
    path = f"churn/{digest_of('v1.2.0')}/verdict.json"
    yard.checkout.evidence.append({}, "gone", drop=frozenset({path}))
    yard.deploy_manifest("v1.2.0")
    assert incidents(yard) == ["No verdict on the artifact of churn@v1.2.0 is filed."]


def test_a_journal_that_nothing_supports(yard: MemoryYard) -> None:
    state: Any = RolloutState("rolled back", "v0.0.1", "v1.1.0", digest_of("v1.1.0"), salt="x", reason="quality fell")
    before = read_rollouts(yard.git)["production", "churn"]  # type: ignore[arg-type]
    entry = f"forged\n\n{json.dumps(msgspec.structs.asdict(state))}"
    yard.git.add_entry("refs/modelyard/rollouts/production/churn", before.commit, entry)
    [problem] = incidents(yard)
    assert problem.startswith("The rollout journal of churn in production does not agree with what runs")
