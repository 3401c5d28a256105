"""Measured and judged windows, made by hand, for tests that need no repository and no log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from modelyard.evidence.verdict import CheckResult, Outcome, Verdict
from modelyard.metrics.drift import ColumnDrift, Drift
from modelyard.metrics.evaluation import MetricResult
from modelyard.metrics.intervals import Interval, wilson
from modelyard.metrics.outliers import Outliers
from modelyard.metrics.window import Day, Latency, Monitoring, Realised, Served

UNTIL = "2026-05-08T00:00:00Z"
NOTHING = Monitoring(
    environment="production",
    version="v1.0.0",
    since="2026-05-01T00:00:00Z",
    until=UNTIL,
    rows=9000,
    served=(
        Served(
            version="v1.0.0",
            variant="champion",
            requests=9000,
            errors=0,
            rows=9000,
            share=1.0,
            latency=Latency(2.0, 3.0, 4.0),
        ),
    ),
    days=(),
    burns=(),
    drift=None,
    outliers=None,
    confidence=None,
    estimate=None,
    expected=None,
    realised=None,
    accepted={},
)
"""A window of 9,000 predictions of which nothing was measured."""


def window(**changes: Any) -> Monitoring:
    """That window with some of its measurements."""
    return replace(NOTHING, **changes)


def days(*rows: int) -> tuple[Day, ...]:
    """Days from 1 May on with so many answered rows each."""
    return tuple(
        Day(day=f"2026-05-{n:02}", rows=count, errors=0, mean_score=None) for n, count in enumerate(rows, start=1)
    )


def column(name: str, **changes: Any) -> ColumnDrift:
    """A column that did not drift."""
    steady: dict[str, Any] = {
        "name": name, "type": "float", "state": "stable", "role": "input", "alarm": False, "js": 0.01, "threshold": 0.1,
        "psi": 0.0, "hellinger": 0.0, "total_variation": 0.0, "p_value": 0.5, "significant": False, "exact": None,
        "shift": 0.0, "importance": None, "consequence": None, "missing_reference": 0.0, "missing_current": 0.0,
        "new_level_share": 0.0, "out_of_range_share": 0.0, "bins": (),
    }  # fmt: skip
    return ColumnDrift(**(steady | changes))


def drift(*columns: ColumnDrift) -> Drift:
    """Drift of those columns against the version's profile."""
    return Drift("v1.0.0", 10_000, 9000, columns)


def outlier_rate(found: int, rows: int = 9000) -> Outliers:
    """So many outliers among so many rows."""
    return Outliers(rows, found, found / rows, wilson(found, rows))


def realised(
    metric: str, value: float, half: float, labels: int = 1000, *, higher_is_better: bool = True, **more: Any
) -> Realised:
    """Realised quality whose interval reaches ``half`` to both sides."""
    found = MetricResult(
        name=metric,
        higher_is_better=higher_is_better,
        candidate=value,
        champion=None,
        difference=None,
        interval=Interval(value - half, value + half),
        method="bootstrap",
    )
    counts: dict[str, Any] = {"due": labels, "labelled": labels, "missing": 0, "oldest_missing_days": None} | more
    return Realised(**counts, metrics=(found,))


def check(id: str, outcome: Outcome = "fail", **changes: Any) -> CheckResult:
    """The result of a watch."""
    parts: dict[str, Any] = {
        "id": id, "kind": "scores", "level": "soft", "outcome": outcome, "sentence": f"{id} was measured.",
        "why": "Decisions follow the scores.", "file": "policies/standard.yaml", "line": 7,
    }  # fmt: skip
    return CheckResult(**(parts | changes))


def verdict(*checks: CheckResult, outcome: Outcome = "fail") -> Verdict:
    """A verdict of those checks."""
    return Verdict(outcome=outcome, policy="standard", policy_file="policies/standard.yaml", checks=checks, evidence={})
