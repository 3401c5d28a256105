"""Data drift against a reference: by column, by slice, and by a domain classifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from modelyard.candidate.files import Candidate
from modelyard.candidate.profiles import (
    SCORE,
    Columns,
    Profiled,
    compare_files,
    joined,
    partitions,
    profile_file,
    profile_partitions,
)
from modelyard.candidate.reference import bin_codes, block_values, column_spreads, decode_profile, ordered_blocks
from modelyard.candidate.whylogs_profiles import holds_profiles, profile_of_profiles
from modelyard.errors import ModelyardError, UsageError
from modelyard.flavors.discovery import flavor_named
from modelyard.flavors.lightgbm import import_lightgbm
from modelyard.flavors.signature import Input
from modelyard.git import Git
from modelyard.manifests.model import Model, reference_rows
from modelyard.metrics.drift import MINIMUM_ROWS, DomainShift, Drift, Exact, measure_drift
from modelyard.metrics.estimate import Estimate, estimate_quality
from modelyard.metrics.intervals import delong_spread
from modelyard.metrics.profile import Profile
from modelyard.metrics.scores import Floats, auc
from modelyard.metrics.slices import MISSING, Coded, Levels, SliceDrift, levels_of_numbers, slice_drifts
from modelyard.progress import Progress, no_progress
from modelyard.registry.history import RegisteredVersion
from modelyard.scoring.scorer import faults_as_errors, prediction_columns
from modelyard.scoring.signature import signature_of
from modelyard.tables.file import TableFile, read_table

Engine = Literal["local", "dask"]

_ROWS = 20_000
_FOLDS = 5
_SEED = 20130101
_PARAMS: dict[str, Any] = {
    "objective": "binary", "num_leaves": 15, "learning_rate": 0.1, "min_data_in_leaf": 50, "seed": _SEED,
    "verbosity": -1, "deterministic": True, "force_row_wise": True,
}  # fmt: skip


@dataclass(frozen=True)
class DriftOptions:
    """The tables to compare, and how."""

    current: Path | None = None
    """A table, a folder of tables or one of whylogs' profiles; by default the candidate's held-out rows."""
    reference: Path | None = None
    """A table that is compared value by value; by default the champion's profile."""
    domain: bool = False
    """Whether to train a domain classifier too."""
    engine: Engine = "local"
    scheduler: str = ""


def drift_of(
    candidate: Candidate,
    git: Git,
    champion: RegisteredVersion | None,
    options: DriftOptions,
    say: Callable[[str], None],
    progress: Progress = no_progress,
) -> Drift:
    """The data drift of a table. Without a champion with a profile, the reference is the candidate's own rows."""
    model = candidate.model
    path = f"models/{model.name}/{model.files.profile}"
    content = git.file_at(champion.commit, path) if champion and not options.reference else None
    current = options.current or candidate.folder / model.files.holdout
    if champion is not None and content is not None:
        reference = decode_profile(content, f"{path} of {champion.version}")
        found = _current(candidate, current, reference, options, progress)
        expected = _other_scores(candidate, champion, options)
        drift = _compared(reference, found, champion.version, no_alarm=expected, blocks=_blocks(model, current))
    else:
        training = candidate.folder / reference_rows(model)
        table = options.reference or training
        own = "its own training rows" if candidate.trained_here else "its own held-out rows"
        name = options.reference.name if options.reference else own
        drift = _exactly(candidate, table, current, options, progress, name)
    if options.current is not None and model.task == "binary" and not holds_profiles(current):
        drift = replace(drift, estimate=_estimate(candidate, current))
    if options.domain:
        if holds_profiles(current):
            raise UsageError("--domain needs rows, and profiles of whylogs have none.", "Leave it out.")
        say("Training a domain classifier …")
        before = TableFile(options.reference or candidate.folder / reference_rows(model), model.contract.texts)
        after = TableFile(partitions(current)[0], model.contract.texts)
        drift = replace(drift, domain=tell_apart(model, before, after))
    return drift


def tell_apart(model: Model, before: TableFile, after: TableFile) -> DomainShift | None:
    """Cross-fitted over at most 20,000 rows of each table; None with fewer than 200 rows in one of them."""
    inputs = [c for c in signature_of(model).inputs if c.name in before.names and c.name in after.names]
    if min(before.rows, after.rows) < MINIMUM_ROWS or not inputs:
        return None
    with faults_as_errors(flavor_named("lightgbm"), "be imported"):
        lightgbm = import_lightgbm()
    parts = [_both(column, before, after) for column in inputs]
    owners = [column for column, part in zip(inputs, parts, strict=True) for _ in range(part.shape[1])]
    matrix = np.column_stack(parts)
    label = np.concatenate([np.zeros(min(before.rows, _ROWS)), np.ones(min(after.rows, _ROWS))])
    fold = np.random.default_rng(_SEED).permutation(label.size) % _FOLDS
    score: Floats = np.empty(label.size)
    gains = np.zeros(len(owners))
    levels = [i for i, column in enumerate(owners) if _has_levels(column)]
    for held in range(_FOLDS):
        learn = fold != held
        data = lightgbm.Dataset(matrix[learn], label[learn], categorical_feature=levels, free_raw_data=True)
        booster = lightgbm.train(_PARAMS, data, 60)
        score[~learn] = booster.predict(matrix[~learn])
        gains += np.asarray(booster.feature_importance("gain"), dtype=np.float64)
    area, spread = auc(label, score), delong_spread(label, score, None, None)
    if area is None:
        return None
    order = np.argsort(-gains, kind="stable")
    strongest = tuple(dict.fromkeys(owners[i].name for i in order if gains[i] > 0))[:3]
    interval = spread.around(area) if spread is not None else None
    return DomainShift(area, interval, int(label.size), strongest)


def drift_in_slices(model: Model, before: TableFile, after: TableFile, reference: Profile) -> tuple[SliceDrift, ...]:
    """Every column of the reference in every slice that both tables have."""
    names = [name for name in model.evaluation.slices if name in before.names and name in after.names]
    columns = [c for c in reference.columns if c.name in before.names and c.name in after.names]
    if not names or not columns:
        return ()
    slices = {name: _shared(before, after, name) for name in names}
    bins, sources = {}, Columns.of(model).inputs
    for column in columns:
        source = sources[column.name]
        places = column.comparable()
        sides = [
            places[bin_codes(read_table(file.path, [column.name], file.texts), column, source)]
            for file in (before, after)
        ]
        bins[column.name] = (sides[0], sides[1])
    return slice_drifts(Coded(slices, bins), MINIMUM_ROWS)


def _exactly(
    candidate: Candidate, table: Path, current: Path, options: DriftOptions, progress: Progress, name: str
) -> Drift:
    model = candidate.model
    columns = Columns.of(model, "input", "label", "score")
    before = TableFile(table, columns.texts)
    if current.is_dir() or options.engine == "dask":
        reference = profile_file(before, columns, None, progress).profile
        reference = _timed(model, before, reference)
        found = _current(candidate, current, reference, options, progress)
        return _compared(reference, found, name, blocks=_blocks(model, current))
    after = TableFile(current, columns.texts)
    there = {*before.names, *after.names}
    wanted = columns.only(lambda column: column.role == "input" or column.name in there)
    reference_side, found, exact = compare_files(before, after, wanted, progress)
    if not reference_side.profile.columns:
        first = next(iter(reference_side.faults.items()), ("", "it has no column that the contract names"))
        raise ModelyardError(
            f"{table} cannot be the reference: {first[0]} {first[1]}.",
            "Pass a table with the inputs of model.yaml to --reference.",
        )
    readable = {column.name for column in found.profile.columns}
    shared = replace(
        reference_side.profile, columns=tuple(c for c in reference_side.profile.columns if c.name in readable)
    )
    slices = drift_in_slices(model, before, after, shared)
    whole = _timed(model, before, reference_side.profile)
    return _compared(whole, found, name, exact, slices=slices, blocks=_blocks(model, current))


def _timed(model: Model, file: TableFile, profile: Profile) -> Profile:
    """The profile of a table that names its blocks, with how far windows of it lie apart."""
    block = model.evaluation.block
    if not block or block not in file.names:
        return profile
    blocks = ordered_blocks(read_table(file.path, [block], file.texts), block)
    sources = Columns.of(model, "input", "label", "score").inputs
    columns = []
    for column in profile.columns:
        codes = bin_codes(read_table(file.path, [column.name], file.texts), column, sources[column.name])
        columns.append(replace(column, spreads=column_spreads(codes, column, blocks)))
    return replace(profile, columns=tuple(columns))


def _blocks(model: Model, current: Path) -> float | None:
    """How many blocks the current data span; None where they do not say."""
    block = model.evaluation.block
    if holds_profiles(current):
        return None
    tables = partitions(current)
    if not block or not all(block in TableFile(path, model.contract.texts).names for path in tables):
        return None
    parts = [block_values(read_table(path, [block], model.contract.texts), block) for path in tables]
    return float(np.unique(np.concatenate(parts)).size)


def _current(
    candidate: Candidate, current: Path, reference: Profile, options: DriftOptions, progress: Progress
) -> Profiled:
    known = {column.name for column in reference.columns}
    columns = Columns.of(candidate.model, "input", "label", "score").only(lambda column: column.name in known)
    if options.current is None:
        predictions = candidate.file(candidate.model.files.predictions)
        rest = columns.only(lambda column: column.role != "score")
        score = columns.only(lambda column: column.role == "score")
        return joined(
            [profile_file(TableFile(current, rest.texts), rest, reference), profile_file(predictions, score, reference)]
        )
    if holds_profiles(current):
        return profile_of_profiles(current, columns, reference)
    parts = partitions(current)
    if options.engine == "dask":
        return profile_partitions(parts, columns, reference, options.scheduler, progress)
    if len(parts) == 1:
        return profile_file(TableFile(parts[0], columns.texts), columns, reference, progress)
    return profile_partitions(parts, columns, reference, None, progress)


def _other_scores(candidate: Candidate, champion: RegisteredVersion, options: DriftOptions) -> dict[str, str]:
    """The score column, which raises no alarm: another model gives other scores on purpose."""
    if options.current is not None or (champion.record and champion.record.artifact == candidate.sha256()):
        return {}
    return dict.fromkeys(prediction_columns(candidate.model), "another model's scores")


def _compared(
    reference: Profile,
    current: Profiled,
    name: str,
    exact: dict[str, Exact] | None = None,
    no_alarm: dict[str, str] | None = None,
    slices: tuple[SliceDrift, ...] = (),
    blocks: float | None = None,
) -> Drift:
    """The drift report. A missing label or score column is not drift, so it is left out."""
    there = {column.name for column in current.profile.columns}
    columns = tuple(c for c in reference.columns if c.role == "input" or c.name in there)
    shown = replace(reference, columns=columns)
    return measure_drift(shown, current.profile, name, exact, current.faults, no_alarm, slices, blocks)


def _estimate(candidate: Candidate, current: Path) -> Estimate | None:
    file = TableFile(partitions(current)[0])
    if SCORE not in file.names:
        return None
    return estimate_quality(file.numbers(SCORE), candidate.model.contract.threshold)


def _both(column: Input, before: TableFile, after: TableFile) -> Floats:
    """An input of both tables as numbers (rows, columns); a vector has several columns."""
    values = np.concatenate([_sampled(file, column) for file in (before, after)])
    if values.dtype.kind != "O":
        return np.asarray(values.reshape(len(values), -1), dtype=np.float64)
    _, codes = np.unique(np.array(["" if t is None else f"={t}" for t in values], dtype=np.str_), return_inverse=True)
    return codes.astype(np.float64).reshape(-1, 1)


def _has_levels(column: Input) -> bool:
    return column.is_text or column.kind == "boolean" or bool(column.categories)


def _sampled(file: TableFile, column: Input) -> NDArray[Any]:
    """At most 20,000 values, evenly spaced."""
    found = file.values(column)
    values = np.array(list(found), dtype=object) if column.is_text else np.asarray(found)
    if len(values) <= _ROWS:
        return values
    return values[np.linspace(0, len(values) - 1, _ROWS).astype(np.int64)]


def _shared(before: TableFile, after: TableFile, name: str) -> tuple[Levels, Levels]:
    """The slice column of both tables with the same levels; numbers are cut at the quartiles of both together."""
    tables = [read_table(file.path, [name], file.texts) for file in (before, after)]
    if all(table.is_number(name) for table in tables):
        both = levels_of_numbers(np.concatenate([table.numbers(name) for table in tables]))
        at = tables[0].rows
        return Levels(both.names, both.codes[:at]), Levels(both.names, both.codes[at:])
    coded = [table.text_codes(name) for table in tables]
    shown = [[MISSING if level is None else level for level in levels] for levels, _ in coded]
    known = sorted(set(shown[0]) | set(shown[1]))
    place = {level: i for i, level in enumerate(known)}
    places = [np.array([place[level] for level in levels], dtype=np.int64)[codes]
              for levels, (_, codes) in zip(shown, coded, strict=True)]  # fmt: skip
    return Levels(tuple(known), places[0]), Levels(tuple(known), places[1])
