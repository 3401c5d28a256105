"""What a job of GitHub tries with an OpenID token: to be taken for a job that may do more.

A cloud trusts the token's subject, which names the environment of the job. Sigstore trusts the file of the workflow
whose job asked. GitHub decides both before the job's first step; what a job runs cannot change them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from modelyard.deployment.due import due_environments
from modelyard.errors import UsageError
from modelyard.forges.ci import JOB_ENVIRONMENTS
from modelyard.forges.interface import ForgeEnvironment, ForgeSettings
from modelyard.setup.forge_environments import examine_environments, is_shared
from support.memory import memory_yard
from support.yard import CONFIG

WORKFLOWS = Path(__file__).parents[2] / "model-repo-template/.github/workflows"
RUNS_A_MODEL = re.compile(r"modelyard (run|retrain|propose)\b(?!.*--from)")
"""Commands that run a model's code; with ``--from`` they read what such a job left."""
DEPLOYED = "${{ matrix.environment }}"


@dataclass(frozen=True)
class Job:
    """One job of a workflow's file, as it is written."""

    file: str
    name: str
    triggers: frozenset[str]
    job: dict[str, Any]

    @property
    def commands(self) -> str:
        """What it runs."""
        return "\n".join(step.get("run", "") for step in self.job.get("steps", ()))

    @property
    def runs_a_model(self) -> bool:
        """Whether it runs a model's code."""
        return bool(RUNS_A_MODEL.search(self.commands))

    @property
    def has_a_token(self) -> bool:
        """Whether its steps may ask for an OpenID token; a job that calls a workflow has no steps."""
        return "id-token" in (self.job.get("permissions") or {}) and "uses" not in self.job


def jobs() -> Iterator[Job]:
    for file in sorted(WORKFLOWS.glob("*.yml")):
        workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert not workflow["permissions"], "no job is given what it does not name"
        for name, job in workflow["jobs"].items():
            yield Job(file.name, name, frozenset(workflow[True]), job)


def callers(file: str) -> list[Job]:
    return [job for job in jobs() if job.job.get("uses") == f"./.github/workflows/{file}"]


def test_to_sign_as_the_workflow_that_registers_from_a_job_that_measures() -> None:
    signing = {job.file for job in jobs() if "modelyard register" in job.commands}
    assert signing == {"deploy.yml"}, "the identity that modelyard.yaml names"
    for job in jobs():
        if job.runs_a_model and job.has_a_token:
            assert job.file not in signing, f"{job.file} {job.name}"
    assert "measure.yml" not in signing and {caller.file for caller in callers("measure.yml")} > signing


def test_to_take_productions_role_from_a_job_that_runs_a_models_code() -> None:
    there = list(jobs())
    assert any(job.runs_a_model and job.has_a_token for job in there)
    for job in there:
        named = job.job.get("environment", "")
        if job.runs_a_model and job.has_a_token:
            assert named == "measure", f"{job.file} {job.name}: its subject is that of no other job"
        elif job.has_a_token:
            assert named in ("modelyard", DEPLOYED), f"{job.file} {job.name}: its subject names an environment"
        else:
            assert named in ("", "measure", "modelyard", "cloud-runner")
    shared = ForgeSettings(
        "main", frozenset(), frozenset(), True, variables=frozenset(["AWS_ROLE_ARN"]), environments=()
    )
    assert is_shared(shared, "s3"), "doctor --ci says that one role for all is none"


@pytest.mark.parametrize("name", JOB_ENVIRONMENTS)
def test_to_call_an_environment_like_the_one_of_other_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    yard = memory_yard(tmp_path, monkeypatch)
    yard.commit({"modelyard.yaml": CONFIG.replace("name: production", f"name: {name}")}, "rename")
    yard.reopen()
    with pytest.raises(UsageError, match="has the name of the forge's environment for other jobs"):
        due_environments(yard.planner(), yard.checkout.repository.config.environments)


def test_to_take_productions_role_from_a_pull_requests_job() -> None:
    reached = {job.file for job in jobs() if job.triggers & {"pull_request", "pull_request_review", "merge_group"}}
    reached |= {
        called for called in ("measure.yml", "reconcile.yml") if {job.file for job in callers(called)} & reached
    }
    assert "measure.yml" in reached and "reconcile.yml" not in reached
    for job in jobs():
        if job.file in reached:
            assert job.job.get("environment", "measure") == "measure", f"{job.file} {job.name}"
    # A pull request that changes the files names any environment. The rules of the environment stop it.
    anybodys = ForgeEnvironment("production", None, variables=frozenset(["AWS_ROLE_ARN"]))
    settings = ForgeSettings("main", frozenset(), frozenset(), True, environments=(anybodys,))
    found = {finding.what: finding for finding in examine_environments(settings, ["production"])}
    assert found["environment production"].state == "missing", "doctor --ci says when there are none"


def test_to_take_productions_secrets_from_a_job_that_runs_a_models_code() -> None:
    for job in jobs():
        if job.runs_a_model:
            named = set(re.findall(r"\bsecrets\.([A-Z_]+)", yaml.safe_dump(job.job)))
            assert named <= {"DVC_ACCESS_KEY_ID", "DVC_SECRET_ACCESS_KEY"}, f"{job.file} {job.name}"
            assert job.job.get("environment", "measure") == "measure"
    for caller in callers("measure.yml"):
        handed_over = caller.job["secrets"]
        assert isinstance(handed_over, dict) and set(handed_over) == {"DVC_ACCESS_KEY_ID", "DVC_SECRET_ACCESS_KEY"}


def test_to_find_a_static_key_beside_a_role() -> None:
    for job in jobs():
        if not job.has_a_token:
            continue
        for name, value in re.findall(r"(\w+): (\$\{\{.*secrets\.DVC_.*\}\})", yaml.safe_dump(job.job, width=1000)):
            assert value.startswith("${{ !vars.AWS_ROLE_ARN && secrets.DVC_"), f"{job.file} {job.name} {name}"


def test_to_deploy_to_production_with_stagings_approval_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploying = [job for job in jobs() if re.search(r"modelyard deploy(?! --plan)", job.commands)]
    for job in deploying:
        assert job.job["environment"] == job.job["env"]["ENVIRONMENT"] == DEPLOYED, f"{job.file} {job.name}"
        assert re.findall(r"modelyard deploy.*", job.commands) == ['modelyard deploy --env "$ENVIRONMENT"']
    assert deploying
    yard = memory_yard(tmp_path, monkeypatch)
    yard.add_version("v1.0.0")
    for environment in ("staging", "production"):
        yard.deploy_manifest("v1.0.0", environment=environment)
    yard.deploy("staging")
    assert yard.targets["staging"].done and not yard.targets["production"].done
