"""The ``modelCard`` of a CycloneDX ML-BOM (1.6): parameters, measured performance, limits of use."""

from __future__ import annotations

from typing import Any

from modelyard.manifests.contract import flavor_in
from modelyard.metrics.evaluation import MetricResult
from modelyard.report.markdown.card import Card

_TASKS = {
    "binary": "classification", "multiclass": "classification", "regression": "regression", "ranking": "ranking",
}  # fmt: skip


def model_card(card: Card, datasets: list[str]) -> dict[str, Any]:
    """The card; ``datasets`` are the references of the training data among the components."""
    manifest, evaluation = card.model, card.bundle.evaluation
    found: dict[str, Any] = {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": _TASKS[manifest.task],
            **({"architectureFamily": flavor.name} if (flavor := flavor_in(manifest)) else {}),
            "datasets": [{"ref": one} for one in datasets],
            "inputs": [{"format": f"{column.name}: {column.type}"} for column in manifest.contract.inputs],
            "outputs": [{"format": f"{manifest.contract.label}: {manifest.task}"}],
        }
    }
    if evaluation:
        measured = [_measured(metric, "") for metric in evaluation.metrics]
        for part in evaluation.slices:
            measured += [_measured(metric, f"{part.column} = {part.level}") for metric in part.metrics]
        found["quantitativeAnalysis"] = {"performanceMetrics": [one for one in measured if one]}
    if limits := manifest.limitations.strip():
        found["considerations"] = {"technicalLimitations": [limits]}
    return found


def _measured(metric: MetricResult, part: str) -> dict[str, Any]:
    """The candidate's value, with its own interval where the evidence has one; empty where it is undefined."""
    if metric.candidate is None:
        return {}
    found: dict[str, Any] = {"type": metric.name, "value": f"{metric.candidate:.6g}"}
    if part:
        found["slice"] = part
    if metric.interval and metric.champion is None:  # otherwise it is the interval of a difference
        low, high = metric.interval.low, metric.interval.high
        found["confidenceInterval"] = {"lowerBound": f"{low:.6g}", "upperBound": f"{high:.6g}"}
    return found
