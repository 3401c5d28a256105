"""What a judged window means for those on call: causes that hold, and causes that are over."""

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
    """One watch that fails for one model in one environment, or that has stopped failing."""

    model: str
    environment: str
    version: str
    check: CheckResult
    firing: bool
    """False: it passed in this window."""
    changed: bool
    """Whether the window before this one said otherwise."""
    until: str
    """The window's end, RFC 3339."""

    @property
    def key(self) -> str:
        """The same for as long as the cause is the same, whichever version and window it is seen in."""
        return alert_key(self.environment, self.model, self.check.id)

    @property
    def severity(self) -> Severity:
        """Of a hard rule critical, of a soft one a warning."""
        return "critical" if self.check.level == "hard" else "warning"

    @property
    def title(self) -> str:
        """One line for an issue or a message."""
        return f"{self.model} in {self.environment}: {self.check.id}"


def alerts_of(model: str, monitoring: Monitoring, verdict: Verdict, before: Mapping[str, Outcome]) -> tuple[Alert, ...]:
    """Causes that hold or are over. ``before`` has each check's last settled outcome in the windows before.

    An advisory rule alerts nobody. An inconclusive one says nothing: what held before goes on holding.
    """
    found = []
    for check in verdict.checks:
        if check.level == "advisory" or check.outcome == "inconclusive":
            continue
        firing, fired = check.outcome in _HOLDS, before.get(check.id) in _HOLDS
        found.append(
            Alert(model, monitoring.environment, monitoring.version, check, firing, firing != fired, monitoring.until)
        )
    return tuple(found)


def alert_key(environment: str, model: str, check: str) -> str:
    """What names a cause: environment/model/check."""
    return f"{environment}/{model}/{check}"
