"""Alerts as JSON for any web address; Slack, Mattermost and Google Chat show its ``text``."""

from __future__ import annotations

from modelyard.gate.alerts import Alert
from modelyard.metrics.window import Monitoring
from modelyard.production.alerting.interface import post_json


class Webhook:
    """One address; ``reference`` names its secret in errors."""

    def __init__(self, url: str, reference: str) -> None:
        self._url, self._reference = url, reference

    def notify(self, alerts: tuple[Alert, ...], monitoring: Monitoring) -> str:
        """Sends the causes that began or ended since the window before; no request when there are none."""
        changed = [alert for alert in alerts if alert.changed]
        if not changed:
            return ""
        lines = [f"{'FIRING' if a.firing else 'RESOLVED'}: {a.title}: {a.check.sentence}" for a in changed]
        body = {"text": "\n".join(lines), "since": monitoring.since, "until": monitoring.until,
                "alerts": [_plain(alert) for alert in changed]}  # fmt: skip
        post_json(self._url, body, f"The webhook {self._reference}")
        return f"sent {len(changed)} to the webhook"


def _plain(alert: Alert) -> dict[str, object]:
    return {
        "key": alert.key, "status": "firing" if alert.firing else "resolved", "severity": alert.severity,
        "model": alert.model, "environment": alert.environment, "version": alert.version, "check": alert.check.id,
        "kind": alert.check.kind, "sentence": alert.check.sentence, "why": alert.check.why,
    }  # fmt: skip
