"""The rules a version is watched by while it serves: one class a kind of watch."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from modelyard.manifests.base import Count, Fraction, Margin
from modelyard.manifests.check import Check, Metric
from modelyard.manifests.names import Duration


class InputsWatch(Check, frozen=True, kw_only=True, tag="inputs"):
    """The inputs are still like those the version learnt from, in windows of this size."""

    maximum_alarm_share: Annotated[Fraction, Meta(description="Share of inputs whose drift is an alarm.")]


class ScoresWatch(Check, frozen=True, kw_only=True, tag="scores"):
    """The version's scores are still distributed as on its own held-out rows."""

    maximum_distance: Annotated[Margin, Meta(description="Jensen–Shannon distance, 0 to 0.83.")] = 0.1


class OutliersWatch(Check, frozen=True, kw_only=True, tag="outliers"):
    """No more rows are unlike all the version learnt from than there were while it learnt."""

    maximum_increase: Annotated[Fraction, Meta(description="Above the reference's own share (1 in 100).")] = 0.02


class ConfidenceWatch(Check, frozen=True, kw_only=True, tag="confidence"):
    """The version is about as sure as it was on its held-out rows (classification)."""

    maximum_fall: Fraction = 0.05


class ServiceWatch(Check, frozen=True, kw_only=True, tag="service"):
    """Requests are answered, and in time: the error budget burns slowly, over a long and over a short window."""

    objective: Annotated[Fraction, Meta(description="Share of requests that must be good, such as 0.99.")]
    maximum_milliseconds: (
        Annotated[float, Meta(gt=0, description="A slower answer is a bad one too; left out, only errors are.")] | None
    ) = None
    long: Duration = "1h"
    short: Duration = "5m"
    burn: Annotated[
        float, Meta(gt=0, description="Alarm when the budget burns this many times too fast in both windows.")
    ] = 14.4


class TrafficWatch(Check, frozen=True, kw_only=True, tag="traffic"):
    """There is traffic at all: a silent model is as broken as a wrong one."""

    minimum_rows: Annotated[Count, Meta(description="Predictions in the whole window.")] = 1
    maximum_silent_days: Annotated[Count, Meta(description="Whole days (UTC) without any.")] = 0


class QualityWatch(Check, frozen=True, kw_only=True, tag="quality"):
    """Realised quality is not worse than what the version was accepted with, by more than a margin."""

    metric: Metric
    margin: Margin
    before_outcomes: Annotated[
        Literal["estimate", "wait"],
        Meta(description="estimate: judge the label-free estimate while outcomes are too few; wait: inconclusive."),
    ] = "wait"
    minimum_outcomes: Annotated[int, Meta(ge=1)] = 200


class OutcomesWatch(Check, frozen=True, kw_only=True, tag="outcomes"):
    """Outcomes arrive: without them nobody knows how good the model is."""

    due: Annotated[Duration, Meta(description="How long after a prediction its outcome is expected.")]
    maximum_missing: Annotated[Fraction, Meta(description="Share of the due ones.")] = 0.1


AnyWatch = (
    InputsWatch
    | ScoresWatch
    | OutliersWatch
    | ConfidenceWatch
    | ServiceWatch
    | TrafficWatch
    | QualityWatch
    | OutcomesWatch
)
