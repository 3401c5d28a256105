"""A window's figures for Prometheus: a file for the node exporter's textfile collector, or a push gateway."""

from __future__ import annotations

from pathlib import Path

from modelyard.errors import ModelyardError
from modelyard.evidence.verdict import Verdict
from modelyard.files import write_whole
from modelyard.metrics.window import Monitoring
from modelyard.report.prometheus.metrics import _registry, metrics_text

_JOB = "modelyard_monitor"


def write_metrics(path: Path, model: str, monitoring: Monitoring, verdict: Verdict) -> None:
    """Writes a ``.prom`` file at once, so that a scrape never sees half of one."""
    write_whole(path, metrics_text(model, monitoring, verdict))


def push_metrics(url: str, model: str, monitoring: Monitoring, verdict: Verdict) -> None:
    """Replaces what the gateway holds of this model in this environment."""
    from prometheus_client import push_to_gateway

    group = {"model": model, "environment": monitoring.environment}
    try:
        push_to_gateway(url, _JOB, _registry(model, monitoring, verdict), group, timeout=20)
    except (OSError, ValueError) as error:  # urllib's errors are OSErrors
        raise ModelyardError(
            f"The push gateway at {url} did not take the metrics ({type(error).__name__}).",
            "Check alerts.pushgateway in modelyard.yaml; the next run pushes again.",
        ) from error
