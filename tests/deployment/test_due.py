"""Which environments have something to do: by what a target shows, or by receipts and journals where it cannot be asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from modelyard.deployment.due import due_environments
from modelyard.errors import ModelyardError, UsageError
from modelyard.rollout.plan import Live
from support.memory import MemoryYard
from support.yard import CONFIG

CANARY = "rollout: {strategy: canary, steps: [{weight: 20, hold: 1h}, {weight: 50, hold: 1h}], deadline: 12h}\n"


def closed(yard: MemoryYard) -> None:
    """From now on production cannot be asked from here."""

    def observe() -> dict[str, Live]:
        raise ModelyardError("The token is not set.", "Set it.")

    yard.targets["production"].observe = observe  # type: ignore[method-assign]


def opened(yard: MemoryYard) -> None:
    """Production can be asked."""


def due(yard: MemoryYard) -> dict[str, str]:
    yard.reopen()
    planner = yard.planner()
    return {
        found.environment: found.reason
        for found in due_environments(planner, yard.checkout.repository.config.environments)
    }


ASKED = pytest.mark.parametrize("access", [opened, closed])


@ASKED
def test_what_serves_already_is_not_due(yard: MemoryYard, access: Callable[[MemoryYard], None]) -> None:
    access(yard)
    assert due(yard) == {}


@ASKED
def test_another_version_on_main_is_due(yard: MemoryYard, access: Callable[[MemoryYard], None]) -> None:
    yard.deploy_manifest("v1.1.0")
    access(yard)
    assert list(due(yard)) == ["production"] and "main wants v1.1.0" in due(yard)["production"]


@ASKED
def test_an_open_rollout_is_due_at_any_time(yard: MemoryYard, access: Callable[[MemoryYard], None]) -> None:
    yard.deploy_manifest("v1.1.0", CANARY)
    yard.deploy()
    access(yard)
    assert due(yard) == {"production": "the rollout of churn v1.1.0 is open"}


@ASKED
def test_a_model_that_main_names_no_more_is_due(yard: MemoryYard, access: Callable[[MemoryYard], None]) -> None:
    (yard.root / "deployments/production/churn.yaml").unlink()
    yard.git.commit_files({"deployments/production/churn.yaml": None}, "retire")
    access(yard)
    assert list(due(yard)) == ["production"]


@ASKED
def test_a_version_that_may_not_be_served_is_due_so_that_its_job_says_so(
    yard: MemoryYard, access: Callable[[MemoryYard], None]
) -> None:
    yard.deploy_manifest("v9.0.0")
    access(yard)
    assert "v9.0.0" in due(yard)["production"]


@ASKED
def test_what_is_held_until_another_day_is_not_due(yard: MemoryYard, access: Callable[[MemoryYard], None]) -> None:
    yard.commit({"modelyard.yaml": CONFIG.replace("name: production", "name: production, bake: 2h")}, "bake")
    yard.deploy_manifest("v1.1.0")
    access(yard)
    assert due(yard) == {}, "v1.1.0 has not served in staging"


def test_a_target_that_was_changed_by_hand_is_due_where_it_can_be_seen(yard: MemoryYard) -> None:
    yard.targets["production"].models.clear()
    assert list(due(yard)) == ["production"]
    closed(yard)
    assert due(yard) == {}, "the job status of monitor.yml tells"


@pytest.mark.parametrize("name", ["modelyard", "measure", "Measure", "cloud-runner"])
def test_no_environment_has_the_name_of_the_one_of_other_jobs(yard: MemoryYard, name: str) -> None:
    yard.commit({"modelyard.yaml": CONFIG.replace("name: production", f"name: {name}")}, "rename")
    with pytest.raises(UsageError, match="the name of the forge's environment for other jobs"):
        due(yard)
