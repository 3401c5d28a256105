"""The shape of every manifest: frozen values, from which the JSON Schemas are made.

``make schemas`` writes ``model-repo-template/.modelyard/schemas/`` from these classes. Editors read those files; a test
keeps both equal.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from modelyard.manifests.alerts import Alerts
from modelyard.manifests.base import ColumnName, Count, Date, Fraction, Manifest, Sha256, Text
from modelyard.manifests.environment import Environment
from modelyard.manifests.names import Name, RelativePath, RootPath
from modelyard.manifests.outcomes import OutcomesSource
from modelyard.manifests.retraining import Retrain

# --- modelyard.yaml -----------------------------------------------------------------------------------------------


class Identity(Manifest, frozen=True, kw_only=True):
    """Who may sign without a key: a workflow, by the OpenID token of its CI."""

    identity: Annotated[Text, Meta(description="Such as https://github.com/acme/models/.github/workflows/deploy.yml@…")]
    issuer: Annotated[Text, Meta(description="Such as https://token.actions.githubusercontent.com")]


class Signing(Manifest, frozen=True, kw_only=True):
    """Who may sign versions. Where this stands, register signs and deploy refuses what none of these signed."""

    keys: Annotated[list[RootPath], Meta(description="Public elliptic-curve keys in PEM.")] = field(
        default_factory=list
    )
    identities: list[Identity] = field(default_factory=list)
    allowed_signers: Annotated[
        str,
        Meta(max_length=500, description="ssh's list of who may sign tags; where it is given, every tag is signed."),
    ] = ""


class EvidenceKeeping(Manifest, frozen=True, kw_only=True):
    """What leaves the evidence branch's newest tree. Its history keeps everything."""

    pull_days: Annotated[int, Meta(ge=1, description="Days after which what a closed pull request showed goes.")] = 400


class Repository(Manifest, frozen=True, kw_only=True):
    """``modelyard.yaml``: what marks and configures a model repository."""

    toolkit: Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+$", description="The modelyard version it was written for.")]
    environments: Annotated[list[Environment], Meta(min_length=1, description="In promotion order.")]
    forge: Literal["git", "github", "gitlab"] = "git"
    owners: Annotated[
        list[Text], Meta(description="Who looks after what belongs to no model: policies, waivers, workflows.")
    ] = field(default_factory=list)
    default_branch: Annotated[str, Meta(min_length=1, max_length=200)] = "main"
    pictures: Annotated[
        Literal["none", "evidence-branch"],
        Meta(description="evidence-branch: comments show a picture, which is pushed to this repository's own branch."),
    ] = "none"
    signing: Signing | None = None
    evidence: EvidenceKeeping = field(default_factory=EvidenceKeeping)
    alerts: Alerts = field(default_factory=Alerts)


# --- models/<name>/model.yaml -------------------------------------------------------------------------------------


class Column(Manifest, frozen=True, kw_only=True):
    """One input of the contract."""

    name: ColumnName
    type: Literal["integer", "float", "string", "boolean"]
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    description: str = ""
    personal: Annotated[
        Literal["no", "hash", "drop"],
        Meta(description="What prediction logs keep of it: the value, a keyed digest, or nothing."),
    ] = "no"
    rare_below: Annotated[
        Count, Meta(description="Texts: a level with fewer training rows does not appear by name in the profile.")
    ] = 0
    rare_become: Annotated[
        Literal["suppressed", "hashed"], Meta(description="Counted with the others, or kept under a digest.")
    ] = "suppressed"


class Contract(Manifest, frozen=True, kw_only=True):
    """What a caller sends and gets; a change of it is a major version."""

    id: Annotated[ColumnName, Meta(description="The column that identifies a row.")]
    personal_id: Annotated[
        Literal["no", "hash", "drop"], Meta(description="What prediction logs keep of the id; see a column's personal.")
    ] = "no"
    label: Annotated[ColumnName, Meta(description="The column that holds the outcome.")]
    inputs: Annotated[list[Column], Meta(min_length=1)]
    output: ColumnName = "prediction"
    classes: Annotated[
        list[Text], Meta(description="Multiclass: the label's values; the predictions are columns prediction_<class>.")
    ] = field(default_factory=list)
    threshold: Annotated[Fraction, Meta(description="Binary tasks: at or above it the decision is positive.")] = 0.5

    @property
    def texts(self) -> tuple[str, ...]:
        """Columns that are texts, also where a file has nothing but digits in them."""
        return self.id, *(column.name for column in self.inputs if column.type == "string")


class Files(Manifest, frozen=True, kw_only=True):
    """What the pipeline writes, below the model's folder."""

    artifact: RelativePath
    training: RelativePath = "data/train.parquet"
    holdout: RelativePath = "data/holdout.parquet"
    predictions: RelativePath = "predictions.parquet"
    profile: RelativePath = "profile.json"
    folds: Annotated[
        str,
        Meta(
            max_length=500,
            description="Cross-validation, where the pipeline makes one: fold, label, prediction; rows it did not learn"
            " from. A column trained_rows shows how the result grows with the data.",
        ),
    ] = ""


class Scorer(Manifest, frozen=True, kw_only=True):
    """How any table is scored with any version of the artifact."""

    type: Literal["lightgbm", "command"] = "lightgbm"
    command: Annotated[
        list[Text],
        Meta(description="A program and its arguments; {model}, {input} and {output} become paths. No shell."),
    ] = field(default_factory=list)


class Evaluation(Manifest, frozen=True, kw_only=True):
    """How the held-out rows are cut when they are measured."""

    slices: list[ColumnName] = field(default_factory=list)
    groups: Annotated[list[ColumnName], Meta(description="Columns whose levels are compared for fairness.")] = field(
        default_factory=list
    )
    block: Annotated[ColumnName, Meta(description="Rows with the same value depend on each other.")] | None = None
    minimum_support: Annotated[Count, Meta(description="A slice or group with fewer rows is not judged.")] = 100
    precision: Annotated[Fraction, Meta(description="Of the metric recall_at_precision.")] = 0.9
    quantile: Annotated[Fraction, Meta(description="Of the metric pinball.")] = 0.5
    query: Annotated[ColumnName, Meta(description="Ranking: rows with the same value are ordered.")] | None = None
    at: Annotated[int, Meta(ge=1, description="Ranking: how many results NDCG and MAP look at.")] = 10


class Model(Manifest, frozen=True, kw_only=True):
    """``models/<name>/model.yaml``: who owns a model, what it is for, and what it promises."""

    name: Name
    description: Text
    owners: Annotated[list[Text], Meta(min_length=1, description="Forge handles or e-mail addresses.")]
    task: Literal["binary", "multiclass", "regression", "ranking"]
    policy: Name
    files: Files
    contract: Contract
    scorer: Scorer = field(default_factory=Scorer)
    evaluation: Evaluation = field(default_factory=Evaluation)
    outcomes: Annotated[OutcomesSource | None, Meta(description="Where it is told what happened.")] = None
    retrain: Retrain = field(default_factory=Retrain)
    lifecycle: Literal["experimental", "active", "deprecated", "archived"] = "active"
    card: Annotated[str, Meta(description="What it is for, and what not; Markdown.")] = ""
    limitations: Annotated[str, Meta(description="Where it is weak and whom it may harm; Markdown.")] = ""
    license: Annotated[str, Meta(max_length=100, description="An SPDX identifier such as apache-2.0.")] = ""


# --- policies/approvals.yaml ----------------------------------------------------------------------------------------


class ApprovalRule(Manifest, frozen=True, kw_only=True):
    """Who has to approve a change of certain files."""

    id: Name
    paths: Annotated[
        list[Text], Meta(min_length=1, description="Patterns such as deployments/production/*; * also matches /.")
    ]
    role: Annotated[Text, Meta(description="writers, owners, or a role declared above.")] = "writers"
    count: Annotated[int, Meta(ge=1, le=20, description="How many of them.")] = 1
    why: Text


class Approvals(Manifest, frozen=True, kw_only=True):
    """``policies/approvals.yaml``: who must approve what. Read from the base branch; the author never counts."""

    roles: Annotated[
        dict[Name, list[Text]], Meta(description="Role → handles (@grace), teams (@acme/risk), e-mail addresses.")
    ] = field(default_factory=dict)
    rules: Annotated[list[ApprovalRule], Meta(min_length=1)]


# --- waivers/*.yaml -----------------------------------------------------------------------------------------------


class Waiver(Manifest, frozen=True, kw_only=True):
    """A reviewed, expiring exception of one check for one artifact."""

    model: Name
    check: Name
    artifact: Annotated[
        Sha256, Meta(description="The artifact's sha256, 64 hexadecimal digits; other bytes are not waived.")
    ]
    reason: Text
    requested_by: Text
    approved_by: (
        Annotated[
            Text, Meta(description="Not who requested it. Left out on a forge, where the review of this file says who.")
        ]
        | None
    ) = None
    expires: Annotated[Date, Meta(description="The last day on which it holds, such as 2026-05-31.")]
