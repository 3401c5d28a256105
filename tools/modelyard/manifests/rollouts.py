"""Faults of one deployment's rollout: steps that cannot be taken, tests that can say nothing, ways that never end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from modelyard.manifests.deployment import Deployment, Rollout
from modelyard.manifests.document import FieldPath
from modelyard.manifests.environment import Freeze
from modelyard.manifests.names import seconds_of
from modelyard.manifests.problems import near_match
from modelyard.manifests.schema import Model

Fault = tuple[FieldPath, str, str]
"""Where in the file, what is wrong with it, what to do."""


def rollout_faults(deployment: Deployment, environment: str, model: Model | None) -> Iterator[Fault]:
    """Every fault of a deployment to an environment; those that need the model only where it could be read."""
    rollout = deployment.rollout
    yield from _steps(rollout)
    yield from _durations(rollout)
    yield from _analysis(rollout, model)
    if model and rollout.key is not None:
        keys = [*(column.name for column in model.contract.inputs), model.contract.id]
        if rollout.key not in keys:
            what = f"{rollout.key!r} is neither an input nor the id of the contract."
            yield ("rollout", "key"), what, near_match(rollout.key, keys)
    for i, tag in enumerate(deployment.readmit):
        if not re.fullmatch(rf"{re.escape(f'{deployment.model}#{environment}')}#\d+", tag):
            what = f"{tag!r} is no tag of a rollback of {deployment.model} in {environment}."
            yield ("readmit", i), what, f"It reads {deployment.model}#{environment}#7; see: modelyard status"


def freeze_faults(freezes: Sequence[Freeze]) -> Iterator[Fault]:
    """Freezes that begin after their end, or never end."""
    for i, freeze in enumerate(freezes):
        if freeze.first and freeze.last and freeze.first > freeze.last:
            yield ("freezes", i, "last"), f"{freeze.last} is before {freeze.first}.", "Let the freeze end later."
        if not (freeze.last or freeze.days):
            yield ("freezes", i), "never ends.", "Give it a last day, or days of the week."


def _steps(rollout: Rollout) -> Iterator[Fault]:
    before = -1.0
    for i, step in enumerate(rollout.steps):
        where: FieldPath = ("rollout", "steps", i)
        if rollout.strategy == "all-at-once":
            yield where, "all-at-once has no steps.", "Choose canary, blue-green or shadow, or remove the steps."
        elif rollout.strategy in ("blue-green", "shadow") and step.weight:
            what = f"{rollout.strategy} gives the candidate no part of the traffic before it has all of it."
            yield (*where, "weight"), what, "Remove the weight, or choose canary."
        elif rollout.strategy == "canary" and step.weight <= before and not (step.mirror and not step.weight):
            what = f"{step.weight:g} % is not more than the {before:g} % of the step before."
            yield (*where, "weight"), what, "Let the weights grow."
        elif rollout.strategy == "canary" and not step.weight and not step.mirror:
            yield (*where, "weight"), "is 0, so the step shows nothing.", "Give it a weight, or mirror: true."
        before = max(before, step.weight)


def _durations(rollout: Rollout) -> Iterator[Fault]:
    if rollout.strategy == "all-at-once":
        return
    stays = sum(seconds_of(step.hold) for step in rollout.steps)
    if rollout.strategy == "blue-green":
        stays += seconds_of(rollout.keep)
    if stays >= seconds_of(rollout.deadline):
        what = f"{rollout.deadline} is over before the steps are, so every rollout would go back."
        yield ("rollout", "deadline"), what, "Shorten the holds, or set a later deadline."


def _analysis(rollout: Rollout, model: Model | None) -> Iterator[Fault]:
    analysis = rollout.analysis
    if analysis is None:
        return
    where: FieldPath = ("rollout", "analysis")
    if rollout.strategy == "all-at-once":
        yield where, "all-at-once has no step that could be analysed.", "Choose canary, blue-green or shadow."
    latency = analysis.latency
    if latency and latency.maximum_ratio is None and latency.maximum_milliseconds is None:
        yield (*where, "latency"), "bounds nothing.", "Add maximum_ratio or maximum_milliseconds."
    if model and analysis.confidence and model.task not in ("binary", "multiclass"):
        yield (*where, "confidence"), f"the scores of a {model.task} model are no probabilities.", "Use scores."
    if model and analysis.outcomes and model.task == "ranking":
        yield (*where, "outcomes"), "one outcome does not tell how good a ranking is.", "Use errors, latency or scores."
