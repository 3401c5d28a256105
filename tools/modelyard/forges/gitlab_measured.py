"""The jobs of GitLab that measured merge requests, and the archives that they left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from modelyard.forges.interface import Measured, Pull

MEASURE = "measure"
"""The job of .gitlab-ci.yml. A merge request may give its name to another job: its files are untrusted anyway."""
_READ: dict[str, Any] = {"retry_transient_errors": True, "max_retries": 3}


def measured_of(gitlab: Any, place: str, pulls: Iterable[Pull]) -> list[Measured]:
    """The finished jobs of each merge request whose measuring has ended; ``place`` is the project's path in the API.

    A pipeline of a fork is in the fork's project, so it has none here. A merge train judges by itself.
    """
    found = []
    for pull in pulls:
        request = gitlab.http_get(f"{place}/merge_requests/{pull.number}", **_READ)
        pipeline = request.get("head_pipeline") or {}
        here = pipeline.get("project_id") == request["target_project_id"]
        if not here or str(pipeline.get("ref", "")).endswith("/train"):
            continue
        jobs = jobs_named(gitlab, place, pipeline["id"], MEASURE)
        if jobs and all(job["status"] in ("success", "failed") for job in jobs):
            found.append(
                Measured(
                    pull=pull,
                    commit=pipeline["sha"],
                    jobs=tuple(job["id"] for job in jobs),
                    succeeded=all(job["status"] == "success" for job in jobs),
                    url=jobs[-1]["web_url"],
                )
            )
    return found


def jobs_named(gitlab: Any, place: str, pipeline: object, name: str) -> list[dict[str, Any]]:
    """The jobs of a pipeline with a name of .gitlab-ci.yml, and those of .gitlab-ci.runners.yml; the newest of each."""
    newest: dict[str, Any] = {}
    for job in gitlab.http_list(f"{place}/pipelines/{pipeline}/jobs", iterator=True, per_page=100, **_READ):
        if job["name"] == name or job["name"].startswith(f"{name}-on: ["):
            newest[job["name"]] = max(job, newest.get(job["name"], job), key=lambda one: int(one["id"]))
    return sorted(newest.values(), key=lambda job: int(job["id"]))


def archive_of(project: Any, errors: Any, job: int, limit: int) -> bytes | None:
    """The archive of a job, cut after ``limit`` bytes and one more; None for one that is gone or never was."""
    received = bytearray()

    def keep(chunk: bytes) -> None:
        received.extend(chunk)
        if len(received) > limit:
            raise _Enough

    try:
        project.jobs.get(job, lazy=True).artifacts(streamed=True, action=keep, chunk_size=1 << 16)
    except _Enough:
        return bytes(received[: limit + 1])
    except errors.GitlabError as error:
        if error.response_code == 404:
            return None
        raise
    return bytes(received)


class _Enough(Exception):
    """Ends a download."""
