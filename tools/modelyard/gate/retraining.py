"""Whether a retrained model is worth a reviewer's time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from modelyard.measure.drift import Drift
from modelyard.measure.evaluation import Evaluation

Cause = Literal["manual", "schedule", "drift", "due"]


@dataclass(frozen=True)
class Worth:
    """Whether to propose, and why or why not, in one sentence."""

    propose: bool
    sentence: str
    gain: float | None = None
    """Of the task's first metric; positive is better."""


def worth_proposing(cause: Cause, evaluation: Evaluation, drift: Drift | None, minimum_gain: float) -> Worth:
    """A person who asks gets an answer; a clock or an alarm has to show a gain of at least ``minimum_gain``."""
    if evaluation.identical_bytes:
        return Worth(False, "The same data and code gave the same bytes: there is nothing to propose.")
    drifted = [column.name for column in drift.columns if column.alarm] if drift else []
    if cause == "drift" and not drifted:
        return Worth(False, "No column drifted.")
    metric = evaluation.metrics[0]
    if metric.difference is None:
        return Worth(True, "There is no champion to compare with.")
    gain = metric.difference if metric.higher_is_better else -metric.difference
    found = f"{metric.name} {'better' if gain >= 0 else 'worse'} by {abs(gain):.4f}"
    if cause == "manual":
        return Worth(True, f"Asked for; {found}.", gain)
    if gain < minimum_gain:
        return Worth(False, f"{found}: below the gain of {minimum_gain:g} that is worth a review.", gain)
    why = f"{', '.join(drifted[:5])} drifted; " if drifted else ""
    return Worth(True, f"{why}{found}.", gain)
