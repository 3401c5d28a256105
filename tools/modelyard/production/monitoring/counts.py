"""Counts of a window's predictions, per version and variant, made in one pass over the tables."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.candidate.profiles import CONFIDENCE, SCORE
from modelyard.errors import ModelyardError
from modelyard.flavors.signature import Input
from modelyard.ground_truth.labels import GroundTruth
from modelyard.manifests.model import Model
from modelyard.metrics.outliers import OutlierScore
from modelyard.metrics.profile import ColumnProfile, Profile, merge_columns
from modelyard.metrics.scores import Floats, Integers
from modelyard.metrics.tally import level_codes, number_codes, profile_codes
from modelyard.metrics.window import Objective, by_minute
from modelyard.predictions.columns import LOG, has_scores, mask, scores_of, seconds
from modelyard.predictions.interface import Reader, Window
from modelyard.production.monitoring.labelled_rows import LabelledRows
from modelyard.progress import Progress
from modelyard.scoring.scorer import prediction_columns
from modelyard.scoring.signature import signature_of
from modelyard.tables.table import Table

if TYPE_CHECKING:
    import pyarrow as pa


_FURTHER_ROW = r"/[1-9][0-9]*$"
_SLACK = 0.01
"""How far, as a share of the window, a table may begin before the end of the one ahead of it."""


@dataclass
class VersionCounts:
    """Counts of one version as one variant."""

    rows: int = 0
    requests: int = 0
    errors: int = 0
    milliseconds: list[NDArray[np.float32]] = field(default_factory=list)
    """Latencies of answered requests."""
    minutes: Floats = field(default_factory=lambda: np.zeros(1))
    """Requests by minute, oldest first."""
    bad: dict[str, Floats] = field(default_factory=dict)
    """Objective → its bad requests by minute."""
    days: dict[int, tuple[int, int, float]] = field(default_factory=dict)
    """Days since 1970 → rows, errors, sum of scores."""
    sums: bool = True
    """Whether the sums of scores are known."""
    profiles: dict[str, list[ColumnProfile]] = field(default_factory=dict)
    sliced: dict[str, Integers] = field(default_factory=dict)
    """Slice column → rows by its bins and the score's (bins, score bins)."""
    faults: dict[str, str] = field(default_factory=dict)
    """Column → why it could not be measured."""
    outliers: int = 0
    blamed: Counter[str] = field(default_factory=Counter)
    """Input → outliers to whose score it adds the most."""
    scored: int = 0
    """Rows that have an outlier score."""
    due: int = 0
    missing: int = 0
    """Due rows without a label."""
    oldest_missing: float | None = None
    """Seconds since 1970 of the oldest of them."""
    arrived: Integers | None = None
    """Due rows with and without a label, by bins of the score (2, bins); None without ground truth or a profile."""
    labelled: LabelledRows | None = None
    """None without ground truth."""
    last: float = 0.0
    """Seconds since 1970 of the newest prediction."""

    def profile(self) -> Profile:
        """The profile of the window, in the bins of the version's own profile."""
        return Profile(self.rows, tuple(parts[0] for parts in self.profiles.values()))


class WindowCounts:
    """Counts tables as they come. ``found`` holds (version, variant) → counts."""

    def __init__(
        self,
        model: Model,
        profile_of: Callable[[str], Profile | None],
        window: Window,
        objectives: Sequence[Objective],
        ground_truth: GroundTruth | None,
        due_before: float,
    ) -> None:
        """``profile_of`` gives a version's committed profile; labels are due for predictions before ``due_before``."""
        self._window, self._objectives = window, objectives
        self.found: dict[tuple[str, str], VersionCounts] = {}
        self._model, self._profile_of = model, profile_of
        self._profiles: dict[str, tuple[Profile, OutlierScore | None] | None] = {}
        self._ground_truth, self._due_before = ground_truth, due_before
        self._columns = prediction_columns(model)
        self._inputs = signature_of(model).inputs
        open_columns = {c.name for c in model.contract.inputs if c.personal == "no"}
        self._slices = {c.name: c for c in self._inputs if c.name in {*model.evaluation.slices} & open_columns}
        self._pool = ThreadPoolExecutor(min(os.cpu_count() or 1, 4))

    def take(self, table: pa.Table) -> None:
        """Counts every row of a table once."""
        import pyarrow.compute as pc

        for version in pc.unique(table["version"]).to_pylist():
            of_version = _where(table, "version", version)
            for variant in pc.unique(of_version["variant"]).to_pylist():
                key = (version or "", variant or "champion")
                self._take(self.found.setdefault(key, VersionCounts()), key, _where(of_version, "variant", variant))

    def read(self, reader: Reader, progress: Progress) -> dict[tuple[str, str], VersionCounts]:
        """Counts the whole window of a reader once, and ends the threads; returns ``found``."""
        rows, share = 0, _Share(self._window)
        try:
            for table in reader.read(self._model, self._window.begin, self._window.end):
                self.take(table)
                rows += table.num_rows
                progress(rows, share.after(table))
        finally:
            self.close()
        return self.found

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown()

    def _take(self, found: VersionCounts, key: tuple[str, str], table: pa.Table) -> None:
        import pyarrow.compute as pc

        at = seconds(table["time"])
        failed = mask(pc.is_valid(table["error"]))
        first = ~_further(table["id"])
        milliseconds = Table(table.select(["latency_ms"]), LOG).numbers("latency_ms")
        self._serve(found, at[first], milliseconds[first], failed[first])
        found.last = max(found.last, float(at.max(initial=0.0)))
        answered = ~failed & has_scores(table, self._model)
        rows = table if answered.all() else table.filter(answered)
        scores = scores_of(rows, self._model)
        tops = scores if scores.ndim == 1 else scores.max(axis=1, initial=0.0)
        found.rows += rows.num_rows
        _count_days(found.days, at, failed & first, answered, tops)
        if key[1] == "shadow":
            return
        reference = self._reference(key[0])
        if reference is not None and rows.num_rows:
            self._measure(found, *reference, rows, scores)
        if self._ground_truth is not None:
            self._label(found, rows, at[answered], scores, reference[0] if reference else None)

    def _serve(self, found: VersionCounts, at: Floats, milliseconds: Floats, failed: NDArray[np.bool_]) -> None:
        found.requests += int(at.size)
        found.errors += int(failed.sum())
        found.milliseconds.append(milliseconds[~failed].astype(np.float32))
        begin, end = self._window.begin, self._window.end
        found.minutes = found.minutes + by_minute(at, begin, end)
        for objective in self._objectives:
            bad = by_minute(at[objective.bad(milliseconds, failed)], begin, end)
            found.bad[objective.id] = found.bad.get(objective.id, 0.0) + bad

    def _reference(self, version: str) -> tuple[Profile, OutlierScore | None] | None:
        if version not in self._profiles:
            profile = self._profile_of(version)
            self._profiles[version] = (profile, OutlierScore.of(profile)) if profile else None
        return self._profiles[version]

    def _measure(
        self, found: VersionCounts, profile: Profile, score: OutlierScore | None, rows: pa.Table, scores: Floats
    ) -> None:
        """Counts inputs and scores in the bins of the version's own profile, and outliers."""
        personal = {c.name: c.personal for c in self._model.contract.inputs if c.personal != "no"}

        def one(column: ColumnProfile) -> tuple[ColumnProfile, Integers] | str:
            if column.role == "score":
                own = self._score(column.name, scores)
                if own is None:
                    return "the contract has no such class"
                codes = number_codes(own, column)
                return profile_codes(codes, column, own), codes
            if column.name in personal:
                return "personal: the log does not hold it"
            try:
                return code_rows(rows, column, self._inputs)
            except ModelyardError as error:
                return error.problem

        columns = [column for column in profile.columns if column.role != "label"]
        measured: dict[str, Integers] = {}
        for column, coded in zip(columns, self._pool.map(one, columns), strict=True):
            if isinstance(coded, str):
                found.faults[column.name] = coded
                continue
            counted, codes = coded
            parts = found.profiles.setdefault(column.name, [])
            parts[:] = [merge_columns([*parts, counted])]
            measured[column.name] = codes
        if score is not None and not found.faults.keys() & {c.name for c in columns if c.role == "input"}:
            far = np.flatnonzero(score.of_rows(measured) > score.limit)
            found.outliers += far.size
            found.blamed.update(score.strongest({name: codes[far] for name, codes in measured.items()}))
            found.scored += rows.num_rows
        if SCORE in measured:
            size = {c.name: len(c.bins()[0]) for c in columns if c.name in self._slices or c.name == SCORE}
            for name in self._slices.keys() & measured.keys():
                cells = measured[name] * size[SCORE] + measured[SCORE]
                counts = np.bincount(cells, minlength=size[name] * size[SCORE]).reshape(-1, size[SCORE])
                found.sliced[name] = found.sliced.get(name, 0) + counts

    def _score(self, column: str, scores: Floats) -> Floats | None:
        """Scores (rows,) of one of the profile's score columns; None when the contract has no such class."""
        if scores.ndim == 1:
            return scores
        if column == CONFIDENCE:
            return np.asarray(scores.max(axis=1, initial=0.0))
        return scores[:, self._columns.index(column)] if column in self._columns else None

    def _label(self, found: VersionCounts, rows: pa.Table, at: Floats, scores: Floats, profile: Profile | None) -> None:
        assert self._ground_truth is not None  # noqa: S101
        place = self._ground_truth.of_rows(rows, at)
        known = place >= 0
        due = at < self._due_before
        found.due += int(due.sum())
        missing = due & ~known
        found.missing += int(missing.sum())
        score = score_column(self._model, profile)
        if score is not None:
            tops = scores if scores.ndim == 1 else scores.max(axis=1, initial=0.0)
            codes, size = number_codes(tops, score), len(score.bins()[0])
            sides = [np.bincount(codes[which], minlength=size) for which in (due & known, missing)]
            found.arrived = np.array(sides) + (found.arrived if found.arrived is not None else 0)
        if missing.any():
            oldest = float(at[missing].min())
            found.oldest_missing = oldest if found.oldest_missing is None else min(oldest, found.oldest_missing)
        if found.labelled is None:
            found.labelled = LabelledRows(self._slices, self._window)
        found.labelled.take(rows, known, at, scores, self._ground_truth.labels[place[known]])


class _Share:
    """The share of a window that was read, as long as a log comes in the order of time."""

    def __init__(self, window: Window) -> None:
        self._begin, self._seconds = window.begin, window.end - window.begin
        self._latest: float | None = window.begin

    def after(self, table: pa.Table) -> float | None:
        """The share (0 to 1) once a table was read; None since a table that began before the one ahead of it."""
        at = seconds(table["time"])
        if self._latest is None or not at.size:
            return None
        # Replies of concurrent requests are logged a little out of order.
        if float(at.min()) < self._latest - _SLACK * self._seconds:
            self._latest = None
            return None
        self._latest = max(self._latest, float(at.max()))
        return (self._latest - self._begin) / self._seconds


def score_column(model: Model, profile: Profile | None) -> ColumnProfile | None:
    """The column of a profile that one score of each row belongs to: of several classes the likeliest one's."""
    return profile.column(CONFIDENCE if model.task == "multiclass" else SCORE) if profile else None


def code_rows(rows: pa.Table, column: ColumnProfile, inputs: Sequence[Input]) -> tuple[ColumnProfile, Integers]:
    """A column's profile and each row's bin (rows,); a column that the table lacks is missing in all rows.

    ``inputs`` are the contract's, which say how the column is read.
    """
    name = f"inputs.{column.name}"
    if name not in rows.column_names:
        codes = np.full(rows.num_rows, len(column.bins()[0]) - 1, dtype=np.int64)
        return profile_codes(codes, column, np.full(rows.num_rows, np.nan)), codes
    source = next((known for known in inputs if known.name == column.name), None)
    source = source or Input(column.name, "string" if column.levels else "float")  # an input of an older contract
    table = Table(rows.select([name]).rename_columns([column.name]), LOG)
    if column.numeric:
        values = table.scalars(source)
        codes = number_codes(values, column)
        return profile_codes(codes, column, values), codes
    names, places = table.levels(source)
    codes = level_codes(names, column)[places]
    return profile_codes(codes, column, None), codes


def _count_days(
    days: dict[int, tuple[int, int, float]], at: Floats, failed: NDArray[np.bool_], answered: NDArray[np.bool_],
    scores: Floats,
) -> None:  # fmt: skip
    day = (at // 86400).astype(np.int64)
    if not day.size:
        return
    first = int(day.min())
    size = int(day.max()) - first + 1
    rows = np.bincount(day[answered] - first, minlength=size)
    errors = np.bincount(day[failed] - first, minlength=size)
    sums = np.bincount(day[answered] - first, weights=scores, minlength=size)
    for i in np.flatnonzero(rows + errors).tolist():
        before = days.get(first + i, (0, 0, 0.0))
        days[first + i] = (before[0] + int(rows[i]), before[1] + int(errors[i]), before[2] + float(sums[i]))


def _further(ids: Any) -> NDArray[np.bool_]:
    """Whether each row (rows,) is a later row of a request with several."""
    import pyarrow.compute as pc

    first = mask(pc.ends_with(ids, "/0").fill_null(True))
    if first.all():
        return np.zeros(first.size, dtype=bool)
    return mask(pc.match_substring_regex(ids, _FURTHER_ROW).fill_null(False))


def _where(table: pa.Table, name: str, value: str | None) -> pa.Table:
    import pyarrow.compute as pc

    those = (pc.equal(table[name], value) if value is not None else table[name].is_null()).fill_null(False)
    return table if pc.all(those).as_py() else table.filter(those)
