"""The profile that is committed next to a model, as the reference for later data."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.candidate.files import Candidate
from modelyard.candidate.profiles import CONFIDENCE, SCORE, Columns, Profiled, joined, profile_file, with_details
from modelyard.documents import builtins
from modelyard.errors import ModelyardError
from modelyard.files import write_whole
from modelyard.flavors.signature import Input
from modelyard.manifests.model import reference_rows
from modelyard.metrics.outliers import fits, row_shape
from modelyard.metrics.profile import ColumnProfile, Profile, WindowSpread
from modelyard.metrics.scores import Floats, Integers
from modelyard.metrics.spreads import rounded, window_spreads
from modelyard.metrics.tally import ColumnValues, level_codes, number_codes, profile_column
from modelyard.scoring.scorer import prediction_columns
from modelyard.tables.file import read_table
from modelyard.tables.table import Table

_ROWS_OF_SHAPE = 100_000


def write_profile(candidate: Candidate) -> Profile:
    """Writes the profile: inputs and label of the training rows, scores of the held-out rows.

    Of a model that was trained elsewhere, all of it is of the held-out rows.
    """
    model = candidate.model
    training = candidate.file(reference_rows(model))
    parts = [profile_file(training, Columns.of(model, "input", "label"))]
    predictions, scores = candidate.file(model.files.predictions), prediction_columns(model)
    if set(scores) <= set(predictions.names):
        parts.append(profile_file(predictions, Columns.of(model, "score")))
        if model.task == "multiclass":
            likeliest = np.max([predictions.numbers(name) for name in scores], axis=0)
            confidence = profile_column(ColumnValues(CONFIDENCE, "float", likeliest, "score"))
            parts.append(Profiled(Profile(predictions.rows, (confidence,)), {}))
    profile = joined(parts).profile
    details, codes, held = _details(candidate, profile)
    profile = with_details(profile, details)
    profile = replace(profile, shape=row_shape(profile.columns, codes, held))
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


def _details(
    candidate: Candidate, profile: Profile
) -> tuple[dict[str, dict[str, object]], dict[str, Integers], dict[str, Integers]]:
    """What each column carries beside its counts; the bins, in each input, of at most 100,000 training rows and of the
    held-out rows.
    """
    model = candidate.model
    block = model.evaluation.block
    names = [column.name for column in profile.columns if column.role != "score"]
    training = candidate.training([*names, *([block] if block else [])])
    blocks = ordered_blocks(training, block) if block and block in training.names else None
    importance = _importance(candidate)
    wanted = [*names, *([block] if block else [])]
    held = read_table(candidate.folder / model.files.holdout, wanted, model.contract.texts)
    scores = _scores(candidate, held)
    sources = Columns.of(model).inputs
    details: dict[str, dict[str, object]] = {}
    few: dict[str, Integers] = {}
    held_out: dict[str, Integers] = {}
    every = max(1, -(-training.rows // _ROWS_OF_SHAPE))
    held_blocks = ordered_blocks(held, block) if block and block in held.names else None
    for column in profile.columns:
        if column.role == "score":
            details[column.name] = {
                "spreads": column_spreads(_held_scores(candidate, column, held.rows), column, held_blocks)
            }
            continue
        source = sources[column.name]
        codes = bin_codes(training, column, source)
        found: dict[str, object] = {"spreads": column_spreads(codes, column, blocks)}
        if column.role == "input":
            few[column.name] = codes[::every].copy()
            found["importance"] = importance.get(column.name)
            if column.name in held.names:
                held_out[column.name] = bin_codes(held, column, source)
                if scores is not None:
                    found["scores"] = _by_bin(scores, held_out[column.name], len(column.bins()[0]))
        details[column.name] = found
    return details, few, held_out


def _held_scores(candidate: Candidate, column: ColumnProfile, rows: int) -> Integers | None:
    """Each held-out row's place in the bins of a score column; None where predictions are not row by row."""
    predictions = candidate.file(candidate.model.files.predictions)
    if predictions.rows != rows:
        return None
    if column.name in predictions.names:
        return number_codes(predictions.numbers(column.name), column)
    if column.name != CONFIDENCE:
        return None
    each = [predictions.numbers(name) for name in prediction_columns(candidate.model)]
    return number_codes(np.max(each, axis=0), column)


def column_spreads(codes: Integers | None, column: ColumnProfile, blocks: Integers | None) -> tuple[WindowSpread, ...]:
    """How far windows of a table lie apart in a column, by each row's bin (rows,) and its place in time (rows,)."""
    if codes is None or blocks is None:
        return ()
    return rounded(window_spreads(column.comparable()[codes], len(column.bins()[0]), blocks))


def ordered_blocks(table: Table, block: str) -> Integers:
    """Block codes in the order of their values: days in time."""
    return np.unique(block_values(table, block), return_inverse=True)[1].astype(np.int64)


def block_values(table: Table, block: str) -> NDArray[Any]:
    """The values (rows,) of the block column: numbers, or texts in whose order the blocks follow each other."""
    try:
        return table.numbers(block)
    except ModelyardError:
        return np.array([text or "" for text in table.texts(block)], dtype=np.str_)


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
