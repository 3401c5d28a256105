"""Triggers of a retraining, its budget and freezes, and whether its result is worth a review."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from modelyard.manifests.calendar import freeze_on
from modelyard.manifests.model import Retrain
from modelyard.manifests.names import seconds_of
from modelyard.metrics.drift import Drift
from modelyard.metrics.evaluation import Evaluation

Trigger = Literal["data", "drift", "decay", "age"]
_DRIFT = ("inputs", "scores", "outliers", "confidence")
Cause = Literal["manual", "schedule", "drift", "due"]


@dataclass(frozen=True)
class Failed:
    """A watch that failed in the newest window of an environment."""

    environment: str
    check: str
    kind: str
    sentence: str
    until: str


@dataclass(frozen=True)
class PastRun:
    """A retraining that ran the training."""

    at: float
    """Seconds since 1970."""
    seconds: float
    """How long it took."""


@dataclass(frozen=True)
class Situation:
    """What the triggers are judged by, before anything is trained."""

    now: float
    """Seconds since 1970."""
    champion: str
    """Its version; '' before the first."""
    champion_at: float
    """When it was registered, seconds since 1970."""
    new_rows: int
    """Labelled rows of increments on main that are newer than the champion."""
    failed: tuple[Failed, ...]
    runs: tuple[PastRun, ...]


@dataclass(frozen=True)
class Due:
    """Why a retraining is due; it is not due without reasons."""

    reasons: tuple[tuple[Trigger, str], ...]
    """Trigger and sentence."""
    held: str
    """Why it may not run today: a freeze, or a budget that is used up; else ''."""
    spent: str
    """Runs and minutes in the budget's span so far."""


def due(rules: Retrain, situation: Situation) -> Due:
    """The triggers of ``retrain`` in model.yaml applied to a situation."""
    reasons: list[tuple[Trigger, str]] = []
    if situation.champion:
        if rules.new_rows and situation.new_rows >= rules.new_rows:
            said = f"{situation.new_rows:,} labelled rows are newer than {situation.champion}"
            reasons.append(("data", f"{said} (trigger at {rules.new_rows:,})"))
        age = situation.now - situation.champion_at
        if rules.maximum_age and age > seconds_of(rules.maximum_age):
            reasons.append(
                ("age", f"{situation.champion} is {age / 86400:.0f} days old (maximum age {rules.maximum_age})")
            )
    for failed in situation.failed:
        said = f"{failed.check} failed in {failed.environment} in the window until {failed.until}"
        said += f": {failed.sentence.rstrip('.')}"
        if failed.kind == "quality" and rules.on_decay:
            reasons.append(("decay", said))
        elif failed.kind in _DRIFT and rules.on_drift:
            reasons.append(("drift", said))
    spent, over = _spent(rules, situation)
    freeze = freeze_on(rules.freezes, datetime.fromtimestamp(situation.now, UTC).date())
    return Due(tuple(reasons), f"Retraining is frozen: {freeze.why}" if freeze else over, spent)


@dataclass(frozen=True)
class Hindrance:
    """Why a retraining is not run or not proposed."""

    done: Literal["not proposed", "held"]
    why: str


def hindrance(cause: Cause, now: Due, *, trained_here: bool) -> Hindrance | None:
    """Why a model is not retrained now for that cause; None where it is. A ``manual`` run is never hindered."""
    if cause == "due" and not now.reasons:
        return Hindrance("not proposed", "Nothing is due: no trigger of model.yaml holds.")
    if cause != "manual" and now.held:
        return Hindrance("held", now.held)
    if cause != "manual" and not trained_here:
        return Hindrance("not proposed", "It was trained elsewhere, so there is nothing to train.")
    return None


@dataclass(frozen=True)
class Worth:
    """Whether to propose the result, and why or why not, in one sentence."""

    propose: bool
    sentence: str
    gain: float | None = None
    """Of the task's first metric; positive is better. None without a champion."""


def worth_proposing(cause: Cause, evaluation: Evaluation, drift: Drift | None, minimum_gain: float) -> Worth:
    """Whether a candidate is worth a review. Only a ``manual`` run is proposed with a gain below ``minimum_gain``."""
    if evaluation.identical_bytes:
        return Worth(False, "The retraining gave the same bytes as the champion, so there is nothing to propose.")
    drifted = [column.name for column in drift.columns if column.alarm] if drift else []
    if cause == "drift" and not drifted:
        return Worth(False, "No column drifted.")
    metric = evaluation.metrics[0]
    if metric.difference is None:
        return Worth(True, "There is no champion to compare with.")
    gain = metric.difference if metric.higher_is_better else -metric.difference
    found = f"{metric.name} is {'better' if gain >= 0 else 'worse'} by {abs(gain):.4f}"
    if cause == "manual":
        return Worth(True, f"Requested by a person; {found}.", gain)
    if gain < minimum_gain:
        return Worth(False, f"{found}, which is below minimum_gain ({minimum_gain:g}).", gain)
    why = f"{', '.join(drifted[:5])} drifted; " if drifted else ""
    return Worth(True, f"{why}{found}.", gain)


def _spent(rules: Retrain, situation: Situation) -> tuple[str, str]:
    budget = rules.budget
    runs = [run for run in situation.runs if run.at > situation.now - seconds_of(budget.every)]
    minutes = sum(run.seconds for run in runs) / 60
    spent = f"{len(runs)} of {budget.runs} runs"
    spent += f" and {minutes:.0f} of {budget.minutes:g} minutes" if budget.minutes else ""
    spent += f" in {budget.every}"
    over = len(runs) >= budget.runs or (budget.minutes is not None and minutes >= budget.minutes)
    return spent, f"The budget is used up: {spent}." if over else ""
