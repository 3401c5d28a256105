"""What other jobs left for this one: a folder that CI filled, or the archives of jobs, which GitLab is asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from modelyard.errors import UsageError
from modelyard.forges.interface import Forge, MeasuringForge
from modelyard.review.bundle import TOTAL_LIMIT

JOBS = "jobs:"
"""How the name of a job begins, where a folder could stand."""


@contextmanager
def handed_over(source: str, forge: Forge | None) -> Iterator[Path]:
    """The folder of untrusted files that a source names: the folder itself or, for ``jobs:NAME``, the archives of the
    jobs NAME of this pipeline of GitLab.

    GitLab's runner can put them into the checkout too, before the first command, and over any file there. So a job
    that has a token lets the runner fetch none. UsageError for what is no folder, and for jobs of another forge.
    """
    if not source.startswith(JOBS):
        if Path(source).is_file():
            raise UsageError(f"{source} is a file.", "Name the folder that the other job filled.")
        yield Path(source)
        return
    if not hasattr(forge, "jobs_beside"):
        raise UsageError(f"{source} names jobs, and only GitLab is asked for those.", "Name a folder.")
    asked = cast(MeasuringForge, forge)
    with tempfile.TemporaryDirectory(prefix="modelyard-") as scratch:
        write_archives(asked, asked.jobs_beside(source.removeprefix(JOBS)), Path(scratch))
        yield Path(scratch)


def write_archives(forge: MeasuringForge, jobs: Iterable[int], folder: Path) -> None:
    """Writes the archive of each job that left one, cut where it is too large to be read."""
    for job in jobs:
        content = forge.archive(job, TOTAL_LIMIT)
        if content is not None:
            (folder / f"{job:020d}.zip").write_bytes(content)
