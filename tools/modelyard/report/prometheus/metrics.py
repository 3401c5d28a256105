"""The measurements of a monitored window as Prometheus metrics."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from modelyard.errors import missing_extra
from modelyard.evidence.verdict import Verdict
from modelyard.metrics.window import Monitoring

OUTCOMES = ("pass", "fail", "inconclusive", "waived", "error")


def metrics_text(model: str, monitoring: Monitoring, verdict: Verdict) -> bytes:
    """The metrics in the exposition format."""
    registry = window_registry(model, monitoring, verdict)
    import prometheus_client

    return prometheus_client.generate_latest(registry)


def window_registry(model: str, monitoring: Monitoring, verdict: Verdict) -> Any:
    """A ``CollectorRegistry`` with the metrics. All are gauges, because a window is a state and not a count."""
    try:
        from prometheus_client import CollectorRegistry, Gauge
    except ImportError as error:
        raise missing_extra("alerts", "prometheus-client") from error
    registry = CollectorRegistry()
    common = {"environment": monitoring.environment, "model": model}

    def gauge(name: str, what: str, *labels: str) -> Any:
        return Gauge(f"modelyard_monitor_{name}", what, (*common, *labels), registry=registry)

    gauge("window_end_timestamp_seconds", "End of the newest monitored window.").labels(**common).set(
        datetime.fromisoformat(monitoring.until.replace("Z", "+00:00")).timestamp()
    )
    gauge("rows", "Predictions in the window.", "version").labels(**common, version=monitoring.version).set(
        monitoring.rows
    )
    check = gauge(
        "check",
        "1 for the outcome of a monitoring rule, 0 for the other outcomes.",
        "check",
        "kind",
        "level",
        "outcome",
    )
    for result in verdict.checks:
        for outcome in OUTCOMES:
            labels = {"check": result.id, "kind": result.kind, "level": result.level, "outcome": outcome}
            check.labels(**common, **labels).set(outcome == result.outcome)
    _figures(monitoring, common, gauge)
    return registry


def _figures(monitoring: Monitoring, common: dict[str, str], gauge: Any) -> None:
    if monitoring.drift:
        distance = gauge("drift_distance", "Jensen-Shannon distance to the profile of the version.", "column")
        threshold = gauge(
            "drift_threshold", "Distance above which a column drifted, in windows of this size.", "column"
        )
        for column in monitoring.drift.columns:
            if column.js is not None and column.threshold is not None:
                distance.labels(**common, column=column.name).set(column.js)
                threshold.labels(**common, column=column.name).set(column.threshold)
    if monitoring.outliers:
        gauge("outlier_ratio", "Outlier rate.").labels(**common).set(monitoring.outliers.rate)
    quality = gauge("quality", "A metric by basis: baseline, realised, or estimated without labels.", "metric", "basis")
    for name, value in monitoring.accepted.items():
        quality.labels(**common, metric=name, basis="baseline").set(value)
    for guess in monitoring.estimate.metrics if monitoring.estimate else ():
        quality.labels(**common, metric=guess.name, basis="estimated").set(guess.value)
    if monitoring.realised:
        for metric in monitoring.realised.metrics:
            if metric.candidate is not None:
                quality.labels(**common, metric=metric.name, basis="realised").set(metric.candidate)
        if monitoring.realised.due:
            gauge("labels_missing_ratio", "Share of the due predictions that have no label.").labels(**common).set(
                monitoring.realised.missing / monitoring.realised.due
            )
