"""The profile that is committed next to a model, as the reference for later data."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from modelyard.candidate.files import Candidate
from modelyard.candidate.profiles import CONFIDENCE, SCORE, Columns, Profiled, joined, profile_file, with_details
from modelyard.documents import builtins
from modelyard.errors import ModelyardError
from modelyard.files import write_whole
from modelyard.flavors.signature import Input
from modelyard.metrics.outliers import fits, row_shape
from modelyard.metrics.profile import ColumnProfile, Profile, WindowThreshold
from modelyard.metrics.scores import Floats, Integers
from modelyard.metrics.tally import ColumnValues, level_codes, number_codes, profile_column
from modelyard.metrics.thresholds import window_thresholds
from modelyard.scoring.scorer import prediction_columns
from modelyard.tables.file import read_table
from modelyard.tables.table import Table

_ROWS_OF_SHAPE = 100_000


def write_profile(candidate: Candidate) -> Profile:
    """Writes the profile: inputs and label of the training rows, scores of the held-out rows."""
    model = candidate.model
    training = candidate.file(model.files.training)
    parts = [profile_file(training, Columns.of(model, "input", "label"))]
    predictions, scores = candidate.file(model.files.predictions), prediction_columns(model)
    if set(scores) <= set(predictions.names):
        parts.append(profile_file(predictions, Columns.of(model, "score")))
        if model.task == "multiclass":
            likeliest = np.max([predictions.numbers(name) for name in scores], axis=0)
            confidence = profile_column(ColumnValues(CONFIDENCE, "float", likeliest, "score"))
            parts.append(Profiled(Profile(predictions.rows, (confidence,)), {}))
    profile = joined(parts).profile
    details, codes = _details(candidate, profile)
    profile = with_details(profile, details)
    profile = replace(profile, shape=row_shape(profile.columns, codes))
    write_whole(candidate.folder / model.files.profile, encode_profile(profile))
    return profile


def encode_profile(profile: Profile) -> bytes:
    """A profile as JSON with one line per column, so that a diff shows which columns changed."""
    columns = [_compact(column) for column in profile.columns]
    shape = f', "shape": {_compact(profile.shape)}' if profile.shape else ""
    return (f'{{"rows": {profile.rows}{shape}, "columns": [\n' + ",\n".join(columns) + "\n]}\n").encode()


def decode_profile(content: bytes, where: str) -> Profile:
    """A committed profile; ModelyardError when it is not one."""
    remedy = "Write it again with: modelyard retrain MODEL."
    try:
        profile = msgspec.json.decode(content, type=Profile)
    except msgspec.MsgspecError as error:
        raise ModelyardError(f"{where} is not a valid profile: {error}.", remedy) from error
    if not fits(profile):
        raise ModelyardError(f"{where} is not a valid profile: its shape does not fit its columns.", remedy)
    return profile


def bin_codes(table: Table, column: ColumnProfile, source: Input) -> Integers:
    """Each row's index into ``column.bins()`` (rows,); ``source`` says how the column is read."""
    if column.numeric:
        return number_codes(table.scalars(source), column)
    names, codes = table.levels(source)
    return level_codes(names, column)[codes]


def _compact(value: object) -> str:
    return json.dumps(builtins(value), separators=(",", ":"))


def _details(candidate: Candidate, profile: Profile) -> tuple[dict[str, dict[str, object]], dict[str, Integers]]:
    """Importance, scores and thresholds of each column, and the bins of at most 100,000 training rows in each input."""
    model = candidate.model
    block = model.evaluation.block
    names = [column.name for column in profile.columns if column.role != "score"]
    training = candidate.training([*names, *([block] if block else [])])
    blocks = _ordered_blocks(training, block) if block and block in training.names else None
    importance = _importance(candidate)
    held = read_table(candidate.folder / model.files.holdout, names, model.contract.texts)
    scores = _scores(candidate, held)
    sources = Columns.of(model).inputs
    details: dict[str, dict[str, object]] = {}
    few: dict[str, Integers] = {}
    every = max(1, -(-training.rows // _ROWS_OF_SHAPE))
    for column in profile.columns:
        if column.role == "score":
            continue
        source = sources[column.name]
        codes = bin_codes(training, column, source)
        found: dict[str, object] = {"thresholds": _thresholds(codes, column, blocks)}
        if column.role == "input":
            few[column.name] = codes[::every].copy()
            found["importance"] = importance.get(column.name)
            if scores is not None and column.name in held.names:
                found["scores"] = _by_bin(scores, bin_codes(held, column, source), len(column.bins()[0]))
        details[column.name] = found
    return details, few


def _thresholds(codes: Integers, column: ColumnProfile, blocks: Integers | None) -> tuple[WindowThreshold, ...]:
    if blocks is None:
        return ()
    found = window_thresholds(codes, len(column.bins()[0]), blocks)
    return tuple(WindowThreshold(t.rows, round(t.js, 6)) for t in found)


def _ordered_blocks(table: Table, block: str) -> Integers:
    """Block codes (rows,) in the order of the block's values, such as days."""
    try:
        values: Any = table.numbers(block)
    except ModelyardError:
        values = np.array([text or "" for text in table.texts(block)], dtype=np.str_)
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _importance(candidate: Candidate) -> dict[str, float]:
    with candidate.load() as scorer:
        return {name: round(share, 6) for name, share in scorer.importance().items()}


def _scores(candidate: Candidate, held: Table) -> Floats | None:
    predictions = candidate.file(candidate.model.files.predictions)
    if SCORE not in predictions.names or predictions.rows != held.rows:
        return None
    scores = candidate.predictions(candidate.holdout())
    return scores if np.isfinite(scores).all() else None


def _by_bin(scores: Floats, codes: Integers, bins: int) -> tuple[float | None, ...]:
    sums = np.bincount(codes, weights=scores, minlength=bins)
    counts = np.bincount(codes, minlength=bins)
    return tuple(float(f"{s / n:.4g}") if n else None for s, n in zip(sums, counts, strict=True))
