"""``policies/<name>.yaml``, and one class for each kind of check."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from modelyard.manifests.check import Check, Metric
from modelyard.manifests.names import Count, Fraction, Manifest, Margin, Name, SchemaManifest, Text, VersionText
from modelyard.manifests.watches import AnyWatch


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


class BestOf(Manifest, frozen=True, kw_only=True):
    """The best of the last versions, by the metric that each was registered with."""

    best_of: Annotated[int, Meta(ge=2, le=100, description="How many of the newest versions of the same major.")]


class ChampionCheck(Check, frozen=True, kw_only=True, tag="champion"):
    """Non-inferiority, by the paired interval: the candidate is at most a margin worse than the champion."""

    mend = "Improve the model. If the result is inconclusive, hold out more rows, so that the interval is narrower."

    metric: Metric
    margin: Margin
    relative: Annotated[bool, Meta(description="The margin is a share of the champion's value: 0.02 is 2 %.")] = False
    baseline: Annotated[
        BestOf | VersionText | None,
        Meta(
            description="Compares with this version in the champion's place: a pinned one, or the best of the last."
            " Each version may be a margin worse than the one before; this bounds how far they slide together."
        ),
    ] = None

    @property
    def opponent(self) -> str:
        """The name of what the candidate is compared with, by which the evaluation keeps it; '' for the champion."""
        if isinstance(self.baseline, BestOf):
            return f"the best of the last {self.baseline.best_of} versions by {self.metric}"
        return self.baseline or ""


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


class HoldoutCheck(Check, frozen=True, kw_only=True, tag="holdout"):
    """The rows that the champion was measured on are held out still, with the same labels."""

    mend = (
        "Hold the same rows out. If labels were corrected or rows must go, have the correction reviewed and waive the"
        " check for these bytes."
    )

    maximum_relabelled: Annotated[
        Count,
        Meta(
            description="Largest number of rows with another label than in the bytes that the champion's commit pins."
            " Rows are the same by their id."
        ),
    ] = 0
    maximum_removed: Annotated[
        Count,
        Meta(
            description="Largest number of rows that are not held out any more. A row that the candidate learns from"
            " is not counted where evaluation.block is a time, and the row is before all that are held out now: the"
            " window moved on."
        ),
    ] = 0


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


AnyCheck = (
    EvidenceCheck
    | ArtifactCheck
    | RowsCheck
    | ThresholdCheck
    | ChampionCheck
    | SlicesCheck
    | FairnessCheck
    | CalibrationCheck
    | HoldoutCheck
    | LeakageCheck
    | StabilityCheck
    | ContractCheck
    | DriftCheck
)


class Policy(SchemaManifest, frozen=True, kw_only=True):
    """``policies/<name>.yaml``: the checks of candidates, and the watches of served versions."""

    name: Name
    description: Text
    checks: Annotated[list[AnyCheck], Meta(min_length=1)]
    monitoring: Annotated[list[AnyWatch], Meta(description="Watches: the checks of served versions.")] = field(
        default_factory=list
    )
    false_alarms_a_year: Annotated[
        float,
        Meta(
            gt=0,
            description="How many false alarms a year the monitoring rules of one model may raise together. The rules"
            " that judge statistics share it equally, and their intervals follow from it.",
        ),
    ] = 2.0
    reproduced: Annotated[
        Literal["required", "advisory"],
        Meta(
            description="required: register wants a second run of every stage on the commit that it registers. It must"
            " give the same bytes; metrics within the margins of the rules of kind champion are enough where two runs"
            " differ. advisory: only where dvc.lock pins other outputs than a registered version for the same inputs;"
            " in CI, register tells what a second run says of a lock that no run of CI left."
        ),
    ] = "advisory"
    maximum_waivers: Annotated[
        int | None, Meta(description="Largest number of waivers for one model in a quarter. Left out: no limit.")
    ] = None


def _safe_formats() -> list[str]:
    from modelyard.flavors.formats import SAFE_FORMATS  # flavors take NumPy along, which most commands do without

    return list(SAFE_FORMATS)
