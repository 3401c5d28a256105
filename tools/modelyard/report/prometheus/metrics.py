"""A window's figures in Prometheus' exposition format."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from modelyard.errors import missing_extra
from modelyard.evidence.verdict import Verdict
from modelyard.metrics.window import Monitoring

OUTCOMES = ("pass", "fail", "inconclusive", "waived", "error")


def metrics_text(model: str, monitoring: Monitoring, verdict: Verdict) -> bytes:
    """The exposition format. Gauges: a window is a state, not a count."""
    import prometheus_client

    return prometheus_client.generate_latest(_registry(model, monitoring, verdict))


def _registry(model: str, monitoring: Monitoring, verdict: Verdict) -> Any:
    try:
        from prometheus_client import CollectorRegistry, Gauge
    except ImportError as error:
        raise missing_extra("alerts", "prometheus-client") from error
    registry = CollectorRegistry()
    common = {"environment": monitoring.environment, "model": model}

    def gauge(name: str, what: str, *labels: str) -> Any:
        return Gauge(f"modelyard_monitor_{name}", what, (*common, *labels), registry=registry)

    gauge("window_end_timestamp_seconds", "End of the newest judged window.").labels(**common).set(
        datetime.fromisoformat(monitoring.until.replace("Z", "+00:00")).timestamp()
    )
    gauge("rows", "Predictions in the window.", "version").labels(**common, version=monitoring.version).set(
        monitoring.rows
    )
    check = gauge("check", "1 for the outcome that a watch has.", "check", "kind", "level", "outcome")
    for result in verdict.checks:
        for outcome in OUTCOMES:
            labels = {"check": result.id, "kind": result.kind, "level": result.level, "outcome": outcome}
            check.labels(**common, **labels).set(outcome == result.outcome)
    _figures(monitoring, common, gauge)
    return registry


def _figures(monitoring: Monitoring, common: dict[str, str], gauge: Any) -> None:
    if monitoring.drift:
        distance = gauge("drift_distance", "Jensen-Shannon distance to the version's own profile.", "column")
        threshold = gauge("drift_threshold", "Beyond it a distance is an alarm, in windows of this size.", "column")
        for column in monitoring.drift.columns:
            if column.js is not None and column.threshold is not None:
                distance.labels(**common, column=column.name).set(column.js)
                threshold.labels(**common, column=column.name).set(column.threshold)
    if monitoring.outliers:
        gauge("outlier_ratio", "Rows unlike those learnt from.").labels(**common).set(monitoring.outliers.rate)
    quality = gauge("quality", "A metric: accepted, realised, or estimated without ground truth.", "metric", "basis")
    for name, value in monitoring.accepted.items():
        quality.labels(**common, metric=name, basis="accepted").set(value)
    for guess in monitoring.estimate.metrics if monitoring.estimate else ():
        quality.labels(**common, metric=guess.name, basis="estimated").set(guess.value)
    if monitoring.realised:
        for metric in monitoring.realised.metrics:
            if metric.candidate is not None:
                quality.labels(**common, metric=metric.name, basis="realised").set(metric.candidate)
        if monitoring.realised.due:
            gauge("labels_missing_ratio", "Due predictions without an outcome.").labels(**common).set(
                monitoring.realised.missing / monitoring.realised.due
            )
