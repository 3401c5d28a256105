"""``policies/<name>.yaml``: one class a kind of check, and one a kind of watch."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from modelyard.manifests.names import Count, Duration, Fraction, Manifest, Margin, Name, Text

Metric = Literal[
    "auc", "average_precision", "recall_at_precision", "log_loss", "brier", "accuracy", "f1", "precision", "recall",
    "macro_f1", "mae", "rmse", "pinball", "r2", "ndcg", "map",
]  # fmt: skip

Level = Literal["advisory", "soft", "hard"]
ArtifactFormat = Literal["lightgbm-text", "xgboost-json", "xgboost-ubj", "onnx", "safetensors", "skops", "pickle"]


class Check(Manifest, frozen=True, kw_only=True, tag_field="kind"):
    """What every check has, whatever it looks at."""

    id: Name
    why: Text
    level: Annotated[
        Level, Meta(description="advisory: shown, never blocks; soft: can be waived; hard: cannot be waived.")
    ] = "soft"


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
    before_ground_truth: Annotated[
        Literal["estimate", "wait"],
        Meta(description="estimate: judge the label-free estimate while labels are too few; wait: inconclusive."),
    ] = "wait"
    minimum_labels: Annotated[int, Meta(ge=1)] = 200


class GroundTruthWatch(Check, frozen=True, kw_only=True, tag="ground_truth"):
    """Labels arrive: without them nobody knows how good the model is."""

    due: Annotated[Duration, Meta(description="How long after a prediction its outcome is expected.")]
    maximum_missing: Annotated[Fraction, Meta(description="Share of the due ones.")] = 0.1


class EvidenceCheck(Check, frozen=True, kw_only=True, tag="evidence"):
    """All named evidence is there and is about the candidate's bytes."""

    require: Annotated[list[Literal["training", "evaluation", "drift", "artifact"]], Meta(min_length=1)]


class ArtifactCheck(Check, frozen=True, kw_only=True, tag="artifact"):
    """The artifact's bytes are of a format that runs no code when it is read, small and fast enough."""

    formats: Annotated[list[ArtifactFormat], Meta(min_length=1)] = field(
        default_factory=lambda: ["lightgbm-text", "xgboost-json", "xgboost-ubj", "onnx", "safetensors", "skops"]
    )
    maximum_bytes: Count = 500_000_000
    maximum_row_milliseconds: Annotated[float, Meta(gt=0, description="Median time to score one row.")] | None = None


class RowsCheck(Check, frozen=True, kw_only=True, tag="rows"):
    """The holdout is large enough to say anything."""

    minimum: Count
    minimum_per_class: Count = 0


class ThresholdCheck(Check, frozen=True, kw_only=True, tag="threshold"):
    """The candidate's own value lies within bounds."""

    metric: Metric
    minimum: float | None = None
    maximum: float | None = None


class ChampionCheck(Check, frozen=True, kw_only=True, tag="champion"):
    """The candidate is not worse than the champion by more than a margin, shown by the paired interval."""

    metric: Metric
    margin: Margin


class SlicesCheck(Check, frozen=True, kw_only=True, tag="slices"):
    """No slice is worse than the champion by more than a margin, shown by intervals held for all slices at once."""

    metric: Metric
    margin: Margin


class FairnessCheck(Check, frozen=True, kw_only=True, tag="fairness"):
    """The gap between groups stays below a bound, or did not grow against the champion."""

    measure: Literal[
        "demographic_parity_difference", "demographic_parity_ratio", "equalized_odds_difference",
        "equal_opportunity_difference",
    ]  # fmt: skip
    maximum: Fraction | None = None
    maximum_increase: Fraction | None = None
    minimum: Annotated[Fraction, Meta(description="Of a ratio; 0.8 is the four-fifths rule.")] | None = None
    bound: Annotated[
        Literal["value", "interval"],
        Meta(description="interval: fail when the whole interval breaks the rule, pass when none of it does."),
    ] = "value"


class CalibrationCheck(Check, frozen=True, kw_only=True, tag="calibration"):
    """Predicted probabilities mean what they say."""

    maximum_error: Annotated[Fraction, Meta(description="Largest expected calibration error.")]


class LeakageCheck(Check, frozen=True, kw_only=True, tag="leakage"):
    """No input knows the outcome, and no row was both learnt from and tested on."""

    maximum_single_input_auc: Fraction = 0.9
    maximum_overlap: Annotated[Count, Meta(description="Rows that are in training and in the holdout, by id.")] = 0
    maximum_identical_share: (
        Annotated[
            Fraction, Meta(description="Share of held-out rows equal in every input and the label to one in training.")
        ]
        | None
    ) = None


class StabilityCheck(Check, frozen=True, kw_only=True, tag="stability"):
    """The result does not hang on the split: folds agree, where the pipeline brings them."""

    metric: Metric
    maximum_deviation: Annotated[Margin, Meta(description="Largest standard deviation between folds.")]


class ContractCheck(Check, frozen=True, kw_only=True, tag="contract"):
    """What callers send did not change without being seen."""

    allow_added: bool = True
    allow_removed: bool = False


class DriftCheck(Check, frozen=True, kw_only=True, tag="drift"):
    """The data are still like those the champion was accepted on."""

    maximum_alarm_share: Annotated[Fraction, Meta(description="Share of columns whose drift is an alarm.")]


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

AnyCheck = (
    EvidenceCheck
    | ArtifactCheck
    | RowsCheck
    | ThresholdCheck
    | ChampionCheck
    | SlicesCheck
    | FairnessCheck
    | CalibrationCheck
    | LeakageCheck
    | StabilityCheck
    | ContractCheck
    | DriftCheck
)


class Policy(Manifest, frozen=True, kw_only=True):
    """``policies/<name>.yaml``: the rules a candidate is judged by."""

    name: Name
    description: Text
    checks: Annotated[list[AnyCheck], Meta(min_length=1)]
    monitoring: Annotated[list[AnyWatch], Meta(description="Rules for versions that serve, by what they did.")] = field(
        default_factory=list
    )
    maximum_waivers: Annotated[
        int | None, Meta(description="How many waivers a model may be given in a quarter; left out: any number.")
    ] = None
