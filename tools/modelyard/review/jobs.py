"""What other jobs left for this one: a folder that CI filled, or the archives of jobs, which GitLab is asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

from modelyard.errors import UsageError
from modelyard.forges.interface import Forge, MeasuringForge
from modelyard.review.bundle import TOTAL_LIMIT

JOBS = "jobs:"
"""How the name of a job begins, where a folder could stand."""
EVIDENCE = ".modelyard/evidence/"
"""Where a measuring job writes, so where its archive has it."""


class Left(NamedTuple):
    """Untrusted files: a folder of them or of archives, and how the names begin that are read there."""

    folder: Path
    under: str = ""


@contextmanager
def handed_over(source: str, forge: Forge | None) -> Iterator[Left]:
    """What a source names: a folder or, for ``jobs:NAME``, the archives of the jobs NAME of this pipeline of GitLab.

    GitLab's runner can put them into the checkout too, before the first command, and over any file there. So a job
    that has a token lets the runner fetch none. UsageError for what is no folder, and for jobs of another forge.
    """
    if not source.startswith(JOBS):
        if Path(source).is_file():
            raise UsageError(f"{source} is a file.", "Name the folder that the other job filled.")
        yield Left(Path(source))
        return
    if not hasattr(forge, "jobs_beside"):
        raise UsageError(f"{source} names jobs, and only GitLab is asked for those.", "Name a folder.")
    asked = cast(MeasuringForge, forge)
    with archives(asked, asked.jobs_beside(source.removeprefix(JOBS))) as left:
        yield left


@contextmanager
def archives(forge: MeasuringForge, jobs: Iterable[int]) -> Iterator[Left]:
    """The archive of each job that left one, cut where it is too large to be read; nothing is unpacked."""
    with tempfile.TemporaryDirectory(prefix="modelyard-") as scratch:
        for job in jobs:
            content = forge.archive(job, TOTAL_LIMIT)
            if content is not None:
                Path(scratch, f"{job:020d}.zip").write_bytes(content)
        yield Left(Path(scratch), EVIDENCE)
