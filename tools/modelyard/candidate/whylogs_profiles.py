"""Profiles of whylogs, merged and counted in the bins of a version's profile, where a system kept no rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

from modelyard.candidate.profiles import Columns, Profiled
from modelyard.documents import encode
from modelyard.errors import ModelyardError
from modelyard.installation.environments import run_tool
from modelyard.metrics.profile import ColumnProfile, NumericBins, Profile
from modelyard.metrics.tally import level_codes

REQUIREMENTS = ("whylogs==1.6.4", "numpy<2", "pandas>=2.2,<3", "pyarrow>=17,<22", "setuptools<81")
_SECONDS = 600
_PROGRAM = Path(__file__).with_name("whylogs_counts.py")


class Counted(msgspec.Struct, frozen=True):
    """One column of merged profiles: what is known of all its rows."""

    rows: int
    nulls: int
    below: tuple[float, ...] = ()
    """The share of numbers below each edge of the reference."""
    levels: dict[str, int] = {}
    """Frequent levels → rows that have them at least."""


class _Counts(msgspec.Struct, frozen=True):
    """What the program in whylogs' environment writes."""

    rows: list[int]
    columns: dict[str, Counted]


class CountedProfiles(msgspec.Struct, frozen=True):
    """The merged profile of some files, and the rows of each file."""

    profiled: Profiled
    rows: list[int]


def holds_profiles(path: Path) -> bool:
    """Whether a path is a folder with profiles of whylogs (``*.bin``)."""
    return path.is_dir() and next(path.glob("*.bin"), None) is not None


def profile_of_profiles(folder: Path, columns: Columns, reference: Profile) -> Profiled:
    """The merged profiles of a folder, in the bins of ``reference``; ModelyardError when whylogs cannot read them.

    Shares between edges come from quantile sketches, whose error whylogs bounds at about 1.3 % of the rows.
    """
    return counted_profiles(sorted(folder.glob("*.bin")), (), columns, reference, str(folder)).profiled


def counted_profiles(
    merged: Sequence[Path], others: Sequence[Path], columns: Columns, reference: Profile | None, place: str
) -> CountedProfiles:
    """The rows of each of some profiles, and the ``merged`` ones in the bins of ``reference``, where there is one.

    ``place`` names them in errors. ModelyardError when whylogs cannot read them.
    """
    known = reference.columns if reference else ()
    wanted = [c for c in known if c.name in {column.name for column in columns.wanted}]
    edges = {c.name: list(c.numeric.edges) if c.numeric else None for c in wanted}
    sides = {"merged": merged, "others": others}
    with TemporaryDirectory(prefix="modelyard-") as scratch:
        job, counts = Path(scratch, "job.json"), Path(scratch, "counts.json")
        job.write_bytes(
            encode({"columns": edges} | {side: [str(p.resolve()) for p in of] for side, of in sides.items()})
        )
        run_tool("whylogs", REQUIREMENTS, _PROGRAM, (job, counts), _SECONDS)
        found = msgspec.json.decode(counts.read_bytes(), type=_Counts)
    profiled = in_bins(found.columns, wanted, place) if reference else Profiled(Profile(0, ()), {})
    return CountedProfiles(profiled, found.rows)


def in_bins(found: Mapping[str, Counted], wanted: list[ColumnProfile], folder: str) -> Profiled:
    """Counted columns in the bins of the ``wanted`` ones; ModelyardError when there is none of them."""
    there = {name for name, one in found.items() if one.rows > one.nulls}
    wanted = [c for c in wanted if c.role == "input" or c.name in there]  # labels that did not arrive are not drift
    profiles = [_in_bins(column, found[column.name]) for column in wanted if column.name in found]
    if not profiles:
        raise ModelyardError(
            f"The profiles in {folder} have no column that the contract names.",
            f"They have to profile the inputs by their names, such as {', '.join(c.name for c in wanted[:3])}.",
        )
    faults = {c.name: "the profiles of whylogs lack it" for c in wanted if c.name not in found}
    return Profiled(Profile(max(p.rows for p in profiles), tuple(profiles)), faults)


def _in_bins(column: ColumnProfile, found: Counted) -> ColumnProfile:
    known = max(found.rows - found.nulls, 0)
    empty = replace(
        column, rows=found.rows, nulls=found.nulls, infinities=0, minimum=None, maximum=None, moments=None,
        spreads=(), importance=None, scores=(),
    )  # fmt: skip
    if column.numeric is not None:
        edges = column.numeric.edges
        below = found.below or (0.0,) * len(edges)  # of no number
        # Running sums are rounded, so that the counts add up to the rows.
        running = np.rint(np.array([0.0, *below, 1.0]) * known)
        counts = np.diff(np.maximum.accumulate(running)).astype(np.int64)
        return replace(empty, numeric=NumericBins(edges, tuple(counts.tolist())))
    if column.levels is None:
        return empty
    names = list(found.levels)
    weights = [min(found.levels[name], known) for name in names]
    counts = np.bincount(level_codes(names, column), weights, minlength=len(column.bins()[0])).astype(np.int64)
    # Levels that the sketch forgot are rare ones, so they are no news.
    other = int(counts[-3]) + max(known - int(counts[:-1].sum()), 0)
    levels = replace(column.levels, counts=tuple(counts[:-3].tolist()), other=other, new=int(counts[-2]))
    return replace(empty, levels=levels)
