"""Versions other than the champion that a policy compares candidates with."""

from __future__ import annotations

from modelyard.checkout.checkout import ModelView
from modelyard.manifests.policy import BestOf, ChampionCheck, Policy
from modelyard.manifests.rules import checks_for
from modelyard.metrics.scores import TASKS
from modelyard.registry.history import ModelHistory, RegisteredVersion


def baselines_of(view: ModelView, policy: Policy) -> dict[str, RegisteredVersion]:
    """Name of the opponent, as a check has it → the version. Empty for a first version.

    UsageError for a pinned version that was never registered.
    """
    model = view.manifest
    found: dict[str, RegisteredVersion] = {}
    for check in checks_for(policy, model):
        if not isinstance(check, ChampionCheck) or check.baseline is None or not view.history.versions:
            continue
        if isinstance(check.baseline, BestOf):
            best = best_of(view.history, check.metric, check.baseline.best_of, model.task)
            if best is not None:
                found[check.opponent] = best
        else:
            found[check.opponent] = view.version(check.baseline)
    return found


def best_of(history: ModelHistory, metric: str, count: int, task: str) -> RegisteredVersion | None:
    """The version with the best registered value among the newest ones in use of the same major; None without any.

    A new major has another contract, so its holdout need not have the columns of an older one.
    """
    newest = history.latest
    if newest is None:
        return None
    lower = {one.name for one in TASKS[task].metrics if not one.higher_is_better}
    alike = [known for known in history.versions[-count:] if known.version.release[0] == newest.version.release[0]]
    valued = [
        (known.record.metrics[metric], known) for known in alike if known.record and metric in known.record.metrics
    ]
    if not valued:
        return newest
    sign = -1 if metric in lower else 1
    return max(valued, key=lambda one: (sign * one[0], one[1].version.order))[1]
