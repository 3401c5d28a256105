"""Samples from CloudWatch: invocations of SageMaker's variants and their server errors, by minute."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError, missing_extra
from modelyard.manifests.configuration import Environment
from modelyard.secrets.interface import Secrets
from modelyard.targets.sagemaker import endpoint_name
from modelyard.targets.sample_sources import version_in

if TYPE_CHECKING:
    from modelyard.rollout.analysis import Samples

_NAMESPACE = "AWS/SageMaker"
_REQUESTS, _FAILURES = "Invocations", ("Invocation5XXErrors", "InvocationModelErrors")
_PERIOD = 60


class CloudWatchSamples:
    """The metrics of one account and region. CloudWatch keeps no latency of a request, so there are none."""

    def __init__(self, environment: Environment, secrets: Secrets, clock: Callable[[], float] = time.time) -> None:
        try:
            import boto3
        except ImportError as error:
            raise missing_extra("aws", "boto3") from error
        region = str(environment.settings.get("region") or "")
        self._environment, self._clock = environment.name, clock
        self._api = boto3.session.Session(region_name=region or None).client("cloudwatch")

    def samples(self, model: str, since: float) -> Mapping[str, Samples]:
        """Version → its samples. A variant is named after its version."""
        from modelyard.rollout.counts import Counts, added, samples_from

        endpoint = endpoint_name(self._environment, model)
        try:
            variants = self._variants(endpoint)
            counted = self._sums(endpoint, variants, since)
        except Exception as error:  # botocore's and the session's
            raise ModelyardError(
                f"CloudWatch does not give the metrics of {endpoint} ({type(error).__name__}).",
                "Check the credentials and the region; the role needs cloudwatch:ListMetrics and GetMetricData.",
            ) from error
        return {
            version: samples_from(
                Counts(
                    counted[variant, _REQUESTS],
                    # A failure of the model is one of the server errors too, where both are counted.
                    max((counted[variant, name] for name in _FAILURES), key=lambda one: sum(one.values())),
                )
            )
            for variant in variants
            if (version := version_in(variant)) and added([counted[variant, _REQUESTS]])
        }

    def _variants(self, endpoint: str) -> list[str]:
        pages = self._api.get_paginator("list_metrics").paginate(
            Namespace=_NAMESPACE, MetricName=_REQUESTS, Dimensions=[{"Name": "EndpointName", "Value": endpoint}]
        )
        named = (metric["Dimensions"] for page in pages for metric in page["Metrics"])
        return sorted({one["Value"] for dimensions in named for one in dimensions if one["Name"] == "VariantName"})

    def _sums(self, endpoint: str, variants: list[str], since: float) -> dict[tuple[str, str], dict[int, float]]:
        asked = [(variant, name) for variant in variants for name in (_REQUESTS, *_FAILURES)]
        found: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
        queries = [
            {"Id": f"q{number}", "MetricStat": {"Metric": _metric(endpoint, *one), "Period": _PERIOD, "Stat": "Sum"}}
            for number, one in enumerate(asked)
        ]
        span = {"StartTime": datetime.fromtimestamp(since, UTC), "EndTime": datetime.fromtimestamp(self._clock(), UTC)}
        paginator = self._api.get_paginator("get_metric_data")
        for page in paginator.paginate(MetricDataQueries=queries, **span) if queries else ():
            for result in page["MetricDataResults"]:
                of_one = found[asked[int(result["Id"][1:])]]
                for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                    of_one[int(at.timestamp() // 60)] = float(value)
        return found


def _metric(endpoint: str, variant: str, name: str) -> dict[str, Any]:
    dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
    return {"Namespace": _NAMESPACE, "MetricName": name, "Dimensions": dimensions}
