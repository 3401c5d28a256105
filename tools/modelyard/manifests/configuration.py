"""``modelyard.yaml``: environments in promotion order, the forge, signing, evidence and alerts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from modelyard.manifests.calendar import Freeze
from modelyard.manifests.names import Count, Duration, Manifest, Name, Port, Reference, RootPath, Text

Role = Literal["viewer", "caller", "operator"]
_Url = Annotated[str, Meta(pattern=r"^(https?://[^\s@]+)?$(?!\n)", max_length=500)]


class Token(Manifest, frozen=True, kw_only=True):
    """One secret that opens a part of the local server."""

    role: Annotated[
        Role,
        Meta(description="viewer: metrics and what is loaded; caller: predictions; operator: all of it, and control."),
    ]
    token: Reference
    who: Annotated[str, Meta(max_length=200, description="Whose it is; shown in the server's log.")] = ""


class Limits(Manifest, frozen=True, kw_only=True):
    """What one request to the local server may take."""

    body_bytes: Annotated[int, Meta(ge=1_000, description="Larger bodies are refused with 413.")] = 64_000_000
    rows: Annotated[int, Meta(ge=1, le=1_000_000, description="Rows of one request.")] = 100_000
    seconds: Annotated[float, Meta(gt=0, description="A body that takes longer to arrive is refused with 408.")] = 30.0
    drain_seconds: Annotated[float, Meta(ge=0, description="After SIGTERM, how long open requests may still take.")] = (
        10.0
    )


class PredictionLogging(Manifest, frozen=True, kw_only=True):
    """How long and how the local server keeps what it answered."""

    segment_bytes: Annotated[int, Meta(ge=10_000, description="A larger segment is closed and becomes Parquet.")] = (
        64_000_000
    )
    segment_hours: Annotated[float, Meta(gt=0, description="An older segment is closed too.")] = 24.0
    keep_days: Annotated[Count, Meta(description="Days after which a closed segment is deleted; 0 keeps all.")] = 400
    when_full: Annotated[
        Literal["refuse", "answer"],
        Meta(description="refuse: what cannot be logged is not answered; answer: it is, and the loss is counted."),
    ] = "refuse"
    hash_key: Annotated[
        Reference | None, Meta(description="The key of the digests that stand for personal columns.")
    ] = None


class Predictions(Manifest, frozen=True, kw_only=True):
    """Where the predictions of an environment are logged."""

    reader: Annotated[Name, Meta(description="log (the local server's own), files, sagemaker, cloudevents.")] = "log"
    uri: Annotated[
        str,
        Meta(
            max_length=1000,
            description="A folder here or in an object store, such as s3://bucket/predictions/{model}; {model} becomes"
            " the model's name.",
        ),
    ] = ""
    columns: Annotated[
        dict[str, str],
        Meta(description="files: what a column is called there; id, entity, time, version, score, inputs.<name>, …"),
    ] = field(default_factory=dict)


class Environment(Manifest, frozen=True, kw_only=True):
    """A place where versions are served."""

    name: Name
    target: Name = "local"
    folder: Annotated[
        str, Meta(max_length=500, description="local: where versions are laid out; default .modelyard/local/<name>.")
    ] = ""
    host: Annotated[str, Meta(max_length=253)] = "127.0.0.1"
    port: Port = 8080
    tokens: Annotated[
        list[Token], Meta(description="local: who may do what. Without any, only this machine is listened to.")
    ] = field(default_factory=list)
    limits: Limits = field(default_factory=Limits)
    log: PredictionLogging = field(default_factory=PredictionLogging)
    predictions: Predictions = field(default_factory=Predictions)
    settings: Annotated[
        dict[str, Any], Meta(description="What the target asks for, such as a URL; see docs/targets.md.")
    ] = field(default_factory=dict)
    bake: Annotated[
        Duration, Meta(description="How long a version has to have served in the environment before this one.")
    ] = "0s"
    freezes: list[Freeze] = field(default_factory=list)


class Alerts(Manifest, frozen=True, kw_only=True):
    """Where ``monitor --alert`` tells of a cause: a watch that failed, until it passes again."""

    issues: Annotated[bool, Meta(description="GitHub, GitLab: one issue a cause, closed when it is over.")] = True
    webhook: Annotated[
        Reference | None, Meta(description="Where the address stands that gets a POST when a cause begins or ends.")
    ] = None
    alertmanager: Annotated[_Url, Meta(description="Alertmanager's root, such as http://alertmanager:9093.")] = ""
    pushgateway: Annotated[_Url, Meta(description="Prometheus' push gateway, for the metrics of each window.")] = ""
    hold: Annotated[
        Duration,
        Meta(description="How long a window's word stands: then Alertmanager forgets it, and silence is an alert."),
    ] = "26h"


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
