"""What doctor --ci says of GitHub's environments: who enters them decides who has their secrets and roles."""

from __future__ import annotations

import pytest
from modelyard.forges.interface import PROTECTED_BRANCHES, ForgeEnvironment, ForgeSettings
from modelyard.setup.forge_environments import examine_environments, without_role

MAIN = frozenset(["main"])
KEY = frozenset(["TOKEN"])


def said(*environments: ForgeEnvironment) -> dict[str, tuple[str, str]]:
    settings = ForgeSettings("main", frozenset(), frozenset(), True, environments=environments)
    found = examine_environments(settings, ["production"])
    assert all(finding.remedy for finding in found if finding.state != "ok")
    return {finding.what.removeprefix("environment "): (finding.state, finding.found) for finding in found}


@pytest.mark.parametrize(
    ("found", "state", "words"),
    [
        (ForgeEnvironment("production", MAIN), "ok", "main only; no required reviewers"),
        (ForgeEnvironment("Production", MAIN, reviewed=True), "ok", "main only; a person lets each job in"),
        (ForgeEnvironment("production", frozenset([PROTECTED_BRANCHES])), "ok", "the protected branches only"),
        (ForgeEnvironment("production", None), "warning", "jobs of every branch enter it, also of pull requests"),
        (ForgeEnvironment("production", None, secrets=KEY), "missing", "and take TOKEN"),
        (ForgeEnvironment("production", frozenset(["main", "*"])), "missing", "jobs of * enter it too"),
        (ForgeEnvironment("production", frozenset()), "warning", "not known, or there are none"),
        (ForgeEnvironment("other", MAIN), "warning", "GitHub has none yet"),
    ],
)
def test_an_environment_serves_the_default_branch_only(found: ForgeEnvironment, state: str, words: str) -> None:
    told = said(found)["production"]
    assert told[0] == state and words in told[1]


def test_nothing_stops_the_measurement_of_pull_requests() -> None:
    assert "measure" not in said() and "measure" not in said(ForgeEnvironment("measure", None, secrets=KEY))
    assert said(ForgeEnvironment("measure", MAIN))["measure"][0] == "warning"
    assert said(ForgeEnvironment("measure", None, reviewed=True))["measure"][0] == "warning"


def test_a_role_is_that_of_the_environment_or_of_the_repository() -> None:
    role = frozenset(["AWS_ROLE_ARN"])
    there = (ForgeEnvironment("Production", MAIN, variables=role),)
    settings = ForgeSettings("main", frozenset(), frozenset(), True, variables=frozenset(), environments=there)
    assert without_role(settings, "s3", ["production"]) == ["measure", "modelyard"]
    assert without_role(ForgeSettings("main", None, role, True), "s3", []) is None
    assert without_role(ForgeSettings("main", None, role, True, variables=role), "s3", ["production"]) == []
