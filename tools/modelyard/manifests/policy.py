"""``policies/<name>.yaml``: one class for each kind of check, and one for each kind of watch."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from modelyard.manifests.names import Count, Duration, Fraction, Manifest, Margin, Name, Text

Metric = Literal[
    "auc", "average_precision", "recall_at_precision", "log_loss", "brier", "accuracy", "f1", "precision", "recall",
    "macro_f1", "mae", "rmse", "pinball", "r2", "ndcg", "map",
]  # fmt: skip

Level = Literal["advisory", "soft", "hard"]
Task = Literal["binary", "multiclass", "regression", "ranking"]
Declared = Literal["groups", "slices", "folds"]
TASKS: tuple[Task, ...] = ("binary", "multiclass", "regression", "ranking")
METRIC_TASKS: dict[str, tuple[Task, ...]] = {
    "auc": ("binary",), "average_precision": ("binary",), "recall_at_precision": ("binary",),
    "log_loss": ("binary", "multiclass"), "brier": ("binary", "multiclass"), "accuracy": ("binary", "multiclass"),
    "f1": ("binary",), "precision": ("binary",), "recall": ("binary",), "macro_f1": ("multiclass",),
    "mae": ("regression",), "rmse": ("regression",), "pinball": ("regression",), "r2": ("regression",),
    "ndcg": ("ranking",), "map": ("ranking",),
}  # fmt: skip
"""Metric → the tasks for which it is measured."""


class Check(Manifest, frozen=True, kw_only=True, tag_field="kind"):
    """The fields that every check has."""

    judges: ClassVar[tuple[Task, ...]] = TASKS
    """Tasks of which the evidence says something to this kind of check."""
    reads: ClassVar[Declared | None] = None
    """What model.yaml must declare, or there is nothing to judge."""
    mend: ClassVar[str] = ""
    """What to do about a failure, in a sentence or two. docs/checks/ has a page for each kind, made of its class."""

    id: Name
    why: Annotated[Text, Meta(description="Why the rule is there. Reports show it.")]
    tasks: Annotated[
        list[Task], Meta(description="The tasks that the rule is for; a model of another task is not judged by it."
                         " Empty: every task.")
    ] = field(default_factory=list)  # fmt: skip
    only_with: Annotated[
        list[Declared],
        Meta(description="A model that declares no groups (slices, folds) is not judged by the rule. Without it, such a"
             " model is refused by validate."),
    ] = field(default_factory=list)  # fmt: skip
    level: Annotated[
        Level, Meta(description="advisory: shown, never blocks; soft: can be waived; hard: cannot be waived.")
    ] = "soft"


class InputsWatch(Check, frozen=True, kw_only=True, tag="inputs"):
    """Data drift: the inputs of a window are distributed as in the training data, at windows of this size."""

    mend = (
        "Look at the named inputs: a broken source is repaired there; a changed population needs a retraining "
        "on newer rows."
    )

    maximum_alarm_share: Annotated[Fraction, Meta(description="Largest share of inputs with a drift alarm.")]


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


class GroundTruthWatch(Check, frozen=True, kw_only=True, tag="ground_truth"):
    """Labels arrive in time."""

    mend = "Find out what stopped the labels, or set a longer due if they take longer."

    due: Annotated[Duration, Meta(description="How long after a prediction its label is expected.")]
    maximum_missing: Annotated[Fraction, Meta(description="Largest share of due labels that are missing.")] = 0.1


class EvidenceCheck(Check, frozen=True, kw_only=True, tag="evidence"):
    """All named evidence exists and is about the candidate's bytes."""

    mend = "Run the commands that make the evidence: modelyard retrain, evaluate, drift and scan, for this artifact."

    require: Annotated[list[Literal["training", "evaluation", "drift", "artifact"]], Meta(min_length=1)]


class ArtifactCheck(Check, frozen=True, kw_only=True, tag="artifact"):
    """The artifact has a format that runs no code when it is read, and is small and fast enough."""

    mend = "Keep the model in a format of a flavor (docs/flavors.md), or make it smaller. A pickle is never loaded."

    formats: Annotated[
        list[Name],
        Meta(min_length=1, description="Formats of the flavors; see docs/flavors.md. other: any other file."),
    ] = field(default_factory=lambda: _safe_formats())
    maximum_bytes: Count = 500_000_000
    maximum_row_milliseconds: (
        Annotated[float, Meta(gt=0, description="Largest median time to score one row.")] | None
    ) = None


class RowsCheck(Check, frozen=True, kw_only=True, tag="rows"):
    """The holdout has enough rows."""

    mend = "Hold out more rows: change the split in params.yaml, or collect more data."

    minimum: Count
    minimum_per_class: Count = 0


class ThresholdCheck(Check, frozen=True, kw_only=True, tag="threshold"):
    """The candidate's value of a metric is within limits."""

    mend = (
        "Improve the model, or its data. A limit that no model of this task can meet is for the owners of the policy."
    )

    metric: Metric
    minimum: float | None = None
    maximum: float | None = None


class ChampionCheck(Check, frozen=True, kw_only=True, tag="champion"):
    """Non-inferiority, by the paired interval: the candidate is at most a margin worse than the champion."""

    mend = "Improve the model. If the result is inconclusive, hold out more rows, so that the interval is narrower."

    metric: Metric
    margin: Margin
    relative: Annotated[bool, Meta(description="The margin is a share of the champion's value: 0.02 is 2 %.")] = False


class SlicesCheck(Check, frozen=True, kw_only=True, tag="slices"):
    """Non-inferiority of every slice, by intervals that hold for all slices at once."""

    reads = "slices"
    mend = "Look at the named slice: add rows or inputs for it, or give it more weight in training."

    metric: Metric
    margin: Margin
    relative: Annotated[bool, Meta(description="The margin is a share of the champion's value: 0.02 is 2 %.")] = False


class FairnessCheck(Check, frozen=True, kw_only=True, tag="fairness"):
    """The gap between groups is within a limit, or did not grow against the champion by more than one."""

    judges = ("binary",)
    reads = "groups"
    mend = (
        "Compare the rates of the groups in the report. Look for inputs that stand for the group, and for "
        "groups with few rows."
    )

    measure: Literal[
        "demographic_parity_difference", "demographic_parity_ratio", "equalized_odds_difference",
        "equal_opportunity_difference",
    ]  # fmt: skip
    maximum: Fraction | None = None
    maximum_increase: Fraction | None = None
    minimum: Annotated[Fraction, Meta(description="Smallest ratio; 0.8 is the four-fifths rule.")] | None = None
    bound: Annotated[
        Literal["value", "interval"],
        Meta(
            description=(
                "interval: fail when the whole interval is outside the limit, pass when the whole interval is inside."
            )
        ),
    ] = "value"


class CalibrationCheck(Check, frozen=True, kw_only=True, tag="calibration"):
    """Predicted probabilities are calibrated."""

    judges = ("binary",)
    mend = (
        "Calibrate the scores on rows that training did not use, by isotonic regression or Platt scaling, as "
        "a stage of the pipeline."
    )

    maximum_error: Annotated[Fraction, Meta(description="Largest expected calibration error (ECE).")]


class LeakageCheck(Check, frozen=True, kw_only=True, tag="leakage"):
    """No input gives the label away, and no row is in both the training rows and the holdout."""

    mend = (
        "Remove an input that is known only after the label, and split by id or time so that no row is on both sides."
    )

    maximum_single_input_auc: Fraction = 0.9
    maximum_overlap: Annotated[
        Count, Meta(description="Largest number of rows, by id, in both the training rows and the holdout.")
    ] = 0
    maximum_identical_share: (
        Annotated[
            Fraction,
            Meta(description="Largest share of held-out rows that equal a training row in every input and the label."),
        ]
        | None
    ) = None


class StabilityCheck(Check, frozen=True, kw_only=True, tag="stability"):
    """Cross-validation: the metric varies little between folds."""

    reads = "folds"
    mend = (
        "Look at the fold that differs: time or group may change what is learned. More rows or a simpler "
        "model vary less."
    )

    metric: Metric
    maximum_deviation: Annotated[Margin, Meta(description="Largest standard deviation between folds.")]


class ContractCheck(Check, frozen=True, kw_only=True, tag="contract"):
    """The contract's inputs are the champion's, or changed in an allowed way."""

    mend = "Keep the input, or agree on the change with the callers and allow it in the policy first."

    allow_added: bool = True
    allow_removed: bool = False


class DriftCheck(Check, frozen=True, kw_only=True, tag="drift"):
    """Data drift: the candidate's data are distributed as the champion's profile."""

    mend = "Look at the named columns: repair a source that broke; if the world changed, have the new data reviewed."

    maximum_alarm_share: Annotated[Fraction, Meta(description="Largest share of columns with a drift alarm.")]


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
    """``policies/<name>.yaml``: the checks of candidates, and the watches of served versions."""

    name: Name
    description: Text
    checks: Annotated[list[AnyCheck], Meta(min_length=1)]
    monitoring: Annotated[list[AnyWatch], Meta(description="Watches: the checks of served versions.")] = field(
        default_factory=list
    )
    maximum_waivers: Annotated[
        int | None, Meta(description="Largest number of waivers for one model in a quarter. Left out: no limit.")
    ] = None


def _safe_formats() -> list[str]:
    from modelyard.flavors.formats import SAFE_FORMATS  # flavors take NumPy along, which most commands do without

    return list(SAFE_FORMATS)
