"""Alerts of a judged window: causes that hold and causes that are over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from modelyard.evidence.verdict import CheckResult, Outcome, Verdict
from modelyard.metrics.window import Monitoring

Severity = Literal["critical", "warning"]
_HOLDS = ("fail", "error")


@dataclass(frozen=True)
class Alert:
    """One cause: a watch that fails for one model in one environment, or that passed after it had failed."""

    model: str
    environment: str
    version: str
    check: CheckResult
    firing: bool
    """Whether the watch failed in this window."""
    changed: bool
    """Whether the cause began or ended with this window."""
    until: str
    """The window's end, RFC 3339 in UTC."""

    @property
    def key(self) -> str:
        """The key of the cause; it does not change with version and window."""
        return alert_key(self.environment, self.model, self.check.id)

    @property
    def severity(self) -> Severity:
        """Critical for a hard rule, a warning for a soft one."""
        return "critical" if self.check.level == "hard" else "warning"

    @property
    def title(self) -> str:
        """One line for an issue or a message."""
        return f"{self.model} in {self.environment}: {self.check.id}"


def alerts_of(model: str, monitoring: Monitoring, verdict: Verdict, before: Mapping[str, Outcome]) -> tuple[Alert, ...]:
    """The alerts of a window. ``before`` holds each check's last outcome, in earlier windows, that was conclusive.

    Advisory rules raise no alert. An inconclusive check gives none either: its cause neither begins nor ends.
    """
    found = []
    for check in verdict.checks:
        if check.level == "advisory" or check.outcome == "inconclusive":
            continue
        firing, fired = check.outcome in _HOLDS, before.get(check.id) in _HOLDS
        found.append(
            Alert(
                model=model,
                environment=monitoring.environment,
                version=monitoring.version,
                check=check,
                firing=firing,
                changed=firing != fired,
                until=monitoring.until,
            )
        )
    return tuple(found)


def alert_key(environment: str, model: str, check: str) -> str:
    """The key of a cause: environment/model/check."""
    return f"{environment}/{model}/{check}"
