"""Samples of each version from the prediction log, for the analysis of a rollout."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.ground_truth.labels import GroundTruth
from modelyard.manifests.deployment import Analysis
from modelyard.manifests.model import Model
from modelyard.predictions.columns import seconds
from modelyard.predictions.segments import read_predictions
from modelyard.rollout.analysis import Samples

if TYPE_CHECKING:
    import pyarrow as pa


Floats = NDArray[np.float64]


def sample(
    folder: Path, model: Model, since: float, analysis: Analysis, ground_truth: GroundTruth | None
) -> dict[str, Samples]:
    """Version → its samples since a moment. A request with many rows is one request with many scores."""
    import pyarrow.compute as pc

    begin = datetime.fromtimestamp(since, UTC)
    parts: dict[str, list[pa.Table]] = defaultdict(list)
    for table in read_predictions(folder, since):
        recent = table.filter(pc.greater_equal(table["time"], begin))
        for version in pc.unique(recent["version"]).to_pylist():
            parts[version].append(recent.filter(pc.equal(recent["version"], version)))
    return {version: _samples(model, tables, analysis, ground_truth) for version, tables in parts.items()}


def _samples(model: Model, tables: list[pa.Table], analysis: Analysis, ground_truth: GroundTruth | None) -> Samples:
    import pyarrow as pa

    kept = [table.select(["id", "entity", "time", "score", "latency_ms", "error"]) for table in tables]
    table = pa.concat_tables(kept, promote_options="permissive")
    requests = np.array([name.rpartition("/")[2] == "0" for name in table["id"].to_pylist()])
    failed = np.array([error is not None for error in table["error"].to_pylist()])
    scored = table.filter(table["score"].is_valid())
    scores = _scores(model, scored["score"].to_pylist())
    firsts = scores if scores.ndim == 1 else scores.max(axis=1)
    places = (
        ground_truth.of_rows(scored, seconds(scored["time"])) if ground_truth is not None else np.full(len(scores), -1)
    )
    known = places >= 0
    happened = ground_truth.labels[places[known]] if ground_truth is not None else np.empty(0)
    return Samples(
        requests=int(requests.sum()),
        errors=int((requests & failed).sum()),
        latencies=np.asarray(table["latency_ms"].to_numpy())[requests & ~failed],
        scores=firsts,
        confidences=_confidences(model, scores),
        losses=_losses(model, scores[known], happened, analysis.label_unit),
    )


def _scores(model: Model, scores: list[Any]) -> Floats:
    if not scores:
        return np.empty((0, len(model.contract.classes))) if model.task == "multiclass" else np.empty(0)
    return np.array(scores, dtype=np.float64)


def _confidences(model: Model, scores: Floats) -> Floats:
    """The probability of the most likely class; empty if scores are not probabilities."""
    if model.task == "binary":
        return np.maximum(scores, 1 - scores)
    return scores.max(axis=1) if model.task == "multiclass" and len(scores) else np.empty(0)


def _losses(model: Model, scores: Floats, happened: Floats, unit: float) -> Floats:
    """Losses in [0, 1]: Brier (binary), 0 or 1 (multiclass), absolute error in units, at most 1 (other tasks)."""
    if not len(scores):
        return np.empty(0)
    if model.task == "multiclass":
        return np.asarray(scores.argmax(axis=1) != happened, dtype=np.float64)
    if model.task == "binary":
        return np.asarray((scores - happened) ** 2, dtype=np.float64)
    return np.asarray(np.minimum(np.abs(scores - happened) / unit, 1.0), dtype=np.float64)
