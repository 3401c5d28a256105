"""Profiles of tables on disk. Two columns at a time are in memory, so a table may be larger than memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import numpy as np

from modelyard.errors import ModelyardError, UsageError, missing_extra
from modelyard.flavors.signature import Input, Kind
from modelyard.manifests.model import Model
from modelyard.metrics.distances import ks_p, ks_statistic, wasserstein
from modelyard.metrics.drift import Exact
from modelyard.metrics.profile import ColumnProfile, Profile, Role, merge_columns
from modelyard.metrics.scores import Floats
from modelyard.metrics.tally import ColumnValues, RareLevels, Tally, profile_sorted, profile_tally
from modelyard.progress import Progress, no_progress
from modelyard.scoring.scorer import prediction_columns
from modelyard.scoring.signature import input_of
from modelyard.tables.file import TableFile

SCORE = "prediction"
CONFIDENCE = "(confidence)"
"""Column of a multiclass model's largest probability; no column of a table can have this name."""
_NOTHING = np.empty(0)

_SUFFIXES = {".parquet", ".arrow", ".feather", ".csv"}


@dataclass(frozen=True)
class Columns:
    """The columns of a table to profile, with names and types of the contract."""

    wanted: tuple[ColumnValues, ...]
    """The columns, without values."""
    inputs: Mapping[str, Input]
    """Column → how it is read."""

    @classmethod
    def of(cls, model: Model, *roles: Role) -> Columns:
        """The requested columns: inputs, label, score (or one score per class)."""
        contract = model.contract
        labels: dict[str, Kind] = {"regression": "float", "ranking": "float", "multiclass": "string"}
        label = Input(contract.label, labels.get(model.task, "integer"))
        scores = [Input(name, "float") for name in prediction_columns(model)]
        rare = {c.name: RareLevels(c.rare_below, c.rare_become) for c in contract.inputs}
        found = [(input_of(column), "input") for column in contract.inputs]
        found += [(label, "label"), *((score, "score") for score in scores)]
        wanted = [
            ColumnValues(column.name, profile_type(column), _NOTHING, role, rare.get(column.name, RareLevels()))
            for column, role in found
            if role in roles
        ]
        return cls(tuple(wanted), {column.name: column for column, _ in found})

    def only(self, wanted: Callable[[ColumnValues], bool]) -> Columns:
        """Only the columns of these names."""
        return Columns(tuple(column for column in self.wanted if wanted(column)), self.inputs)

    @property
    def texts(self) -> tuple[str, ...]:
        """The text columns, including those in which a file has only digits."""
        return tuple(column.name for column in self.wanted if self.inputs[column.name].is_text)


def profile_type(column: Input) -> str:
    """The kind of an input in a profile: levels (string, boolean) or numbers (integer, float)."""
    if column.is_text or column.categories:
        return "string"
    return column.kind if column.kind in ("boolean", "integer") else "float"


@dataclass(frozen=True)
class Profiled:
    """A profile, and the reason for each column that it lacks."""

    profile: Profile
    faults: dict[str, str]


class Reading:
    """How far tables are read whose columns are read at the same time, by several threads."""

    def __init__(self, rows: int, columns: int, progress: Progress) -> None:
        """``rows`` of all the tables together, and the columns of each."""
        self._rows, self._columns, self._progress = max(rows, 1), max(columns, 1), progress
        self._lock, self._values = Lock(), 0

    def took(self, values: int) -> None:
        """So many values of one column more were read."""
        with self._lock:
            self._values += values
            rows = self._values // self._columns
            self._progress(rows, min(self._values / (self._rows * self._columns), 1.0))


def profile_file(
    file: TableFile, columns: Columns, reference: Profile | None = None, progress: Progress = no_progress
) -> Profiled:
    """The profile of a table. With a reference it has the reference's bins and is made in one pass."""
    reading = Reading(file.rows, len(columns.wanted), progress)

    def one(column: ColumnValues) -> ColumnProfile:
        into, source = reference.column(column.name) if reference else None, columns.inputs[column.name]
        if not (into.numeric if into else _is_number(column)):
            tally = Tally(*file.tally(source))
            reading.took(file.rows)
            return profile_tally(column, tally, into)
        if into is None:
            values = file.scalars(source)
            reading.took(values.size)
            return profile_sorted(column, _ordered(values))
        parts = []
        for part in file.scalar_parts(source):
            parts.append(profile_sorted(column, np.sort(part), into))
            reading.took(part.size)
        return merge_columns(parts) if parts else profile_sorted(column, _NOTHING, into)

    return _each(file, columns, one)


def compare_files(
    before: TableFile, after: TableFile, columns: Columns, progress: Progress = no_progress
) -> tuple[Profiled, Profiled, dict[str, Exact]]:
    """Both tables in the first one's bins, with Kolmogorov–Smirnov and Wasserstein, which need all values."""
    reading = Reading(before.rows + after.rows, len(columns.wanted), progress)
    found: dict[str, tuple[ColumnProfile, Exact | None]] = {}

    def both(column: ColumnValues) -> ColumnProfile:
        profile = compared(column)
        reading.took(before.rows + after.rows)
        return profile

    def compared(column: ColumnValues) -> ColumnProfile:
        source = columns.inputs[column.name]
        if not _is_number(column):
            reference = profile_tally(column, Tally(*before.tally(source)))
            if column.name in after.names:
                found[column.name] = profile_tally(column, Tally(*after.tally(source)), reference), None
            return reference
        first = _ordered(before.scalars(source))
        reference = profile_sorted(column, first)
        if column.name in after.names:
            second = _ordered(after.scalars(source))
            found[column.name] = profile_sorted(column, second, reference), _exact(reference, first, second)
        return reference

    reference = _each(before, columns, both)
    faults = {name: why for name, why in reference.faults.items() if name in before.names}
    current = [found[c.name][0] for c in columns.wanted if c.name in found]
    exact = {name: value for name, (_, value) in found.items() if value is not None}
    return reference, Profiled(Profile(after.rows, tuple(current)), faults), exact


def joined(parts: Sequence[Profiled]) -> Profiled:
    """One profile of different columns of the same rows."""
    columns = [column for part in parts for column in part.profile.columns]
    faults = {name: why for part in parts for name, why in part.faults.items()}
    return Profiled(Profile(parts[0].profile.rows, tuple(columns)), faults)


def merged(parts: Sequence[Profiled], reference: Profile) -> Profiled:
    """One profile of different rows of the same columns. A column that one part lacks is left out."""
    faults = {name: why for part in parts for name, why in part.faults.items()}
    columns = []
    for column in reference.columns:
        found = [part.profile.column(column.name) for part in parts]
        whole = [one for one in found if one is not None]
        if len(whole) == len(parts):
            columns.append(merge_columns(whole))
    return Profiled(Profile(sum(part.profile.rows for part in parts), tuple(columns)), faults)


def with_details(profile: Profile, details: dict[str, dict[str, object]]) -> Profile:
    """The profile with thresholds, importance or scores added to its columns, by name."""
    return replace(
        profile,
        columns=tuple(replace(c, **details.get(c.name, {})) for c in profile.columns),  # type: ignore[arg-type]
    )


def partitions(path: Path) -> list[Path]:
    """The tables of a folder, sorted by name, or the one table of a path."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
    if not found:
        raise UsageError(
            f"The folder {path} has no table.", f"Pass a folder with files that end in {', '.join(sorted(_SUFFIXES))}."
        )
    return found


def profile_partitions(
    paths: list[Path], columns: Columns, reference: Profile, scheduler: str | None, progress: Progress = no_progress
) -> Profiled:
    """The profile of all files together, in the reference's bins.

    ``scheduler`` is the address of a Dask scheduler whose workers see the same paths; '' starts a cluster of processes
    on this machine, and None reads one file after the other.
    """
    rows = 0
    if scheduler is None:
        parts: list[Profiled] = []
        for path in paths:
            parts.append(profile_part(str(path), columns, reference))
            rows += parts[-1].profile.rows
            progress(rows, len(parts) / len(paths))
        return merged(parts, reference)
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise missing_extra("dask", "distributed") from error
    try:
        client = Client(scheduler, timeout=20) if scheduler else Client(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        )  # fmt: skip
    except (OSError, TimeoutError, ValueError) as error:
        raise ModelyardError(
            f"The Dask scheduler {scheduler or 'of this machine'} cannot be reached: {error}.",
            "Start one with: dask scheduler. Or omit --scheduler.",
        ) from error
    with client:
        futures = client.map(
            profile_part, [str(path.resolve()) for path in paths], columns=columns, reference=reference
        )
        done: dict[str, Profiled] = {}
        for future, part in as_completed(futures, with_results=True):
            done[future.key] = part
            rows += part.profile.rows
            progress(rows, len(done) / len(paths))
        return merged([done[future.key] for future in futures], reference)


def profile_part(path: str, columns: Columns, reference: Profile) -> Profiled:
    """The profile of one file; a Dask worker runs this."""
    return profile_file(TableFile(Path(path), columns.texts), columns, reference)


def _each(file: TableFile, columns: Columns, one: Callable[[ColumnValues], ColumnProfile]) -> Profiled:
    faults: dict[str, str] = {}

    def safely(column: ColumnValues) -> ColumnProfile | None:
        if column.name not in file.names:
            faults[column.name] = "the column is missing"
            return None
        try:
            return one(column)
        except ModelyardError as error:
            faults[column.name] = error.problem
            return None

    with ThreadPoolExecutor(min(os.cpu_count() or 1, 4)) as pool:
        found = list(pool.map(safely, columns.wanted))
    return Profiled(Profile(file.rows, tuple(column for column in found if column is not None)), faults)


def _exact(reference: ColumnProfile, before: Floats, after: Floats) -> Exact | None:
    first, second = (values[np.searchsorted(values, -np.inf, "right") : np.searchsorted(values, np.inf)]
                     for values in (before, after))  # fmt: skip
    if not first.size or not second.size:
        return None
    ks = ks_statistic(first, second)
    spread = reference.moments.deviation(reference.finite) if reference.moments else None
    distance = wasserstein(first, second)
    return Exact(ks, ks_p(ks, first.size, second.size), distance / spread if spread else distance)


def _ordered(values: Floats) -> Floats:
    values.sort()
    return values


def _is_number(column: ColumnValues) -> bool:
    return column.type in ("integer", "float")
