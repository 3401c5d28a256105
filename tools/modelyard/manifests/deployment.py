"""``deployments/<environment>/<model>.yaml``: the desired version of a model, and how traffic moves to it."""

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
    SchemaManifest,
    Text,
    VersionOrLatest,
    VersionText,
    seconds_of,
)

Strategy = Literal["all-at-once", "canary", "blue-green", "shadow"]
Percent = Annotated[float, Meta(ge=0, le=100, description="Percent of the traffic, 0 to 100.")]


class Step(Manifest, frozen=True, kw_only=True):
    """One step of a rollout: a share of the traffic, held for a time and until the analysis passes."""

    weight: Percent = 0.0
    hold: Annotated[Duration, Meta(description="The shortest time of this step.")] = "0s"
    mirror: Annotated[
        bool, Meta(description="The candidate gets a copy of every request; its answers are not sent to the caller.")
    ] = False
    gate: Annotated[
        Literal["automatic", "manual"],
        Meta(description="manual: the next step starts after a reviewed change of 'cleared' in this file."),
    ] = "automatic"


class ErrorAnalysis(Manifest, frozen=True, kw_only=True):
    """The candidate's error rate is above the champion's by at most a margin."""

    margin: Fraction = 0.01


class LatencyAnalysis(Manifest, frozen=True, kw_only=True):
    """A quantile of the candidate's latency is within a limit in milliseconds, or within a ratio to the champion's."""

    quantile: Annotated[float, Meta(gt=0, lt=1)] = 0.95
    maximum_ratio: Annotated[float, Meta(gt=0)] | None = None
    maximum_milliseconds: Annotated[float, Meta(gt=0)] | None = None


class MarginAnalysis(Manifest, frozen=True, kw_only=True):
    """A distance to the champion's traffic of the same time is within a margin."""

    margin: Margin


class Analysis(Manifest, frozen=True, kw_only=True):
    """The tests that must pass before the next step. They are sequential: repeated looks keep the error rate."""

    minimum_samples: Annotated[
        int, Meta(ge=1, description="Requests of each version that a test needs; with fewer it is inconclusive.")
    ] = 200
    alpha: Annotated[
        float, Meta(gt=0, lt=0.5, description="Highest probability that a whole rollout takes a sound candidate back.")
    ] = 0.05
    errors: ErrorAnalysis | None = None
    latency: LatencyAnalysis | None = None
    scores: (
        Annotated[MarginAnalysis, Meta(description="Largest distance between the two score distributions.")] | None
    ) = None
    confidence: (
        Annotated[MarginAnalysis, Meta(description="Classification: allowed drop of the mean confidence.")] | None
    ) = None
    ground_truth: (
        Annotated[
            MarginAnalysis,
            Meta(description="Allowed growth of the loss on labelled rows (Brier score; regression: see label_unit)."),
        ]
        | None
    ) = None
    label_unit: Annotated[
        float, Meta(gt=0, description="Regression: an absolute error of this size or larger is a loss of 1.")
    ] = 1.0


class Cleared(Manifest, frozen=True, kw_only=True):
    """The manual gates that are open: for one version, up to a weight."""

    version: VersionText
    weight: Percent


class Rollout(Manifest, frozen=True, kw_only=True):
    """How traffic moves to a new version."""

    strategy: Strategy = "all-at-once"
    steps: Annotated[
        list[Step], Meta(max_length=8, description="canary: growing weights; blue-green and shadow: weight 0.")
    ] = field(default_factory=list)
    keep: Annotated[
        Duration, Meta(description="blue-green: how long the old version is kept ready while the new one is analysed.")
    ] = "1h"
    deadline: Annotated[Duration, Meta(description="A rollout that takes longer is rolled back.")] = "24h"
    key: Annotated[
        ColumnName | None,
        Meta(description="The input that assigns a caller to one version. Default: the contract's id."),
    ] = None
    analysis: Analysis | None = None
    cleared: Cleared | None = None


class Deployment(SchemaManifest, frozen=True, kw_only=True):
    """The desired state of one model in one environment."""

    model: Name
    version: VersionOrLatest
    rollout: Rollout = field(default_factory=Rollout)
    readmit: Annotated[
        list[Text],
        Meta(description="Tags of rollbacks, such as churn#production#7, whose artifacts may be deployed again."),
    ] = field(default_factory=list)


def rollout_faults(deployment: Deployment, environment: str, model: Model | None) -> Iterator[Fault]:
    """Every fault of a deployment to an environment. Faults that need the model are left out when it is None."""
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
            what = f"{tag!r} is not a tag of a rollback of {deployment.model} in {environment}."
            yield (
                ("readmit", i),
                what,
                f"Write it as {deployment.model}#{environment}#7; modelyard status shows the tag.",
            )


def _steps(rollout: Rollout) -> Iterator[Fault]:
    before = -1.0
    for i, step in enumerate(rollout.steps):
        where: FieldPath = ("rollout", "steps", i)
        if rollout.strategy == "all-at-once":
            yield where, "all-at-once has no steps.", "Choose canary, blue-green or shadow, or remove the steps."
        elif rollout.strategy in ("blue-green", "shadow") and step.weight:
            what = f"{rollout.strategy} moves all traffic at once, so a step has no weight."
            yield (*where, "weight"), what, "Remove the weight, or choose canary."
        elif rollout.strategy == "canary" and step.weight <= before and not (step.mirror and not step.weight):
            what = f"{step.weight:g} % is not more than the {before:g} % of the step before."
            yield (*where, "weight"), what, "Give each step a larger weight than the step before."
        elif rollout.strategy == "canary" and not step.weight and not step.mirror:
            yield (
                (*where, "weight"),
                "is 0, so the step has no traffic to analyse.",
                "Give it a weight, or mirror: true.",
            )
        before = max(before, step.weight)


def _durations(rollout: Rollout) -> Iterator[Fault]:
    if rollout.strategy == "all-at-once":
        return
    stays = sum(seconds_of(step.hold) for step in rollout.steps)
    if rollout.strategy == "blue-green":
        stays += seconds_of(rollout.keep)
    if stays >= seconds_of(rollout.deadline):
        what = f"{rollout.deadline} is not longer than the steps, so every rollout would be rolled back."
        yield ("rollout", "deadline"), what, "Shorten the holds, or set a longer deadline."


def _analysis(rollout: Rollout, model: Model | None) -> Iterator[Fault]:
    analysis = rollout.analysis
    if analysis is None:
        return
    where: FieldPath = ("rollout", "analysis")
    if rollout.strategy == "all-at-once":
        yield where, "all-at-once has no step to analyse.", "Choose canary, blue-green or shadow."
    latency = analysis.latency
    if latency and latency.maximum_ratio is None and latency.maximum_milliseconds is None:
        yield (*where, "latency"), "sets no limit.", "Add maximum_ratio or maximum_milliseconds."
    if model and analysis.confidence and model.task not in ("binary", "multiclass"):
        yield (*where, "confidence"), f"the scores of a {model.task} model are not probabilities.", "Use scores."
    if model and analysis.ground_truth and model.task == "ranking":
        yield (
            (*where, "ground_truth"),
            "one label does not measure the quality of a ranking.",
            "Use errors, latency or scores.",
        )
