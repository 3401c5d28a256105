"""Alerts as issues on the forge: one per cause, refreshed with every window and closed when the cause is over."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.forges.interface import PullForge, is_marked
from modelyard.gate.alerts import Alert, alert_key
from modelyard.metrics.window import Monitoring
from modelyard.report.markdown.bodies import render_cause
from modelyard.report.markdown.safe import text


class Issues:
    """The issues of one model. ``watches`` are the checks that its policy has now."""

    def __init__(self, forge: PullForge, model: str, owners: Sequence[str], watches: Sequence[str], run: str) -> None:
        self._forge, self._model, self._owners, self._watches, self._run = forge, model, owners, watches, run

    def notify(self, alerts: tuple[Alert, ...], monitoring: Monitoring) -> str:
        """Opens, refreshes and closes issues of this model in this environment; other issues are not touched."""
        done = []
        for alert in (alert for alert in alerts if alert.firing):
            issue, new = self._forge.write_issue(alert.title, self._body(alert, monitoring), _marker(alert.key))
            done.append(f"{'opened' if new else 'refreshed'} issue {issue.number}: {alert.check.id}")
        over = {_marker(alert.key): alert for alert in alerts if not alert.firing}
        kept = [_marker(alert_key(monitoring.environment, self._model, watch)) for watch in self._watches]
        mine = _marker(alert_key(monitoring.environment, self._model, "")).removesuffix(" -->")
        for issue in self._forge.open_issues():
            if not issue.body.startswith(mine):
                continue
            passed = next((alert for marker, alert in over.items() if is_marked(issue.body, marker)), None)
            if passed is not None:
                said = f"Resolved: {text(passed.check.sentence, 2000)} (window until {passed.until}, {passed.version})"
            elif not any(is_marked(issue.body, marker) for marker in kept):
                said = "The policy has no such rule any more."
            else:
                continue
            self._forge.close_issue(issue.number, said)
            done.append(f"closed issue {issue.number}: {issue.title}")
        return "; ".join(done)

    def _body(self, alert: Alert, monitoring: Monitoring) -> str:
        owners = " ".join(owner for owner in self._owners if owner.startswith("@"))
        lines = [
            _marker(alert.key),
            render_cause(self._model, monitoring, alert.check),
            "",
            f"**To do:** {REMEDIES.get(alert.check.kind, 'Look at the window: `modelyard monitor`.')}",
            "",
            *([f"Owners: {owners}", ""] if owners else []),
            "<sub>modelyard refreshes this issue with every window and closes it when the watch passes. Edits of this"
            f" text are overwritten.{f' [run]({self._run})' if self._run else ''}</sub>",
        ]
        return "\n".join(lines)


def _marker(key: str) -> str:
    return f"<!-- modelyard:alert {key} -->"


REMEDIES = {
    "inputs": "Find out why the inputs drifted. `modelyard propose MODEL --cause drift` retrains on the newest data.",
    "scores": "Look for input drift first. Score drift alone means that callers or the version changed.",
    "outliers": "Look at the outliers: `modelyard feedback sample MODEL --env ENV` writes them to a file.",
    "confidence": "Label some uncertain rows: `modelyard feedback sample MODEL --env ENV` picks them.",
    "service": "Look at the server's log. `modelyard rollback MODEL --env ENV` sends traffic to the version before.",
    "traffic": "Ask the callers, and check with `modelyard status` that the version serves.",
    "quality": "Retrain with `modelyard propose MODEL`, or go back with `modelyard rollback MODEL --env ENV`.",
    "ground_truth": "Find out why labels are late. Without labels the quality of the model is unknown.",
}
