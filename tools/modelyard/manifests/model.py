"""``models/<name>/model.yaml``: a model's owners, purpose, contract, files and rules for retraining."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Annotated, Literal

from msgspec import Meta, field

from modelyard.errors import near_match
from modelyard.manifests.calendar import Freeze
from modelyard.manifests.document import FieldPath
from modelyard.manifests.names import (
    ColumnName,
    Count,
    Duration,
    Fraction,
    Label,
    Manifest,
    Margin,
    Name,
    Reference,
    RelativePath,
    SchemaManifest,
    Text,
)

PREDICTION = "prediction_id"
TIME = "label_time"


class GroundTruthSource(Manifest, frozen=True, kw_only=True):
    """Where the ground truth is: files, or a query. ``monitor``, ``feedback`` and ``deploy`` read it."""

    uri: Annotated[
        str,
        Meta(
            max_length=1000,
            description="A Parquet, CSV or .jsonl file, or a folder of them; local or in an object store.",
        ),
    ] = ""
    columns: Annotated[
        dict[str, str],
        Meta(
            description=(
                "uri: our name → the column's name there. Names: the contract's id and label,"
                " prediction_id, label_time."
            )
        ),
    ] = field(default_factory=dict)
    sql: Annotated[Reference | None, Meta(description="Where the URL of a database is kept.")] = None
    query: Annotated[str, Meta(max_length=10_000, description="sql: the query that returns those columns.")] = ""


def ground_truth_faults(
    source: GroundTruthSource | None, id_and_label: Collection[str]
) -> Iterator[tuple[FieldPath, str, str]]:
    """Faults of a ground-truth source. ``id_and_label`` are the contract's columns, which it may rename."""
    if source is None:
        return
    if bool(source.uri) == bool(source.sql):
        what = "names both uri and sql." if source.uri else "names neither uri nor sql."
        yield ("ground_truth",), what, "Give uri: …, or sql: env:NAME with query: …."
    elif bool(source.query) != bool(source.sql):
        yield ("ground_truth",), "needs sql and query together.", "Give sql: env:NAME and query: select …."
    elif source.sql and source.columns:
        yield ("ground_truth", "columns"), "applies to files only.", "Rename columns in the query: select a as b."
    known = {*id_and_label, PREDICTION, TIME}
    for name in source.columns.keys() - known:
        yield ("ground_truth", "columns", name), f"{name!r} is not a column of ground truth.", near_match(name, known)


class Budget(Manifest, frozen=True, kw_only=True):
    """The limit of scheduled and triggered retraining. It does not limit a retraining that a person starts."""

    runs: Annotated[int, Meta(ge=1, description="Number of retrainings in the time span.")] = 10
    minutes: Annotated[float, Meta(gt=0, description="Minutes of training in the time span.")] | None = None
    every: Annotated[Duration, Meta(description="The time span, counted back from now.")] = "30d"


class Retrain(Manifest, frozen=True, kw_only=True):
    """When a retraining is due, and when its result becomes a pull request."""

    minimum_gain: Annotated[
        Margin, Meta(description="Smallest gain of the task's first metric that a scheduled or triggered run proposes.")
    ] = 0.0
    new_rows: Annotated[
        Count, Meta(description="Due after this many labelled rows since the champion was trained; 0: never.")
    ] = 0
    maximum_age: Annotated[Duration, Meta(description="Due when the champion is older than this.")] | None = None
    on_drift: Annotated[bool, Meta(description="Due when a check of inputs or scores failed in the newest window.")] = (
        True
    )
    on_decay: Annotated[bool, Meta(description="Due when a check of quality failed in the newest window.")] = True
    budget: Budget = field(default_factory=Budget)
    freezes: Annotated[list[Freeze], Meta(description="Days (UTC) on which only a person can start a retraining.")] = (
        field(default_factory=list)
    )


# --- models/<name>/model.yaml -------------------------------------------------------------------------------------


class Column(Manifest, frozen=True, kw_only=True):
    """One input of the contract."""

    name: ColumnName
    type: Annotated[
        Literal["integer", "float", "string", "boolean", "date", "timestamp", "vector"],
        Meta(description="docs/inputs.md says how a value of each type is written."),
    ]
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    length: Annotated[Count, Meta(description="vector: how many numbers each value has.")] = 0
    categories: Annotated[
        list[str | int | float | bool],
        Meta(
            description="The known values. Any other value is scored as missing. They are in the order of their codes,"
            " where the file of the model lists none."
        ),
    ] = field(default_factory=list)
    description: str = ""
    personal: Annotated[
        Literal["no", "hash", "drop"],
        Meta(
            description=(
                "What prediction logs keep of a personal value. no: the value; hash: a keyed digest; drop: nothing."
            )
        ),
    ] = "no"
    rare_below: Annotated[
        Count, Meta(description="Strings: a level with fewer training rows is not named in the profile.")
    ] = 0
    rare_become: Annotated[
        Literal["suppressed", "hashed"],
        Meta(description="suppressed: rare levels are counted together; hashed: each is kept under a digest."),
    ] = "suppressed"


class Contract(Manifest, frozen=True, kw_only=True):
    """The columns that a caller sends and receives. A change of the contract is a major version."""

    id: Annotated[ColumnName, Meta(description="The column that identifies a row.")]
    personal_id: Annotated[
        Literal["no", "hash", "drop"],
        Meta(description="What prediction logs keep of the id; the values of a column's personal."),
    ] = "no"
    label: Annotated[ColumnName, Meta(description="The column that holds the label.")]
    inputs: Annotated[list[Column], Meta(min_length=1)]
    output: ColumnName = "prediction"
    classes: Annotated[
        list[Text], Meta(description="Multiclass: the label's values; the predictions are columns prediction_<class>.")
    ] = field(default_factory=list)
    threshold: Annotated[Fraction, Meta(description="Binary tasks: a score at or above it is a positive decision.")] = (
        0.5
    )

    @property
    def texts(self) -> tuple[str, ...]:
        """Columns that are strings, even where a file holds only digits in them."""
        return self.id, *(column.name for column in self.inputs if column.type == "string")


class Files(Manifest, frozen=True, kw_only=True):
    """The files that the pipeline writes, as paths below the model's folder."""

    artifact: RelativePath
    training: RelativePath = "data/train.parquet"
    holdout: RelativePath = "data/holdout.parquet"
    predictions: RelativePath = "predictions.parquet"
    profile: Literal["profile.json"] = "profile.json"
    """Fixed: what retraining writes may be pushed without a person, so no manifest chooses its name."""
    folds: Annotated[
        str,
        Meta(
            max_length=500,
            description="Optional cross-validation: a table of out-of-fold rows with fold, label and prediction."
            " With a column trained_rows, reports show a learning curve.",
        ),
    ] = ""


class FlavorSettings(Manifest, frozen=True, kw_only=True):
    """The flavor of the artifact, and its options; see docs/flavors.md."""

    name: Annotated[
        str,
        Meta(
            max_length=64,
            description="lightgbm, xgboost, catboost, sklearn, onnx, python or command. Default: what the ending of"
            " files.artifact says.",
        ),
    ] = ""
    trusted: Annotated[
        list[Text], Meta(description="sklearn: types that may be loaded beside those that skops trusts.")
    ] = field(default_factory=list)
    output: Annotated[
        str, Meta(max_length=200, description="onnx: the output with the scores, where it has several.")
    ] = ""
    files: Annotated[
        list[RelativePath],
        Meta(description="python: the scorer, then the files that it imports. Default: src/scorer.py."),
    ] = field(default_factory=list)
    requirements: Annotated[
        str,
        Meta(max_length=200, description="python: a requirements file for the scorer's environment. Default: ours."),
    ] = ""
    seconds: Annotated[float, Meta(gt=0, le=3600, description="python: a call that takes longer is stopped.")] = 60.0
    command: Annotated[
        list[Text],
        Meta(description="command: a program and its arguments; {model}, {input} and {output} become paths. No shell."),
    ] = field(default_factory=list)


class Evaluation(Manifest, frozen=True, kw_only=True):
    """How the held-out rows are evaluated."""

    slices: list[ColumnName] = field(default_factory=list)
    groups: Annotated[
        list[ColumnName], Meta(description="Columns whose levels are the groups of the fairness checks.")
    ] = field(default_factory=list)
    block: (
        Annotated[
            ColumnName,
            Meta(description="Rows with the same value depend on each other; intervals are computed by block."),
        ]
        | None
    ) = None
    minimum_support: Annotated[Count, Meta(description="A slice or group with fewer rows is not judged.")] = 100
    precision: Annotated[Fraction, Meta(description="The precision of the metric recall_at_precision.")] = 0.9
    quantile: Annotated[Fraction, Meta(description="The quantile of the metric pinball.")] = 0.5
    query: Annotated[ColumnName, Meta(description="Ranking: rows with the same value are one query.")] | None = None
    at: Annotated[int, Meta(ge=1, description="Ranking: the number of results that NDCG and MAP use.")] = 10


class Resources(Manifest, frozen=True, kw_only=True):
    """What a step of an exported pipeline and a replica on KServe ask for; see docs/systems/ and docs/targets.md."""

    cpu: Annotated[float, Meta(ge=0, le=10_000, description="Processors; 0: the engine's default.")] = 0.0
    memory: Annotated[
        str,
        Meta(
            pattern=r"^([1-9][0-9]{0,6}(Mi|Gi|Ti))?$(?!\n)", description="Such as 512Mi or 8Gi. Default: the engine's."
        ),
    ] = ""
    gpu: Annotated[int, Meta(ge=0, le=1000, description="Graphics processors.")] = 0
    image: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z0-9][A-Za-z0-9_./:@-]{0,400})?$(?!\n)",
            description="The container image with git, modelyard and the packages of the stages.",
        ),
    ] = ""


class Model(SchemaManifest, frozen=True, kw_only=True):
    """``models/<name>/model.yaml``: a model's owners, purpose, contract, files and rules for retraining."""

    name: Name
    description: Text
    owners: Annotated[list[Text], Meta(min_length=1, description="Forge handles or e-mail addresses.")]
    task: Literal["binary", "multiclass", "regression", "ranking"]
    policy: Name
    files: Files
    contract: Contract
    trained: Annotated[
        Literal["here", "elsewhere"],
        Meta(
            description="elsewhere: the pipeline does not train it. Its file and the held-out rows are given"
            " (modelyard add --artifact), and nobody here can reproduce it."
        ),
    ] = "here"
    flavor: FlavorSettings = field(default_factory=FlavorSettings)
    evaluation: Evaluation = field(default_factory=Evaluation)
    ground_truth: Annotated[
        GroundTruthSource | None, Meta(description="Where the labels are that arrive after the predictions.")
    ] = None
    retrain: Retrain = field(default_factory=Retrain)
    runner: Annotated[
        list[Label],
        Meta(max_length=10, description="Labels of the CI runner that trains the model, such as [self-hosted, gpu]."
             " modelyard.yaml must allow them. Empty: the workflow's own runner."),
    ] = field(default_factory=list)  # fmt: skip
    timeout: Annotated[
        Duration | None, Meta(description="After this time its CI job is stopped. Left out: the workflow's own limit.")
    ] = None
    resources: Annotated[
        Resources, Meta(description="What a step of an exported pipeline and a replica on KServe ask for.")
    ] = field(default_factory=Resources)
    lifecycle: Literal["experimental", "active", "deprecated", "archived"] = "active"
    card: Annotated[str, Meta(description="Intended use, and uses that are out of scope; Markdown.")] = ""
    limitations: Annotated[str, Meta(description="Known weaknesses, and whom an error can harm; Markdown.")] = ""
    license: Annotated[str, Meta(max_length=100, description="An SPDX identifier such as apache-2.0.")] = ""


def reference_rows(model: Model) -> str:
    """The table, below the model's folder, that later data are compared with.

    The training rows; of a model that was trained elsewhere, the held-out rows.
    """
    return model.files.holdout if model.trained == "elsewhere" else model.files.training


def declared(model: Model) -> frozenset[str]:
    """What of groups, slices and folds a model declares."""
    said = {"groups": model.evaluation.groups, "slices": model.evaluation.slices, "folds": model.files.folds}
    return frozenset(name for name, found in said.items() if found)
