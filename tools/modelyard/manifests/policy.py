"""The rules a candidate is judged by: one class a kind of check; and those that watch it once it serves."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from modelyard.manifests.base import Count, Fraction, Manifest, Margin, Text
from modelyard.manifests.check import Check, Metric
from modelyard.manifests.monitoring import AnyWatch
from modelyard.manifests.names import Name

ArtifactFormat = Literal["lightgbm-text", "xgboost-json", "xgboost-ubj", "onnx", "safetensors", "skops", "pickle"]


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
