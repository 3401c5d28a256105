"""A sample of predictions for any labelling tool: a CSV with empty columns for label, reviewer and time."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from modelyard.ground_truth.join import Earlier
from modelyard.manifests.model import Model
from modelyard.metrics.outliers import OutlierScore, bits
from modelyard.metrics.profile import Profile
from modelyard.metrics.scores import Floats, Integers
from modelyard.predictions.columns import has_scores, joined, mask, scores_of
from modelyard.predictions.ids import Hashes, text_hashes
from modelyard.predictions.interface import Reader, Window, ahead
from modelyard.production.monitoring.counts import code_rows
from modelyard.scoring.signature import signature_of

if TYPE_CHECKING:
    import pyarrow as pa


REVIEW = ("reviewer", "reviewed_at")
RARE_BITS = float(np.log2(20))
"""Rarity of a level, in bits, that one in twenty training rows has; rarer levels are a reason to label a row."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
"""Beginnings of a text that gets a quote before it: those of formulas, and the quote itself."""

Why = Literal["uncertain", "outlier", "rare", "flip", "random"]

WHYS: tuple[Why, ...] = get_args(Why)


@dataclass(frozen=True)
class Sample:
    """The picked predictions."""

    content: bytes
    """The CSV."""
    rows: int
    of: int
    """Predictions without a label, from which the rows were picked."""
    reasons: dict[str, int]
    """Reason → rows picked for it."""


def sample(
    reader: Reader,
    model: Model,
    window: Window,
    profile_of: Callable[[str], Profile | None],
    earlier: Earlier,
    count: int,
) -> Sample:
    """Picks at most ``count`` predictions of a window that have no label.

    The first pass over the log finds ids on which two versions disagreed; the second ranks the rows.
    """

    flips = _flips(reader, model, window)
    kept: list[pa.Table] = []
    worths: list[dict[Why, Floats]] = []
    of = 0
    for table in _unlabelled(reader, model, window, earlier):
        of += table.num_rows
        worth = _worth(table, model, profile_of, flips)
        rows = best(worth, count)
        kept.append(table.take(rows))
        worths.append({why: values[rows] for why, values in worth.items()})
    if not of:
        return Sample(_csv(None, [], model), 0, 0, {})
    table = joined(kept)
    found = pick({why: np.concatenate([part[why] for part in worths]) for why in worths[0]}, count)
    reasons: dict[str, int] = {}
    for _, why in found:
        reasons[why] = reasons.get(why, 0) + 1
    return Sample(_csv(table, found, model), len(found), of, reasons)


def uncertainty(scores: Floats, threshold: float) -> Floats:
    """Uncertainty (rows,) of scores (rows,) or (rows, classes): 1 on the decision border, 0 as far away as possible."""
    if scores.ndim == 2:
        ordered = np.sort(scores, axis=1)
        return np.asarray(1 - (ordered[:, -1] - ordered[:, -2]), dtype=np.float64)
    far = np.where(scores >= threshold, 1 - threshold, threshold)
    distance = np.divide(np.abs(scores - threshold), far, out=np.zeros_like(scores), where=far > 0)
    return np.asarray(np.clip(1 - distance, 0.0, 1.0), dtype=np.float64)


def best(worth: Mapping[Why, Floats], count: int) -> Integers:
    """Row numbers, sorted, of the ``count`` best rows for every reason; ``pick`` takes no others."""
    found = [_ranked(values)[:count] for values in worth.values()]
    return np.unique(np.concatenate(found)).astype(np.int64) if found else np.empty(0, dtype=np.int64)


def pick(worth: Mapping[Why, Floats], count: int) -> list[tuple[int, Why]]:
    """At most ``count`` row numbers with their reasons. Reasons take turns; a worth of 0 is not a reason."""
    queues = {why: iter(_ranked(values).tolist()) for why, values in worth.items()}
    taken: dict[int, Why] = {}
    while queues and len(taken) < count:
        for why in list(queues):
            row = next((row for row in queues[why] if row not in taken), None)
            if row is None:
                del queues[why]
            elif len(taken) < count:
                taken[row] = why
    return list(taken.items())


def _unlabelled(reader: Reader, model: Model, window: Window, earlier: Earlier) -> Iterator[pa.Table]:
    import pyarrow.compute as pc

    for table in ahead(reader.read(model, window.begin, window.end)):
        kept = has_scores(table, model) & mask(pc.not_equal(table["variant"], "shadow").fill_null(True))
        kept &= mask(table["id"].is_valid())
        rows = table if kept.all() else table.filter(kept)
        new = np.isnan(earlier.of(rows["id"]))
        yield rows if new.all() else rows.filter(new)


def _worth(
    table: pa.Table, model: Model, profile_of: Callable[[str], Profile | None], flips: Hashes
) -> dict[Why, Floats]:
    rows = table.num_rows
    outlier, rare = np.zeros(rows), np.zeros(rows)
    versions = np.asarray(table["version"].to_pylist(), dtype=np.str_) if rows else np.empty(0, dtype=np.str_)
    read_as = signature_of(model).inputs
    for version in np.unique(versions):
        profile = profile_of(str(version))
        if profile is None:
            continue
        here = np.flatnonzero(versions == version)
        part = table.take(here)
        inputs = {c.name: c for c in profile.columns if c.role == "input"}
        codes = {name: code_rows(part, column, read_as)[1] for name, column in inputs.items()}
        for name in inputs.keys() & set(model.evaluation.slices):
            own = bits(inputs[name])[codes[name]]
            rare[here] = np.maximum(rare[here], np.where(own > RARE_BITS, own, 0.0))
        score = OutlierScore.of(profile)
        if score is not None:
            found = score.of_rows(codes)
            outlier[here] = np.where(found > score.limit, found, 0.0)
    scores = scores_of(table, model)
    decided = model.task in ("binary", "multiclass")
    ids = text_hashes(table["entity"])
    # The order of hashed ids is random, and the same in every run.
    drawn = (text_hashes(table["id"]) % np.uint64(2**52)).astype(np.float64) + 1
    return {
        "uncertain": uncertainty(scores, model.contract.threshold) if decided else np.zeros(rows),
        "outlier": outlier,
        "rare": rare,
        "flip": np.isin(ids, flips).astype(np.float64) * drawn,
        "random": drawn,
    }


def _flips(reader: Reader, model: Model, window: Window) -> Hashes:
    """Hashes of the ids that two versions decided differently; shadows count too."""
    import pyarrow as pa

    if model.task not in ("binary", "multiclass"):
        return np.empty(0, dtype=np.uint64)
    ids, decisions, versions = [], [], []
    for table in reader.read(model, window.begin, window.end, ("entity", "version", "score")):
        rows = table.filter(pa.array(has_scores(table, model) & mask(table["entity"].is_valid())))
        scores = scores_of(rows, model)
        ids.append(text_hashes(rows["entity"]))
        decisions.append(scores.argmax(axis=1) if scores.ndim == 2 else scores >= model.contract.threshold)
        versions.append(text_hashes(rows["version"]))
    if not ids:
        return np.empty(0, dtype=np.uint64)
    hashes, decided, version = (np.concatenate(parts) for parts in (ids, decisions, versions))
    distinct = np.unique(np.stack([hashes, version, decided.astype(np.uint64)]), axis=1)
    several = _with_several(distinct[0], distinct[1]), _with_several(distinct[0], distinct[2])
    return np.intersect1d(*several)


def _with_several(keys: Hashes, values: Hashes) -> Hashes:
    """Keys (pairs,) that occur with more than one value (pairs,)."""
    pairs = np.unique(np.stack([keys, values]), axis=1)[0]
    found, counts = np.unique(pairs, return_counts=True)
    return np.asarray(found[counts > 1], dtype=np.uint64)


def _csv(table: pa.Table | None, found: list[tuple[int, Why]], model: Model) -> bytes:
    contract = model.contract
    inputs = [c.name for c in contract.inputs if c.personal == "no"]
    whole = {f"inputs.{c.name}" for c in contract.inputs if c.type == "integer"}
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["prediction_id", contract.id, *inputs, "score", "version", "predicted_at", "why",
                     contract.label, *REVIEW])  # fmt: skip
    if table is not None and found:
        chosen = table.take([row for row, _ in found])
        columns = [chosen["id"], chosen["entity"], *(_column(chosen, f"inputs.{name}", whole) for name in inputs)]
        columns += [chosen["score"], chosen["version"], chosen["time"]]
        for row, (_, why) in enumerate(found):
            writer.writerow([*(_cell(column[row].as_py()) for column in columns), why, "", "", ""])
    return text.getvalue().encode()


def _column(table: pa.Table, name: str, whole: set[str]) -> Any:
    import pyarrow as pa

    if name not in table.column_names:
        return pa.nulls(table.num_rows)
    column = table[name]
    return column.cast(pa.int64(), safe=False) if name in whole and pa.types.is_floating(column.type) else column


def _cell(value: Any) -> str:
    """A cell. Text that a spreadsheet would run as a formula gets a leading quote, which ``read_labels`` removes."""
    if value is None:
        return ""
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    shown = str(value)
    return f"'{shown}" if isinstance(value, str) and shown.startswith(_FORMULA) else shown


def _ranked(values: Floats) -> Integers:
    order = np.argsort(-values, kind="stable")
    return np.asarray(order[values[order] > 0], dtype=np.int64)
