"""The jobs of GitLab that measured merge requests, and the archives that they left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from modelyard.forges.interface import Measured, Pull

MEASURE = "measure"
"""The name of the job in .gitlab-ci.yml. A merge request may give it to another job: its files are untrusted anyway."""
_READ: dict[str, Any] = {"retry_transient_errors": True, "max_retries": 3}


def measured_of(gitlab: Any, place: str, pulls: Iterable[Pull]) -> list[Measured]:
    """The finished job of each merge request; ``place`` is the project's path in the API.

    A pipeline of a fork is in the fork's project, so it has none here. A merge train judges by itself.
    """
    found = []
    for pull in pulls:
        request = gitlab.http_get(f"{place}/merge_requests/{pull.number}", **_READ)
        pipeline = request.get("head_pipeline") or {}
        here = pipeline.get("project_id") == request["target_project_id"]
        if not here or str(pipeline.get("ref", "")).endswith("/train"):
            continue
        url = f"{place}/pipelines/{pipeline['id']}/jobs"
        jobs = [job for job in gitlab.http_list(url, iterator=True, per_page=100, **_READ) if job["name"] == MEASURE]
        newest = max(jobs, key=lambda job: int(job["id"]), default=None)
        if newest and newest["status"] in ("success", "failed"):
            found.append(
                Measured(
                    pull=pull,
                    commit=pipeline["sha"],
                    job=newest["id"],
                    succeeded=newest["status"] == "success",
                    url=newest["web_url"],
                )
            )
    return found


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
