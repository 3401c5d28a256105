"""The ``sagemaker`` target: one endpoint per model, with versions as production or shadow variants.

A change of weights alone is applied in place. Other variants need a new endpoint configuration. It is rolled out with
SageMaker's guardrails (blue/green, canary or linear, with alarms that roll it back) if the settings name them.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from modelyard.errors import ModelyardError, missing_extra
from modelyard.flavors.probe import Probe
from modelyard.manifests.configuration import Environment
from modelyard.manifests.deployment import Analysis, Strategy
from modelyard.rollout.plan import Action, Live, Traffic
from modelyard.scoring.probe import Probed
from modelyard.secrets.interface import Secrets
from modelyard.targets.interface import PREFIX, Health, Package, read_traffic, settings_of, write_traffic
from modelyard.targets.local import write_version

if TYPE_CHECKING:
    from modelyard.ground_truth.labels import GroundTruth
    from modelyard.rollout.analysis import Samples

_LONGEST_NAME = 44
"""Characters of an endpoint's name. SageMaker allows 63, and other names append a version or a time to it."""


class Guardrails(Struct, frozen=True, forbid_unknown_fields=True):
    """SageMaker's deployment guardrails for a new configuration."""

    type: str = "ALL_AT_ONCE"
    """ALL_AT_ONCE, CANARY or LINEAR."""
    percent: int = 10
    wait_seconds: int = 300
    keep_seconds: int = 600
    timeout_seconds: int = 3600
    alarms: tuple[str, ...] = ()
    """CloudWatch alarms. Without any, SageMaker rolls nothing back."""


class Serverless(Struct, frozen=True, forbid_unknown_fields=True):
    """Serverless inference. It has one variant and no shadow."""

    memory_mb: int = 2048
    concurrency: int = 5


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings: role, image, bucket and instances."""

    role: str
    image: str
    """The serving container, such as the one of modelyard package; see docs/targets.md."""
    bucket: str
    region: str = ""
    prefix: str = "modelyard"
    instance: str = "ml.m5.large"
    count: int = 1
    serverless: Serverless | None = None
    guardrails: Guardrails | None = None
    ready_seconds: int = 1800


class SageMakerTarget:
    """The endpoints of one account and region."""

    strategies: tuple[Strategy, ...] = ("all-at-once", "canary", "blue-green", "shadow")

    def __init__(self, environment: Environment, root: Path, secrets: Secrets) -> None:
        try:
            import boto3
        except ImportError as error:
            raise missing_extra("aws", "boto3") from error
        settings = self._settings = settings_of(environment, Settings)
        if settings.serverless:
            self.strategies = ("all-at-once",)
        self._environment = environment.name
        session = boto3.session.Session(region_name=settings.region or None)
        self._api, self._s3 = session.client("sagemaker"), session.client("s3")

    def observe(self) -> dict[str, Live]:
        """The models that modelyard created, and the traffic of their endpoints."""
        found: dict[str, Live] = {}
        for entry in self._pages("list_models", "Models", NameContains=f"{self._environment}-"):
            noted = self._tags(entry["ModelArn"])
            if noted.get(f"{PREFIX}:environment") == self._environment:
                model, version = noted[f"{PREFIX}:model"], noted[f"{PREFIX}:version"]
                installed = {**found.get(model, Live()).installed, version: noted[f"{PREFIX}:sha256"]}
                found[model] = Live(None, installed)
        for model, live in found.items():
            there = self._described(model)
            if there is None:
                continue
            traffic = read_traffic(self._tags(there["EndpointArn"]).get(f"{PREFIX}:traffic"))
            found[model] = Live(_weighed(traffic, there), live.installed)
        return found

    def health(self, model: str, version: str) -> Health:
        """The status of the endpoint."""
        there = self._described(model)
        if there is None:
            return Health("failed", f"there is no endpoint {self._endpoint(model)}")
        status = there["EndpointStatus"]
        if status == "InService":
            return Health("healthy")
        failed = "Failed" in status or "RolledBack" in status
        return Health("failed" if failed else "unknown", there.get("FailureReason", status))

    def probe(self, model: str, version: str, probe: Probe) -> Probed | None:
        """None: calling the endpoint needs other rights. Its containers check the probe rows before they are ready."""
        return None

    def samples(
        self, model: str, since: float, analysis: Analysis, ground_truth: GroundTruth | None
    ) -> Mapping[str, Samples]:
        """No samples of its own: ``samples: {type: cloudwatch}`` of the environment asks CloudWatch for them."""
        return {}

    def apply(self, model: str, action: Action, package: Package | None) -> None:
        """Uploads and registers a version, moves traffic, or deletes a version."""
        if action.do == "install" and package is not None:
            self._install(package)
        elif action.do == "remove":
            self._do("delete_model", ModelName=self._name(model, action.version))
        elif action.traffic is not None and not action.traffic.stable:
            self._do("delete_endpoint", EndpointName=self._endpoint(model))
        elif action.traffic is not None:
            self._route(model, action.traffic)

    def _install(self, package: Package) -> None:
        key = f"{self._settings.prefix}/{package.model}/{package.version}/model.tar.gz"
        packed = io.BytesIO()
        with TemporaryDirectory(prefix="modelyard-") as scratch, tarfile.open(fileobj=packed, mode="w:gz") as archive:
            write_version(Path(scratch), package)
            archive.add(scratch, arcname=".")
        self._do_with(self._s3, "put_object", Bucket=self._settings.bucket, Key=key, Body=packed.getvalue())
        noted = {
            "environment": self._environment,
            "model": package.model,
            "version": package.version,
            "sha256": package.sha256,
        }
        name = self._name(package.model, package.version)
        self._do("delete_model", ModelName=name)  # the model that was there had other bytes
        container = {"Image": self._settings.image, "ModelDataUrl": f"s3://{self._settings.bucket}/{key}"}
        self._do(
            "create_model", ModelName=name, ExecutionRoleArn=self._settings.role, PrimaryContainer=container,
            Tags=[{"Key": f"{PREFIX}:{key}", "Value": value} for key, value in noted.items()],
        )  # fmt: skip

    def _route(self, model: str, traffic: Traffic) -> None:
        endpoint, there = self._endpoint(model), self._described(model)
        wanted = self._variants(model, traffic)
        if there is not None and _names(self._configured(there)) == _names(wanted):
            weights = [
                {"VariantName": v["VariantName"], "DesiredWeight": v["InitialVariantWeight"]}
                for v in wanted["ProductionVariants"]
            ]
            self._do(
                "update_endpoint_weights_and_capacities", EndpointName=endpoint, DesiredWeightsAndCapacities=weights
            )
        else:
            config = f"{endpoint}-{time.time_ns() // 1_000_000}"
            self._do("create_endpoint_config", EndpointConfigName=config, **wanted)
            if there is None:
                self._do("create_endpoint", EndpointName=endpoint, EndpointConfigName=config)
            else:
                guarded = (
                    {"DeploymentConfig": _deployment(self._settings.guardrails)} if self._settings.guardrails else {}
                )
                self._do("update_endpoint", EndpointName=endpoint, EndpointConfigName=config, **guarded)
        arn = self._wait(model)
        self._do("add_tags", ResourceArn=arn, Tags=[{"Key": f"{PREFIX}:traffic", "Value": write_traffic(traffic)}])

    def _variants(self, model: str, traffic: Traffic) -> dict[str, list[dict[str, Any]]]:
        shares = {traffic.stable: 100 - traffic.weight}
        if traffic.candidate and (traffic.weight or not traffic.mirror):
            shares[traffic.candidate] = traffic.weight
        found = {"ProductionVariants": [self._variant(model, version, weight) for version, weight in shares.items()]}
        if traffic.candidate and traffic.mirror:
            found["ShadowProductionVariants"] = [self._variant(model, traffic.candidate, 100.0)]
        return found

    def _variant(self, model: str, version: str, weight: float) -> dict[str, Any]:
        named = {"VariantName": _variant_name(version), "ModelName": self._name(model, version)}
        serverless = self._settings.serverless
        if serverless:
            sizes = {"MemorySizeInMB": serverless.memory_mb, "MaxConcurrency": serverless.concurrency}
            return {**named, "ServerlessConfig": sizes, "InitialVariantWeight": weight}
        machines = {"InstanceType": self._settings.instance, "InitialInstanceCount": self._settings.count}
        return {**named, **machines, "InitialVariantWeight": weight}

    def _wait(self, model: str) -> str:
        deadline = time.monotonic() + self._settings.ready_seconds
        while True:
            there = self._described(model)
            status = there["EndpointStatus"] if there else "gone"
            if there and status == "InService":
                return str(there["EndpointArn"])
            if "Failed" in status or "RolledBack" in status or time.monotonic() > deadline:
                reason = (there or {}).get("FailureReason", "no reason given")
                raise ModelyardError(
                    f"The endpoint {self._endpoint(model)} is {status}: {reason}.",
                    "Read its log in CloudWatch, remove the cause, and deploy again.",
                )
            time.sleep(5)

    def _described(self, model: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._do("describe_endpoint", EndpointName=self._endpoint(model))
        return found

    def _configured(self, there: dict[str, Any]) -> dict[str, Any]:
        """The configuration of an endpoint; describing the endpoint does not always list its shadows."""
        return self._do("describe_endpoint_config", EndpointConfigName=there["EndpointConfigName"]) or {}

    def _tags(self, arn: str) -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in self._pages("list_tags", "Tags", ResourceArn=arn)}

    def _pages(self, name: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        return [entry for page in self._api.get_paginator(name).paginate(**arguments) for entry in page[key]]

    def _do(self, name: str, **arguments: Any) -> Any:
        return self._do_with(self._api, name, **arguments)

    def _do_with(self, client: Any, name: str, **arguments: Any) -> Any:
        """The answer of one call; None if its subject does not exist."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(client, name)(**arguments)
        except ClientError as error:
            said = error.response.get("Error", {}).get("Message", "")
            if name.startswith(("describe", "delete")) and ("Could not find" in said or "not find" in said):
                return None
            raise ModelyardError(
                f"AWS refused {name}: {said.rstrip('.')}.", "Correct what it names, or the role's policy."
            ) from error
        except BotoCoreError as error:
            raise ModelyardError(
                f"The AWS call {name} failed: {error}.", "Check the region and the credentials."
            ) from error

    def _endpoint(self, model: str) -> str:
        return endpoint_name(self._environment, model)

    def _name(self, model: str, version: str) -> str:
        return f"{self._endpoint(model)}-{_variant_name(version)}"


def endpoint_name(environment: str, model: str) -> str:
    """The endpoint of a model in an environment, in the form that SageMaker allows."""
    name = f"{environment}-{model}".replace("_", "-")
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _variant_name(version: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in version)


def _names(wanted: dict[str, list[dict[str, Any]]]) -> tuple[frozenset[str], frozenset[str]]:
    """The variants of a configuration, and its shadows."""
    kinds = ("ProductionVariants", "ShadowProductionVariants")
    production, shadow = (frozenset(v["VariantName"] for v in wanted.get(kind) or ()) for kind in kinds)
    return production, shadow


def _weighed(traffic: Traffic | None, there: dict[str, Any]) -> Traffic | None:
    """The traffic of the endpoint; it counts, not our note."""
    if traffic is None:
        return None
    weights = {v["VariantName"]: v.get("CurrentWeight", 0.0) for v in there.get("ProductionVariants") or ()}
    total = sum(weights.values()) or 1.0
    share = round(100 * weights.get(_variant_name(traffic.candidate), 0.0) / total, 6) if traffic.candidate else 0.0
    from msgspec.structs import replace

    return replace(traffic, weight=share)


def _deployment(rails: Guardrails) -> dict[str, Any]:
    routing: dict[str, Any] = {"Type": rails.type, "WaitIntervalInSeconds": rails.wait_seconds}
    if rails.type != "ALL_AT_ONCE":
        size = {"Type": "CAPACITY_PERCENT", "Value": rails.percent}
        routing["CanarySize" if rails.type == "CANARY" else "LinearStepSize"] = size
    update = {
        "TrafficRoutingConfiguration": routing,
        "TerminationWaitInSeconds": rails.keep_seconds,
        "MaximumExecutionTimeoutInSeconds": rails.timeout_seconds,
    }
    found: dict[str, Any] = {"BlueGreenUpdatePolicy": update}
    if rails.alarms:
        found["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name} for name in rails.alarms]}
    return found
