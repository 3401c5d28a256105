"""A table in many files: profiled one by one, here or on a Dask cluster, and merged to the same profile either way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from modelyard.errors import ModelyardError, UsageError, missing_extra
from modelyard.metrics.profile import Profile
from modelyard.proposal.profiles import Columns, Profiled, merged, profile_file
from modelyard.tables import TableFile

_SUFFIXES = {".parquet", ".arrow", ".feather", ".csv"}


def partitions(path: Path) -> list[Path]:
    """The tables of a folder, in the order of their names, or the one table that a path names."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
    if not found:
        raise UsageError(f"{path} holds no table.", f"Expected are files ending in {', '.join(sorted(_SUFFIXES))}.")
    return found


def profile_partitions(
    paths: list[Path], columns: Columns, reference: Profile, scheduler: str | None, say: Callable[[str], None]
) -> Profiled:
    """The profile of all files together, in the reference's bins.

    ``scheduler`` is the address of a Dask scheduler whose workers see the same paths; '' starts a cluster of processes
    on this machine, None reads one file after the other.
    """
    say(f"Profiling {len(paths)} {'file' if len(paths) == 1 else 'files'} …")
    if scheduler is None:
        return merged([profile_part(str(path), columns, reference) for path in paths], reference)
    try:
        from distributed import Client
    except ImportError as error:
        raise missing_extra("dask", "distributed") from error
    try:
        client = Client(scheduler, timeout=20) if scheduler else Client(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        )  # fmt: skip
    except (OSError, TimeoutError, ValueError) as error:
        raise ModelyardError(
            f"The Dask scheduler {scheduler or 'of this machine'} cannot be reached: {error}.",
            "Start one with: dask scheduler, or leave --scheduler out.",
        ) from error
    with client:
        futures = client.map(
            profile_part, [str(path.resolve()) for path in paths], columns=columns, reference=reference
        )
        return merged(client.gather(futures), reference)


def profile_part(path: str, columns: Columns, reference: Profile) -> Profiled:
    """One file; what a Dask worker runs."""
    return profile_file(TableFile(Path(path), columns.texts), columns, reference)
