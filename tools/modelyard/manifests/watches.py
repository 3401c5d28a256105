"""One class for each kind of watch: the checks of served versions, in ``policies/<name>.yaml``."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from modelyard.manifests.check import Check, Metric
from modelyard.manifests.names import Count, Duration, Fraction, Manifest, Margin


class DriftReference(Manifest, frozen=True, kw_only=True):
    """Earlier predictions that inputs are compared with, in place of the training data: one of the two fields."""

    season: Annotated[
        Literal["same-month"] | None,
        Meta(
            description="same-month: the predictions of the same months in up to five earlier years. Where there are"
            " fewer than 200 the rule is inconclusive, and says that the season is new."
        ),
    ] = None
    rolling: Annotated[
        Duration | None, Meta(description="The predictions of so long a time before the window, such as 28d.")
    ] = None


class InputsWatch(Check, frozen=True, kw_only=True, tag="inputs"):
    """Data drift: the inputs of a window are distributed as in the training data, at windows of this size."""

    mend = (
        "Look at the named inputs: a broken source is repaired there; a changed population needs a retraining "
        "on newer rows."
    )

    maximum_alarm_share: Annotated[Fraction, Meta(description="Largest share of inputs with a drift alarm.")]
    reference: Annotated[
        DriftReference | None,
        Meta(
            description="What inputs are compared with: {season: same-month} or {rolling: 28d}. Left out: the version's"
            " training data."
        ),
    ] = None


class ScoresWatch(Check, frozen=True, kw_only=True, tag="scores"):
    """Score drift: the scores of a window are distributed as on the version's held-out rows."""

    mend = (
        "Look at the inputs that drifted. If they are right and the labels agree with the scores, retrain; if "
        "a source broke, repair it."
    )

    maximum_distance: Annotated[Margin, Meta(description="Largest Jensen–Shannon distance, 0 to 0.83.")] = 0.1


class OutliersWatch(Check, frozen=True, kw_only=True, tag="outliers"):
    """Outlier rate: the share of outliers in a window is not above the training share by more than a margin."""

    mend = "Read some of the outliers (modelyard feedback sample). Repair the source, or label such rows and retrain."

    maximum_increase: Annotated[
        Fraction, Meta(description="Margin above the outlier rate of the training rows, which is 0.01.")
    ] = 0.02


class ConfidenceWatch(Check, frozen=True, kw_only=True, tag="confidence"):
    """Classification: the mean confidence is not below that on the held-out rows by more than a margin."""

    judges = ("binary", "multiclass")
    mend = "Look at the inputs that drifted, label uncertain rows (modelyard feedback sample) and retrain."

    maximum_fall: Fraction = 0.05


class ServiceWatch(Check, frozen=True, kw_only=True, tag="service"):
    """SLO: the burn rate of the error budget does not exceed a limit in both a long and a short window."""

    mend = (
        "Look at the server's log for errors and at its latency by version; roll the version back if it is the cause."
    )

    objective: Annotated[Fraction, Meta(description="The SLO: share of requests that must be good, such as 0.99.")]
    maximum_milliseconds: (
        Annotated[float, Meta(gt=0, description="A slower answer is a bad request too. Left out: only errors are bad.")]
        | None
    ) = None
    long: Duration = "1h"
    short: Duration = "5m"
    burn: Annotated[
        float, Meta(gt=0, description="The burn rate that fails the check when both windows exceed it.")
    ] = 14.4


class TrafficWatch(Check, frozen=True, kw_only=True, tag="traffic"):
    """The version gets traffic."""

    mend = "Check that callers reach this environment and this model, and that the prediction log is the right one."

    minimum_rows: Annotated[Count, Meta(description="Smallest number of predictions in the window.")] = 1
    maximum_silent_days: Annotated[
        Count, Meta(description="Largest number of whole days (UTC) without a prediction.")
    ] = 0


class QualityWatch(Check, frozen=True, kw_only=True, tag="quality"):
    """Realised quality is not worse than the baseline of the accepted version by more than a margin."""

    judges = ("binary", "multiclass", "regression")
    mend = "Retrain on newer labelled rows (modelyard feedback collect), or roll back to a version that was better."

    metric: Metric
    margin: Margin
    relative: Annotated[bool, Meta(description="The margin is a share of the baseline: 0.02 is 2 %.")] = False
    before_ground_truth: Annotated[
        Literal["estimate", "wait"],
        Meta(description="With too few labels. estimate: judge the label-free estimate; wait: inconclusive."),
    ] = "wait"
    minimum_labels: Annotated[int, Meta(ge=1)] = 200
    missing_labels: Annotated[
        Literal["weigh", "wait"],
        Meta(
            description="Where rows with a label have other scores than rows without one. weigh: labelled rows are"
            " kept in inverse proportion to the chance of a label at their score; wait: inconclusive."
        ),
    ] = "wait"


class GroundTruthWatch(Check, frozen=True, kw_only=True, tag="ground_truth"):
    """Labels arrive in time."""

    mend = "Find out what stopped the labels, or set a longer due if they take longer."

    due: Annotated[Duration, Meta(description="How long after a prediction its label is expected.")]
    maximum_missing: Annotated[Fraction, Meta(description="Largest share of due labels that are missing.")] = 0.1


AnyWatch = (
    InputsWatch
    | ScoresWatch
    | OutliersWatch
    | ConfidenceWatch
    | ServiceWatch
    | TrafficWatch
    | QualityWatch
    | GroundTruthWatch
)
