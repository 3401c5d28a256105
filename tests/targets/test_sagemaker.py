"""SageMaker: variants and weights against moto; what moto cannot do (update_endpoint) against botocore's Stubber."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from modelyard.errors import ModelyardError
from modelyard.rollout.plan import Action, Traffic
from moto import mock_aws
from support.packages import Made, carry, take_off, target_of

ROLE = "arn:aws:iam::123456789012:role/sagemaker"
SETTINGS: dict[str, Any] = {"role": ROLE, "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/modelyard:1",
                            "bucket": "models", "region": "eu-west-1"}  # fmt: skip


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        place = {"LocationConstraint": "eu-west-1"}
        boto3.client("s3", "eu-west-1").create_bucket(Bucket="models", CreateBucketConfiguration=place)
        yield boto3.client("sagemaker", "eu-west-1")


def test_variants_get_their_weights_in_place(aws: Any, made: dict[str, Made], tmp_path: Path) -> None:
    target = target_of("sagemaker", tmp_path, **SETTINGS)
    assert target.observe() == {}
    shared = Traffic("v1.0.0", "v1.1.0", 5.0, salt="r")
    carry(target, made, shared)
    packed = boto3.client("s3", "eu-west-1").get_object(Bucket="models", Key="modelyard/churn/v1.1.0/model.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(packed["Body"].read())) as archive:
        artifact = archive.extractfile("./artifact/model.txt")
        assert artifact and artifact.read() == made["v1.1.0"].package.artifact.read_bytes()
    carry(target, made, Traffic("v1.0.0", "v1.1.0", 40.0, salt="r"))
    variants = aws.describe_endpoint(EndpointName="production-churn")["ProductionVariants"]
    assert {v["VariantName"]: v["CurrentWeight"] for v in variants} == {"v1-0-0": 60.0, "v1-1-0": 40.0}
    assert target.health("churn", "v1.1.0").state == "healthy"
    aws.update_endpoint_weights_and_capacities(
        EndpointName="production-churn",
        DesiredWeightsAndCapacities=[
            {"VariantName": "v1-0-0", "DesiredWeight": 100}, {"VariantName": "v1-1-0", "DesiredWeight": 0}],
    )  # fmt: skip
    traffic = target.observe()["churn"].traffic
    assert traffic and traffic.weight == 0, "what the endpoint does counts"
    take_off(target)
    assert aws.list_models()["Models"] == [] and aws.list_endpoints()["Endpoints"] == []


def test_a_serverless_endpoint(aws: Any, made: dict[str, Made], tmp_path: Path) -> None:
    lean = target_of("sagemaker", tmp_path, **SETTINGS, serverless={"memory_mb": 1024, "concurrency": 2})
    assert lean.strategies == ("all-at-once",)
    carry(lean, made, Traffic("v1.0.0"))
    name = aws.describe_endpoint(EndpointName="production-churn")["EndpointConfigName"]
    (variant,) = aws.describe_endpoint_config(EndpointConfigName=name)["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 1024, "MaxConcurrency": 2}


def test_a_shadow_gets_a_copy_of_every_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    target: Any = target_of("sagemaker", tmp_path, **SETTINGS)
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/production-churn"
    described = {"EndpointName": "production-churn", "EndpointArn": arn, "EndpointConfigName": "c",
                 "EndpointStatus": "InService", "CreationTime": 0, "LastModifiedTime": 0}  # fmt: skip

    def variant(version: str) -> dict[str, Any]:
        return {"VariantName": version, "ModelName": f"production-churn-{version}", "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1, "InitialVariantWeight": 100.0}  # fmt: skip

    with Stubber(target._api) as stub:
        stub.add_client_error("describe_endpoint", "ValidationException", "Could not find endpoint")
        stub.add_response(
            "create_endpoint_config", {"EndpointConfigArn": arn},
            {"EndpointConfigName": ANY, "ProductionVariants": [variant("v1-0-0")],
             "ShadowProductionVariants": [variant("v1-1-0")]},
        )  # fmt: skip
        stub.add_response(
            "create_endpoint", {"EndpointArn": arn}, {"EndpointName": "production-churn", "EndpointConfigName": ANY}
        )
        stub.add_response("describe_endpoint", described, {"EndpointName": "production-churn"})
        stub.add_response("add_tags", {"Tags": []}, {"ResourceArn": arn, "Tags": ANY})
        target.apply("churn", Action("route", "v1.1.0", Traffic("v1.0.0", "v1.1.0", 0.0, mirror=True)), None)
        stub.assert_no_pending_responses()


def test_a_refusal_of_aws_is_an_error_in_one_sentence(aws: Any, made: dict[str, Made], tmp_path: Path) -> None:
    target = target_of("sagemaker", tmp_path, **(SETTINGS | {"bucket": "nobody"}))
    with pytest.raises(ModelyardError, match="AWS refused put_object: The specified bucket does not exist"):
        target.apply("churn", Action("install", "v1.0.0"), made["v1.0.0"].package)
    assert target.health("churn", "v1.0.0").state == "failed"


def test_another_version_is_rolled_out_with_guardrails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    guardrails = {"type": "CANARY", "percent": 10, "wait_seconds": 60, "alarms": ["churn-5xx"]}
    target: Any = target_of("sagemaker", tmp_path, **SETTINGS, guardrails=guardrails)
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/production-churn"
    described = {"EndpointName": "production-churn", "EndpointArn": arn, "EndpointConfigName": "c", "EndpointStatus": "InService",
                 "CreationTime": 0, "LastModifiedTime": 0,
                 "ProductionVariants": [{"VariantName": "v1-0-0", "CurrentWeight": 100.0}]}  # fmt: skip
    old = {"VariantName": "v1-0-0", "ModelName": "production-churn-v1-0-0", "InitialInstanceCount": 1}
    config = {"EndpointConfigName": "c", "EndpointConfigArn": arn, "CreationTime": 0, "ProductionVariants": [old]}
    with Stubber(target._api) as stub:
        stub.add_response("describe_endpoint", described, {"EndpointName": "production-churn"})
        stub.add_response("describe_endpoint_config", config, {"EndpointConfigName": "c"})
        stub.add_response(
            "create_endpoint_config", {"EndpointConfigArn": arn}, {"EndpointConfigName": ANY, "ProductionVariants": ANY}
        )
        policy = {
            "TrafficRoutingConfiguration": {"Type": "CANARY", "WaitIntervalInSeconds": 60,
                                            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10}},
            "TerminationWaitInSeconds": 600, "MaximumExecutionTimeoutInSeconds": 3600,
        }  # fmt: skip
        wanted = {
            "BlueGreenUpdatePolicy": policy,
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "churn-5xx"}]},
        }
        stub.add_response(
            "update_endpoint", {"EndpointArn": arn},
            {"EndpointName": "production-churn", "EndpointConfigName": ANY, "DeploymentConfig": wanted},
        )  # fmt: skip
        stub.add_response("describe_endpoint", described, {"EndpointName": "production-churn"})
        stub.add_response("add_tags", {"Tags": []}, {"ResourceArn": arn, "Tags": ANY})
        target.apply("churn", Action("route", "v1.1.0", Traffic("v1.1.0")), None)
        stub.add_response("describe_endpoint", described, {"EndpointName": "production-churn"})
        stub.add_response("describe_endpoint_config", config, {"EndpointConfigName": "c"})
        stub.add_response("create_endpoint_config", {"EndpointConfigArn": arn})
        stub.add_response("update_endpoint", {"EndpointArn": arn})
        failed = described | {"EndpointStatus": "UpdateRollbackFailed", "FailureReason": "alarm churn-5xx"}
        stub.add_response("describe_endpoint", failed, {"EndpointName": "production-churn"})
        with pytest.raises(ModelyardError, match="UpdateRollbackFailed: alarm churn-5xx"):
            target.apply("churn", Action("route", "v1.1.0", Traffic("v1.1.0")), None)
        stub.assert_no_pending_responses()
