"""Samples of rollouts from a real Prometheus and from moto's CloudWatch, and what a step does without them."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from modelyard.demo.stage import free_ports
from modelyard.errors import ModelyardError, Refused, UsageError
from modelyard.manifests.configuration import Environment, SampleSettings
from modelyard.manifests.deployment import Analysis, ErrorAnalysis, LatencyAnalysis
from modelyard.rollout.analysis import analyse
from modelyard.secrets.interface import Secrets
from modelyard.targets.prometheus import PrometheusSamples
from modelyard.targets.sagemaker import endpoint_name
from modelyard.targets.sample_sources import open_source, version_in
from support.waiting import answers, running

START = 1_780_000_020 // 60 * 60
"""When the rollout began; the series begin half an hour before."""
MINUTES = 90
QUERY = 'requests_total{model="{model}"}'
SETTINGS = SampleSettings(
    type="prometheus", url="http://127.0.0.1:9", query=QUERY, errors='failures_total{model="{model}"}',
    latency='seconds_bucket{model="{model}"}',
)  # fmt: skip


def openmetrics() -> str:
    """Two versions on two pods each. The candidate fails three times as often, and one of its pods is restarted."""
    lines: dict[str, list[str]] = {"requests": [], "failures": [], "seconds": []}
    for version, pods, failing in (("v1.0.0", "ab", 1), ("v1-1-0", "cd", 3)):
        for pod in pods:
            of = f'model="churn",version="churn-{version}",pod="{pod}"'
            for minute in range(-30, MINUTES + 1):
                if version == "v1-1-0" and minute < 0:
                    continue  # it is installed when the rollout begins
                since = minute - 40 if pod == "d" and minute >= 40 else minute - (0 if version == "v1-1-0" else -30)
                at = START + 60 * minute
                lines["requests"].append(f"requests_total{{{of}}} {100 * since} {at}")
                lines["failures"].append(f"failures_total{{{of}}} {failing * since} {at}")
                for bound, share in (("0.1", 80), ("0.5", 99), ("+Inf", 100)):
                    lines["seconds"].append(f'seconds_bucket{{{of},le="{bound}"}} {share * since} {at}')
                lines["seconds"].append(f"seconds_count{{{of}}} {100 * since} {at}")
                lines["seconds"].append(f"seconds_sum{{{of}}} {since} {at}")
    kinds = {"requests": "counter", "failures": "counter", "seconds": "histogram"}
    parts = [line for name, kind in kinds.items() for line in (f"# TYPE {name} {kind}", *lines[name])]
    return "\n".join([*parts, "# EOF\n"])


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that has these series."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "series.txt").write_text(openmetrics())
    make = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "series.txt", "tsdb"]
    subprocess.run(make, cwd=folder, check=True, capture_output=True)
    (folder / "prometheus.yml").write_text("global: {}\n")
    [port] = free_ports(1)
    command = [
        "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
        "--storage.tsdb.retention.time=100y", f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with running(command, folder, lambda: answers(f"{url}/-/ready")):
        yield url


def environment(settings: SampleSettings, name: str = "production") -> Environment:
    return Environment(name=name, target="kserve", samples=settings)


def source(url: str, **more: str) -> PrometheusSamples:
    from msgspec.structs import replace

    return PrometheusSamples(
        environment(replace(SETTINGS, url=url, **more)), Secrets({}), lambda: float(START + 60 * MINUTES)
    )


def test_prometheus_counts_every_request_since_the_rollout_began(prometheus: str) -> None:
    found = source(prometheus).samples("churn", START)
    assert set(found) == {"v1.0.0", "v1.1.0"}
    champion, candidate = found["v1.0.0"], found["v1.1.0"]
    assert (champion.requests, champion.errors) == (2 * 100 * MINUTES, 2 * MINUTES)
    # The restarted pod counts from 0 again; the minute in which it was away is no growth.
    assert (candidate.requests, candidate.errors) == (100 * (2 * MINUTES - 1), 3 * (2 * MINUTES - 1))
    assert champion.minutes.requests.min() == START // 60 and len(set(champion.minutes.requests)) == MINUTES
    shares = [(champion.latencies <= bound).mean() for bound in (100, 500, math.inf)]
    assert shares == [0.8, 0.99, 1.0] and len(champion.latencies) == champion.requests
    later = source(prometheus).samples("churn", START + 60 * 60)
    assert later["v1.0.0"].requests == 2 * 100 * (MINUTES - 60)
    assert source(prometheus).samples("other", START) == {}


def test_a_canary_is_judged_by_these_samples(prometheus: str) -> None:
    found = source(prometheus).samples("churn", START)
    analysis = Analysis(errors=ErrorAnalysis(margin=0.005), latency=LatencyAnalysis(maximum_ratio=1.3))
    findings = {one.test: one for one in analyse(analysis, found["v1.0.0"], found["v1.1.0"], "healthy")}
    assert (
        findings["errors"].outcome == "fail" and "3.00% of requests fail, champion 1.00%" in findings["errors"].sentence
    )
    assert findings["latency"].outcome == "pass", findings["latency"].sentence


def test_queries_that_are_wrong_are_told(prometheus: str) -> None:
    with pytest.raises(ModelyardError, match="Prometheus answered 400 to GET /api/v1/query_range"):
        source(prometheus, query="sum(").samples("churn", START)
    with pytest.raises(ModelyardError, match="have no label le"):
        source(prometheus, latency='requests_total{model="{model}"}').samples("churn", START)
    assert source(prometheus, label="pod").samples("churn", START) == {}, "no label names a version"


def test_what_a_source_lacks_is_refused() -> None:
    with pytest.raises(UsageError, match="lack url or query"):
        open_source(environment(SampleSettings(type="prometheus", url="http://127.0.0.1:9")), Secrets({}))
    with pytest.raises(ModelyardError, match="not installed"):
        open_source(environment(SampleSettings(type="graphite")), Secrets({}))
    secrets = Secrets({"T": "x"}, lambda reference, url: "the default branch does not allow it")
    with pytest.raises(Refused, match="was not sent"):
        from msgspec.structs import replace

        open_source(environment(replace(SETTINGS, token="env:T")), secrets)
    with pytest.raises(ModelyardError, match=r"Prometheus at \S+ does not answer"):
        source("http://127.0.0.1:9").samples("churn", START)


@pytest.mark.parametrize(
    ("text", "version"),
    [("v1.2.0", "v1.2.0"), ("churn-v1-2-0", "v1.2.0"), ("v10-0-3", "v10.0.3"), ("churn", ""), ("v1.2", ""), ("", "")],
)
def test_a_label_names_a_version_also_as_kubernetes_writes_it(text: str, version: str) -> None:
    assert version_in(text) == version


def test_cloudwatch_counts_sagemakers_variants(monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    since = datetime.now(UTC).timestamp() // 60 * 60 - 600
    with mock_aws():
        client = boto3.client("cloudwatch")
        for variant, failing in (("v1-0-0", 1), ("v1-1-0", 4)):
            dimensions = [
                {"Name": "EndpointName", "Value": endpoint_name("production", "churn")},
                {"Name": "VariantName", "Value": variant},
            ]
            for minute in range(-3, 9):
                at = datetime.fromtimestamp(since + 60 * minute + 5, UTC)
                of = {"Dimensions": dimensions, "Timestamp": at}
                client.put_metric_data(
                    Namespace="AWS/SageMaker",
                    MetricData=[
                        {"MetricName": "Invocations", "Value": 100, **of},
                        {"MetricName": "Invocation5XXErrors", "Value": failing, **of},
                    ],
                )
        found = open_source(environment(SampleSettings(type="cloudwatch")), Secrets({})).samples("churn", since)
        assert {version: (one.requests, one.errors) for version, one in found.items()} == {
            "v1.0.0": (900, 9), "v1.1.0": (900, 36),
        }  # fmt: skip
        assert found["v1.0.0"].minutes.requests.min() == since // 60
        assert (
            open_source(environment(SampleSettings(type="cloudwatch"), "other"), Secrets({})).samples("churn", since)
            == {}
        )


def test_without_the_rights_cloudwatch_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(ModelyardError, match="CloudWatch does not give the metrics of production-churn"):
        open_source(environment(SampleSettings(type="cloudwatch")), Secrets({})).samples("churn", START)
