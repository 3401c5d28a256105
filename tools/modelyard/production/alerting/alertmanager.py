"""Alerts for Prometheus' Alertmanager (API v2), where an alert expires unless it is sent again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from modelyard.gate.alerts import Alert
from modelyard.metrics.window import Monitoring
from modelyard.production.alerting.interface import post_json


class Alertmanager:
    """One Alertmanager. An alert that is not sent again expires after ``hold`` seconds."""

    def __init__(self, url: str, hold: float) -> None:
        self._url, self._hold = url.rstrip("/"), hold

    def notify(self, alerts: tuple[Alert, ...], monitoring: Monitoring) -> str:
        """Sends the alerts that fire, and ends those that are over."""
        now = datetime.now(UTC)
        body = [_alert(a, now, self._hold) for a in alerts if a.firing or a.changed]
        if not body:
            return ""
        post_json(f"{self._url}/api/v2/alerts", body, f"Alertmanager at {self._url}")
        return f"sent {len(body)} to Alertmanager"


def _alert(alert: Alert, now: datetime, hold: float) -> dict[str, object]:
    # The version is an annotation: as a label, a rollout would make another alert of the same cause.
    labels = {
        "alertname": alert.check.id, "model": alert.model, "environment": alert.environment, "kind": alert.check.kind,
        "severity": alert.severity, "source": "modelyard",
    }  # fmt: skip
    annotations = {"summary": alert.title, "description": alert.check.sentence, "why": alert.check.why,
                   "version": alert.version}  # fmt: skip
    ends = now + timedelta(seconds=hold) if alert.firing else now
    return {"labels": labels, "annotations": annotations, "endsAt": ends.isoformat(timespec="milliseconds")}
