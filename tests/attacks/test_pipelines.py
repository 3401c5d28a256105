"""What a pull request tries with the pipelines: its file, its jobs and their archives are the attacker's."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import yaml
from modelyard.forges.gitlab_measured import archive_of, measured_of
from modelyard.forges.interface import VERDICT, ForgeSettings, Measured, MeasuringForge, Status
from modelyard.review.bundle import UntrustedBundle
from modelyard.review.measured import due, untrusted_of
from modelyard.setup.forge_settings import examine_settings, of_gitlab
from support.pulls import a_pull

TEMPLATE = Path(__file__).parents[2] / "model-repo-template"
HEAD = "a" * 40
JOB = Measured(a_pull(7, head=HEAD), HEAD, (3,), True, "https://gitlab.example/acme/models/-/jobs/3")


def told(exposed: frozenset[str], variables_by: str) -> list[str]:
    """What doctor says of a GitLab project, beside what is in order."""
    names = frozenset(["MODELYARD_TOKEN"])
    settings = ForgeSettings("main", frozenset([VERDICT]), names, True, exposed, variables_by)
    return [f.what for f in examine_settings(settings, "gitlab", "main", of_gitlab([])) if f.state != "ok"]


def test_to_print_the_token_from_the_file_of_a_merge_request() -> None:
    assert told(frozenset(["MODELYARD_TOKEN"]), "owner") == ["token"]
    assert told(frozenset(), "owner") == []
    jobs = yaml.safe_load((TEMPLATE / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    assert "MODELYARD" not in yaml.safe_dump([jobs["measure"], jobs["ask-for-report"], jobs["variables"]])


def test_to_hand_a_package_index_to_the_job_that_reports() -> None:
    assert told(frozenset(), "developer") == told(frozenset(), "maintainer") == ["pipeline variables"]
    asking = yaml.safe_load((TEMPLATE / ".gitlab-ci.yml").read_text(encoding="utf-8"))["ask-for-report"]
    assert asking["inherit"]["variables"] is False and asking["trigger"]["forward"] == {"yaml_variables": False}


def test_to_have_a_status_of_ones_own_taken_for_the_report() -> None:
    forged = Status(VERDICT, "success", "passed", JOB.url, ours=False)
    assert due([JOB], {HEAD: [forged]}) == [JOB]


def test_to_be_reported_on_by_a_job_that_ran_in_a_fork() -> None:
    pipeline = {"id": 1, "project_id": 2, "sha": HEAD, "ref": "refs/merge-requests/7/head"}
    request: dict[str, Any] = {"target_project_id": 1, "head_pipeline": pipeline}
    jobs = [{"id": 3, "name": "measure", "status": "success", "web_url": JOB.url}]
    gitlab = SimpleNamespace(http_get=lambda *_, **__: request, http_list=lambda *_, **__: jobs)
    assert measured_of(gitlab, "/projects/1", [JOB.pull]) == []
    request["target_project_id"] = 2
    assert len(measured_of(gitlab, "/projects/1", [JOB.pull])) == 1, "it is the project that differs"


def test_to_exhaust_the_job_that_reports_with_a_large_archive() -> None:
    sent = []

    def artifacts(*, action: Any, **_more: Any) -> None:
        for _ in range(1_000_000):
            sent.append(1)
            action(b"\0" * 65_536)

    project = SimpleNamespace(jobs=SimpleNamespace(get=lambda *_, **__: SimpleNamespace(artifacts=artifacts)))
    received = archive_of(project, SimpleNamespace(GitlabError=OSError), 3, 1_000_000)
    assert len(received or b"") == 1_000_001 and len(sent) == 16, "it stops at the limit"


def taken(files: dict[str, bytes]) -> UntrustedBundle:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    forge = cast(MeasuringForge, SimpleNamespace(archive=lambda job, limit: content.getvalue()))
    return untrusted_of(forge, JOB)


def test_to_unpack_a_bomb_in_the_job_that_reports() -> None:
    found = taken({f".modelyard/evidence/m{i}/training.json": b"\0" * 9_000_000 for i in range(6)})
    assert found.evidence == {} and "more than 50,000,000 bytes" in found.refused[0]


def test_to_write_outside_with_the_names_in_an_archive() -> None:
    names = ("../x/training.json", "/etc/training.json", "churn/training.json", ".modelyard/evidence/../training.json")
    assert taken(dict.fromkeys(names, b"x")) == UntrustedBundle()


def test_to_lay_files_over_the_checkout_of_a_job_with_a_token() -> None:
    """A job can upload any archive as its own, and GitLab's runner unpacks it before the next job's first command."""
    jobs: dict[str, Any] = {}
    for name in (".gitlab-ci.yml", ".gitlab/scheduled.yml"):
        jobs |= yaml.safe_load((TEMPLATE / name).read_text(encoding="utf-8").replace("!reference", ""))
    of_environments = {name for name, job in jobs.items() if isinstance(job, dict) and "environment" in job}
    assert of_environments == {".posting", ".deploying"}
    assert all(jobs[name]["dependencies"] == [] for name in of_environments)
    assert not any("needs" in job for job in jobs.values() if isinstance(job, dict))


def test_to_poison_the_packages_of_a_job_with_a_token_through_the_cache() -> None:
    """On GitHub a job of main can write any cache of main."""
    users = [p for p in (TEMPLATE / ".github").rglob("*.yml") if "actions/cache" in p.read_text(encoding="utf-8")]
    assert [path.parent.name for path in users] == ["modelyard"]
    steps = yaml.safe_load(users[0].read_text(encoding="utf-8"))["runs"]["steps"]
    assert [s["if"] for s in steps if s.get("uses", "").startswith("actions/cache")] == ["inputs.jobs == 'measuring'"]
    tokens = [
        job
        for path in (TEMPLATE / ".github/workflows").glob("*.yml")
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
        for step in job.get("steps", ())
        if step.get("with", {}).get("jobs") == "measuring"
    ]
    assert [job.get("permissions", {}).get("contents") for job in tokens] == ["read"], "only measure.yml's job"
