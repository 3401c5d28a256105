"""``modelyard.yaml``: environments in promotion order, the forge, signing, kept evidence and alerts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from modelyard.manifests.calendar import Freeze
from modelyard.manifests.names import Count, Duration, Label, Manifest, Name, Port, Reference, RootPath, Text

Role = Literal["viewer", "caller", "operator"]
_Url = Annotated[str, Meta(pattern=r"^(https?://[^\s@]+)?$(?!\n)", max_length=500)]


class Token(Manifest, frozen=True, kw_only=True):
    """One access token of the local server."""

    role: Annotated[
        Role,
        Meta(
            description="viewer: metrics and loaded versions; caller: predictions; operator: everything, and control."
        ),
    ]
    token: Reference
    who: Annotated[str, Meta(max_length=200, description="Who holds the token. The server's log shows it.")] = ""


class Limits(Manifest, frozen=True, kw_only=True):
    """Limits of one request to the local server."""

    body_bytes: Annotated[int, Meta(ge=1_000, description="Bytes of a body; a larger one is refused with 413.")] = (
        64_000_000
    )
    rows: Annotated[int, Meta(ge=1, le=1_000_000, description="Largest number of rows in one request.")] = 100_000
    seconds: Annotated[
        float, Meta(gt=0, description="Seconds; a body that takes longer to arrive is refused with 408.")
    ] = 30.0
    answer_seconds: Annotated[
        float,
        Meta(gt=0, description="Seconds; a model whose file cannot be checked and that takes longer is answered 504."),
    ] = 30.0
    drain_seconds: Annotated[
        float, Meta(ge=0, description="Seconds that open requests may still take after SIGTERM.")
    ] = 10.0


class PredictionLogging(Manifest, frozen=True, kw_only=True):
    """How the local server logs predictions, and how long it keeps them."""

    segment_bytes: Annotated[
        int, Meta(ge=10_000, description="Bytes; a larger segment is closed and converted to Parquet.")
    ] = 64_000_000
    segment_hours: Annotated[float, Meta(gt=0, description="Hours; an older segment is closed too.")] = 24.0
    keep_days: Annotated[
        Count, Meta(description="Days after which a closed segment is deleted; 0 keeps all segments.")
    ] = 400
    when_full: Annotated[
        Literal["refuse", "answer"],
        Meta(
            description=(
                "Where a prediction cannot be logged. refuse: send no answer; answer: send it and count the lost row."
            )
        ),
    ] = "refuse"
    hash_key: Annotated[
        Reference | None, Meta(description="The key for the digests that replace the values of personal columns.")
    ] = None


class Predictions(Manifest, frozen=True, kw_only=True):
    """Where the predictions of an environment are logged."""

    reader: Annotated[
        Name,
        Meta(description="log (the local server's log), files, sagemaker, cloudevents, or whylogs (profiles of days)."),
    ] = "log"
    uri: Annotated[
        str,
        Meta(
            max_length=1000,
            description="A local folder or one in an object store, such as s3://bucket/predictions/{model}. {model} is"
            " replaced by the model's name.",
        ),
    ] = ""
    columns: Annotated[
        dict[str, str],
        Meta(
            description=(
                "files: our name → the column's name there. Names: id, entity, time, version, score, inputs.<name>, …"
            )
        ),
    ] = field(default_factory=dict)


class SampleSettings(Manifest, frozen=True, kw_only=True):
    """The metrics system that an environment's rollouts are judged by, for a target that keeps no samples itself."""

    type: Annotated[Name, Meta(description="prometheus, or cloudwatch: the metrics of SageMaker's variants.")]
    url: Annotated[_Url, Meta(description="prometheus: the server's base URL.")] = ""
    query: Annotated[
        str,
        Meta(
            max_length=2000,
            description='prometheus: the counters of all requests, such as requests_total{model="{model}"}. They are'
            " summed by version here. {model} is replaced.",
        ),
    ] = ""
    errors: Annotated[str, Meta(max_length=2000, description="prometheus: the counters of failed requests.")] = ""
    latency: Annotated[
        str, Meta(max_length=2000, description="prometheus: the buckets of a histogram in seconds, with the label le.")
    ] = ""
    label: Annotated[
        str,
        Meta(
            pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$(?!\n)",
            max_length=100,
            description="prometheus: the label that names the version, such as v1.2.0 or churn-v1-2-0.",
        ),
    ] = "version"
    token: Annotated[Reference | None, Meta(description="The reference to the server's access token.")] = None


class Environment(Manifest, frozen=True, kw_only=True):
    """One environment: where versions are served."""

    name: Name
    target: Name = "local"
    folder: Annotated[
        str, Meta(max_length=500, description="local: the folder for the versions. Default: .modelyard/local/<name>.")
    ] = ""
    host: Annotated[str, Meta(max_length=253)] = "127.0.0.1"
    port: Port = 8080
    tokens: Annotated[
        list[Token],
        Meta(description="local: access tokens. Without any, the server accepts only requests from this machine."),
    ] = field(default_factory=list)
    limits: Limits = field(default_factory=Limits)
    log: PredictionLogging = field(default_factory=PredictionLogging)
    predictions: Predictions = field(default_factory=Predictions)
    samples: Annotated[
        SampleSettings | None, Meta(description="Where the analysis of rollouts gets its samples. Default: the target.")
    ] = None
    settings: Annotated[
        dict[str, Any], Meta(description="Settings of the target, such as a URL; see docs/targets.md.")
    ] = field(default_factory=dict)
    bake: Annotated[
        Duration,
        Meta(
            description=(
                "Bake time: how long a version must have served in the previous environment before it may go here."
            )
        ),
    ] = "0s"
    freezes: list[Freeze] = field(default_factory=list)


class Alerts(Manifest, frozen=True, kw_only=True):
    """Channels of ``monitor --alert``. An alert is open from a failed watch until that watch passes again."""

    issues: Annotated[
        bool, Meta(description="GitHub, GitLab: one issue for each alert, closed when the alert ends.")
    ] = True
    webhook: Annotated[
        Reference | None,
        Meta(description="Where the webhook's address is kept. It gets a POST when an alert starts and when it ends."),
    ] = None
    alertmanager: Annotated[_Url, Meta(description="Alertmanager's base URL, such as http://alertmanager:9093.")] = ""
    pushgateway: Annotated[
        _Url, Meta(description="Base URL of a Prometheus Pushgateway, for the metrics of each window.")
    ] = ""
    hold: Annotated[
        Duration,
        Meta(
            description="How long a window's result is valid. Then Alertmanager resolves its alerts, and a missing"
            " window is an alert itself.",
        ),
    ] = "26h"


class TrackerSettings(Manifest, frozen=True, kw_only=True):
    """One experiment tracker, which gets a copy of every proposal and version."""

    type: Annotated[Name, Meta(description="mlflow, wandb or openlineage.")]
    url: Annotated[
        _Url,
        Meta(description="The server's base URL, such as https://mlflow.example.org. wandb: without it, wandb.ai."),
    ] = ""
    project: Annotated[
        str,
        Meta(
            pattern=r"^([\w.-]+(/[\w.-]+)*)?$(?!\n)",
            max_length=200,
            description="wandb: PROJECT or ENTITY/PROJECT. mlflow: what stands before the model's name in the name of"
            " its experiment.",
        ),
    ] = ""
    token: Annotated[
        Reference | None,
        Meta(description="The reference to the server's access token. wandb: without it, runs stay offline."),
    ] = None


class EngineSettings(Manifest, frozen=True, kw_only=True):
    """One pipeline engine, on which ``modelyard retrain --on NAME`` runs a model's exported pipeline."""

    name: Name
    type: Annotated[Name, Meta(description="kubeflow, or argo: Argo Workflows with the flow that Metaflow deployed.")]
    url: Annotated[_Url, Meta(description="The server's base URL, such as https://pipelines.example.org.")] = ""
    namespace: Annotated[
        str,
        Meta(pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$(?!\n)", max_length=63, description="The runs' namespace."),
    ] = ""
    repository: Annotated[
        str, Meta(max_length=500, description="The URL that the steps clone. Without it, the URL of the git remote.")
    ] = ""
    token: Annotated[Reference | None, Meta(description="The reference to the server's access token.")] = None


# --- modelyard.yaml -----------------------------------------------------------------------------------------------


class Identity(Manifest, frozen=True, kw_only=True):
    """A workflow that may sign without a key, by the OpenID token of its CI system."""

    identity: Annotated[Text, Meta(description="Such as https://github.com/acme/models/.github/workflows/deploy.yml@…")]
    issuer: Annotated[Text, Meta(description="Such as https://token.actions.githubusercontent.com")]


class Signing(Manifest, frozen=True, kw_only=True):
    """Who may sign versions. With it, register signs each version, and deploy requires such a signature."""

    keys: Annotated[list[RootPath], Meta(description="Public elliptic-curve keys, PEM files.")] = field(
        default_factory=list
    )
    identities: list[Identity] = field(default_factory=list)
    allowed_signers: Annotated[
        str,
        Meta(max_length=500, description="An SSH allowed-signers file. With it, every tag must be signed."),
    ] = ""


class EvidenceKeeping(Manifest, frozen=True, kw_only=True):
    """How long files stay in the newest tree of the evidence branch. Its history keeps all of them."""

    pull_days: Annotated[
        int, Meta(ge=1, description="Days after which the reports of a closed pull request are removed from the tree.")
    ] = 400


class AllowedSecret(Manifest, frozen=True, kw_only=True):
    """One secret that may be sent to one host."""

    ref: Annotated[Text, Meta(description="The reference, such as env:MLFLOW_TOKEN.")]
    host: Annotated[Text, Meta(description="The name of the host without scheme and port, such as mlflow.example.org.")]


class SecretRules(Manifest, frozen=True, kw_only=True):
    """Where secrets may be sent. Only what the default branch says counts."""

    allow: list[AllowedSecret] = field(default_factory=list)


class MirrorSettings(Manifest, frozen=True, kw_only=True):
    """A copy of the default branch, the evidence and the tags in a bucket with object lock."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}){0,9}$(?!\n)",
            description="s3://BUCKET or s3://BUCKET/FOLDER. The bucket must have object lock.",
        ),
    ]
    endpoint: Annotated[_Url, Meta(description="The server's URL, where it is not AWS.")] = ""
    region: Annotated[str, Meta(pattern=r"^([a-z0-9-]{1,40})?$(?!\n)", description="Default: AWS_REGION.")] = ""
    key: Annotated[
        Reference | None,
        Meta(description="The reference to ID:SECRET, an access key that may add objects. Default: AWS's own sources."),
    ] = None
    mode: Annotated[
        Literal["governance", "compliance"],
        Meta(description="governance: a person with a special right may delete an object; compliance: nobody may."),
    ] = "governance"
    retention_days: Annotated[
        int, Meta(ge=1, le=36_500, description="Days for which the server refuses to delete an object.")
    ] = 400


class Repository(Manifest, frozen=True, kw_only=True):
    """``modelyard.yaml``: marks the root of a model repository, and configures it."""

    toolkit: Annotated[
        str, Meta(pattern=r"^\d+\.\d+\.\d+$", description="The modelyard version that this file was written for.")
    ]
    environments: Annotated[list[Environment], Meta(min_length=1, description="The environments, in promotion order.")]
    forge: Literal["git", "github", "gitlab"] = "git"
    owners: Annotated[
        list[Text], Meta(description="Owners of the files that belong to no model: policies, waivers, workflows.")
    ] = field(default_factory=list)
    runners: Annotated[
        list[Label],
        Meta(description="Labels of CI runners that a model.yaml may name. Only the default branch's count."),
    ] = field(default_factory=list)
    default_branch: Annotated[str, Meta(min_length=1, max_length=200)] = "main"
    cml: Annotated[
        bool,
        Meta(description="With the forge github: CML posts the reports where it is installed; else the forge's API."),
    ] = True
    pictures: Annotated[
        Literal["none", "evidence-branch"],
        Meta(
            description="evidence-branch: comments on pull requests of the repository's own branches show pictures,"
            " which are files of its evidence branch. none: comments have no pictures."
        ),
    ] = "evidence-branch"
    signing: Signing | None = None
    secrets: SecretRules = field(default_factory=SecretRules)
    evidence: EvidenceKeeping = field(default_factory=EvidenceKeeping)
    mirror: Annotated[
        MirrorSettings | None, Meta(description="Where a copy is kept. Only what the default branch says counts.")
    ] = None
    alerts: Alerts = field(default_factory=Alerts)
    trackers: Annotated[
        list[TrackerSettings], Meta(description="Experiment trackers. They get copies; Git has the record.")
    ] = field(default_factory=list)
    engines: Annotated[list[EngineSettings], Meta(description="Pipeline engines that may retrain models.")] = field(
        default_factory=list
    )
