"""A window's figures for Prometheus: in a file for the node exporter's textfile collector, or on a Pushgateway."""

from __future__ import annotations

from pathlib import Path

from modelyard.errors import ModelyardError
from modelyard.evidence.verdict import Verdict
from modelyard.files import write_whole
from modelyard.gate.alerts import Alert
from modelyard.metrics.window import Monitoring
from modelyard.report.prometheus.metrics import metrics_text, window_registry

_JOB = "modelyard_monitor"
_SECONDS = 20


def write_metrics(path: Path, model: str, monitoring: Monitoring, verdict: Verdict) -> None:
    """Writes a ``.prom`` file in one rename, so that no scrape reads half of it."""
    write_whole(path, metrics_text(model, monitoring, verdict))


class Pushgateway:
    """One Pushgateway. It receives all figures of every window, not only alerts."""

    def __init__(self, url: str, model: str, verdict: Verdict) -> None:
        self._url, self._model, self._verdict = url, model, verdict

    def notify(self, alerts: tuple[Alert, ...], monitoring: Monitoring) -> str:
        """Replaces the metrics that the gateway holds of this model in this environment."""
        from prometheus_client import push_to_gateway

        group = {"model": self._model, "environment": monitoring.environment}
        registry = window_registry(self._model, monitoring, self._verdict)
        try:
            push_to_gateway(self._url, _JOB, registry, group, timeout=_SECONDS)
        except (OSError, ValueError) as error:  # urllib's errors are OSErrors
            raise ModelyardError(
                f"The Pushgateway at {self._url} did not take the metrics ({type(error).__name__}).",
                "Check alerts.pushgateway in modelyard.yaml; the next run pushes again.",
            ) from error
        return "pushed the window's metrics"
