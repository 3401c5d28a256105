"""The status of a deployment from desired state, observed state and receipt."""

from __future__ import annotations

from pathlib import Path

import pytest
from modelyard.deployment import observation
from modelyard.deployment.observation import observe
from modelyard.errors import ModelyardError, UsageError
from modelyard.rollout.plan import Live, StatusLine, Traffic
from modelyard.targets.interface import Health
from support.memory import MemoryTarget, MemoryYard, digest_of, memory_yard


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryYard:
    """Production asks for v1.1.0; nothing serves."""
    found = memory_yard(tmp_path, monkeypatch)
    found.add_version("v1.0.0")
    found.add_version("v1.1.0")
    found.deploy_manifest("v1.1.0")

    def open_target(environment: object, root: object, secrets: object) -> MemoryTarget:
        return found.targets[environment.name]  # type: ignore[attr-defined]

    monkeypatch.setattr(observation, "open_target", open_target)
    return found


def status(yard: MemoryYard, model: str | None = None, environment: str | None = None) -> list[StatusLine]:
    git = yard.git
    return observe(yard.checkout.repository, git, git.begin_tags(), model, environment)  # type: ignore[arg-type]


def production(yard: MemoryYard) -> StatusLine:
    [line] = status(yard, environment="production")
    return line


@pytest.mark.parametrize(
    ("traffic", "live", "sync", "rollout"),
    [
        (None, None, "not deployed", ""),
        (Traffic("v1.1.0"), "v1.1.0", "in sync", ""),
        (Traffic("v1.0.0"), "v1.0.0", "out of sync", ""),
        (Traffic("v1.0.0", "v1.1.0", 20), "v1.0.0", "rolling out", "v1.1.0 gets 20 %, v1.0.0 answers the rest"),
        (Traffic("v1.0.0", "v1.1.0", 100), "v1.1.0", "rolling out", "v1.1.0 gets 100 %, v1.0.0 answers the rest"),
        (Traffic("v1.0.0", "v1.1.0", 0, True), "v1.0.0", "rolling out",
         "v1.1.0 gets a copy of all requests, v1.0.0 answers the rest"),
    ],
)  # fmt: skip
def test_desired_against_observed_state(
    yard: MemoryYard, traffic: Traffic | None, live: str | None, sync: str, rollout: str
) -> None:
    yard.targets["production"].models["churn"] = Live(traffic)
    line = production(yard)
    assert (line.desired, line.live, line.sync, line.rollout) == ("v1.1.0", live, sync, rollout)
    assert line.health == ("healthy" if live else "–")


def test_the_receipt_of_the_live_version_gives_reason_and_approvals(yard: MemoryYard) -> None:
    yard.targets["production"].models["churn"] = Live(Traffic("v1.1.0"))
    assert (production(yard).since, production(yard).why) == (0, "")
    yard.add_stage("v1.1.0", "production", at=yard.now + 50, approved_by=("grace",))
    line = production(yard)
    assert (line.since, line.why, line.by, line.approved_by) == (yard.now + 50, "wanted", "ada", ("grace",))
    yard.targets["production"].models["churn"] = Live(Traffic("v1.0.0"))
    assert production(yard).since == 0, "the receipt is about another version"


def test_a_rollback_is_shown_until_main_changes_or_readmits(yard: MemoryYard) -> None:
    yard.targets["production"].models["churn"] = Live(Traffic("v1.0.0"))
    tag = yard.add_stage("v1.0.0", "production", replaced="v1.1.0", blocked=digest_of("v1.1.0"), rollout="r")
    line = production(yard)
    assert (line.sync, line.rollout) == ("rolled back", "desired v1.1.0, live v1.0.0: wanted")
    yard.deploy_manifest("v1.1.0", f"readmit: ['{tag}']\n")
    assert production(yard).sync == "out of sync"
    yard.deploy_manifest("latest")
    assert (production(yard).desired, production(yard).sync) == ("v1.0.0", "in sync")


def test_a_target_that_does_not_answer_is_down_and_the_others_are_shown(
    yard: MemoryYard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> dict[str, Live]:
        raise ModelyardError("The server does not answer.", "Start it.")

    yard.deploy_manifest("v1.0.0", environment="staging")
    yard.targets["staging"].models["churn"] = Live(Traffic("v1.0.0"))
    monkeypatch.setattr(yard.targets["production"], "observe", broken)
    lines = {line.environment: line for line in status(yard)}
    assert list(lines) == ["staging", "production"], "in the order of modelyard.yaml"
    assert lines["staging"].sync == "in sync"
    down = lines["production"]
    assert (down.sync, down.health, down.reason) == ("unknown", "down", "The server does not answer.")


def test_a_version_whose_health_cannot_be_asked_is_down(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(model: str, version: str) -> Health:
        raise ModelyardError("No health endpoint.", "Add one.")

    yard.targets["production"].models["churn"] = Live(Traffic("v1.1.0"))
    monkeypatch.setattr(yard.targets["production"], "health", broken)
    assert (production(yard).health, production(yard).reason) == ("down", "No health endpoint.")


def test_one_model_and_one_environment_can_be_chosen(yard: MemoryYard) -> None:
    yard.deploy_manifest("latest", environment="staging")
    assert len(status(yard)) == 2 and len(status(yard, environment="staging")) == 1
    assert status(yard, model="price") == []


def test_a_shallow_clone_without_tags_is_wrong_usage(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yard.git, "is_shallow", lambda: True)
    monkeypatch.setattr(yard.git, "remote", lambda: "origin")
    with pytest.raises(UsageError, match="so deployments are unknown"):
        observe(yard.checkout.repository, yard.git, [], None, None)  # type: ignore[arg-type]


def test_a_rollout_that_ran_out_of_time_is_told_as_such(yard: MemoryYard) -> None:
    rollout = "rollout: {strategy: canary, deadline: 2h, steps: [{weight: 20, hold: 1h}], analysis: {errors: {}}}\n"
    yard.deploy_manifest("v1.0.0")
    yard.deploy()
    yard.deploy_manifest("v1.1.0", rollout)
    yard.deploy()
    yard.now += 3 * 3600
    yard.deploy()
    line = production(yard)
    assert (line.desired, line.live, line.sync) == ("v1.1.0", "v1.0.0", "expired")
    assert "the deadline of 2h passed" in line.rollout and line.rollout.endswith("v1.1.0 is not blocked")
    yard.deploy_manifest("v1.0.0")
    assert production(yard).sync == "in sync"
