"""``deployments/<environment>/<model>.yaml``: which version is wanted, and how traffic moves to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, field

from modelyard.errors import near_match
from modelyard.manifests.document import Fault, FieldPath
from modelyard.manifests.model import Model
from modelyard.manifests.names import (
    ColumnName,
    Duration,
    Fraction,
    Manifest,
    Margin,
    Name,
    Text,
    VersionOrLatest,
    VersionText,
    seconds_of,
)

Strategy = Literal["all-at-once", "canary", "blue-green", "shadow"]
Percent = Annotated[float, Meta(ge=0, le=100, description="Percent of the traffic, 0 to 100.")]


class Step(Manifest, frozen=True, kw_only=True):
    """One stay on the way: so much traffic, for so long, until the analysis passes."""

    weight: Percent = 0.0
    hold: Annotated[Duration, Meta(description="The shortest stay.")] = "0s"
    mirror: Annotated[bool, Meta(description="The candidate gets a copy of every request and never answers it.")] = (
        False
    )
    gate: Annotated[
        Literal["automatic", "manual"],
        Meta(description="manual: the next step waits until 'cleared' says so, in a reviewed change of this file."),
    ] = "automatic"


class ErrorAnalysis(Manifest, frozen=True, kw_only=True):
    """The candidate's share of failed requests exceeds the champion's by no more than a margin."""

    margin: Fraction = 0.01


class LatencyAnalysis(Manifest, frozen=True, kw_only=True):
    """A quantile of the candidate's latency stays below a bound, or below so many times the champion's."""

    quantile: Annotated[float, Meta(gt=0, lt=1)] = 0.95
    maximum_ratio: Annotated[float, Meta(gt=0)] | None = None
    maximum_milliseconds: Annotated[float, Meta(gt=0)] | None = None


class MarginAnalysis(Manifest, frozen=True, kw_only=True):
    """A distance to the champion's traffic of the same time stays within a margin."""

    margin: Margin


class Analysis(Manifest, frozen=True, kw_only=True):
    """What has to be shown before the next step. Every test stays valid however often it is looked at."""

    minimum_samples: Annotated[int, Meta(ge=1, description="Requests of each version; with fewer nothing is said.")] = (
        200
    )
    alpha: Annotated[
        float, Meta(gt=0, lt=0.5, description="How often, over a whole rollout, a sound candidate may go back.")
    ] = 0.05
    errors: ErrorAnalysis | None = None
    latency: LatencyAnalysis | None = None
    scores: (
        Annotated[MarginAnalysis, Meta(description="Largest distance between the two distributions of scores.")] | None
    ) = None
    confidence: (
        Annotated[MarginAnalysis, Meta(description="How far the mean confidence (classification) may fall.")] | None
    ) = None
    ground_truth: (
        Annotated[MarginAnalysis, Meta(description="How far the loss (Brier; regression: see unit) may grow.")] | None
    ) = None
    label_unit: Annotated[
        float, Meta(gt=0, description="Regression: an absolute error of this much, or more, counts as a loss of 1.")
    ] = 1.0


class Cleared(Manifest, frozen=True, kw_only=True):
    """Somebody looked: manual gates up to a weight are open, for one version."""

    version: VersionText
    weight: Percent


class Rollout(Manifest, frozen=True, kw_only=True):
    """How traffic moves to a new version."""

    strategy: Strategy = "all-at-once"
    steps: Annotated[
        list[Step], Meta(max_length=8, description="canary: growing weights; blue-green and shadow: stays at 0.")
    ] = field(default_factory=list)
    keep: Annotated[
        Duration, Meta(description="blue-green: how long the old version stays ready, and the new one is watched.")
    ] = "1h"
    deadline: Annotated[Duration, Meta(description="A rollout that has not ended by then goes back.")] = "24h"
    key: Annotated[
        ColumnName | None,
        Meta(description="The input, or the contract's id (default), by which a caller stays with one version."),
    ] = None
    analysis: Analysis | None = None
    cleared: Cleared | None = None


class Deployment(Manifest, frozen=True, kw_only=True):
    """The desired state of one model in one environment."""

    model: Name
    version: VersionOrLatest
    rollout: Rollout = field(default_factory=Rollout)
    readmit: Annotated[
        list[Text],
        Meta(description="Tags of rollbacks that are forgiven (churn#production#7): their bytes may be tried again."),
    ] = field(default_factory=list)


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
    if model and analysis.ground_truth and model.task == "ranking":
        yield (
            (*where, "ground_truth"),
            "one outcome does not tell how good a ranking is.",
            "Use errors, latency or scores.",
        )
