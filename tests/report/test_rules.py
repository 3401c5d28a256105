"""Prometheus rules, metrics and the dashboard as values; promtool and a real Prometheus read them in tests/production."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from modelyard.commands.alerts import command as alerts
from modelyard.manifests.watches import AnyWatch, InputsWatch, ServiceWatch, TrafficWatch
from modelyard.report.prometheus.metrics import metrics_text
from modelyard.report.prometheus.rules import (
    REQUEST_BUCKETS,
    Watching,
    bad_ratio,
    grafana_dashboard,
    grafana_provisioning,
    prometheus_rules,
)
from report import samples

SERVICE = ServiceWatch(
    id="latency", why="Callers wait {{ here }}.", level="hard", objective=0.99, maximum_milliseconds=120
)


def rules_of(*watches: AnyWatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = prometheus_rules(
        [Watching("production", "churn", "policies/p.yaml", watches)], "26h"
    )["groups"]
    return found


def test_a_slo_alerts_on_both_spans() -> None:
    group, servers = rules_of(SERVICE)
    long, short, alert, silent = group["rules"]
    assert long["record"].endswith(f"ratio_rate{SERVICE.long}") and short["record"].endswith(
        f"ratio_rate{SERVICE.short}"
    )
    assert " and " in alert["expr"] and alert["labels"]["severity"] == "critical" and 'check="latency"' in alert["expr"]
    assert (
        f"The burn rate is at least {SERVICE.burn:g} over {SERVICE.long} and over {SERVICE.short} (error budget 1 %)."
        in (alert["annotations"]["description"])
    )
    assert "{{" not in alert["annotations"]["why"], "a reason of a policy is not a template"
    assert silent["annotations"]["summary"] == "No window of churn in production was monitored for 26h."
    assert "> 93600 or absent(" in silent["expr"]
    assert [rule["alert"] for rule in servers["rules"]] == ["ModelyardLogLosesRows"]


def test_traffic_windows_and_advisory_rules() -> None:
    traffic = TrafficWatch(id="has-traffic", why="w", maximum_silent_days=2)
    group, _ = rules_of(
        traffic,
        InputsWatch(id="input-drift", why="w", maximum_alarm_share=0.1),
        InputsWatch(id="shown", why="w", level="advisory", maximum_alarm_share=0.1),
    )
    names = [rule["alert"] for rule in group["rules"]]
    assert names == ["ModelyardNoTraffic", "ModelyardWatchFails", "ModelyardMonitorSilent"]
    assert "had no predictions for 3d" in group["rules"][0]["annotations"]["description"]
    assert len(rules_of(InputsWatch(id="shown", why="w", level="advisory", maximum_alarm_share=0.1))) == 1, (
        "advisory rules alone are no group"
    )


@pytest.mark.parametrize(("limit", "bucket"), [(120.0, "0.1"), (2500.0, "2.5"), (1000.0, "1"), (0.4, ""), (None, "")])
def test_a_latency_limit_counts_as_the_bucket_below_it(limit: float | None, bucket: str) -> None:
    said = bad_ratio('a="b"', limit, "1h")
    assert (f'le="{bucket}"' in said or f'le=~"{bucket}|{bucket}.0"' in said) if bucket else "le=" not in said
    assert sorted(REQUEST_BUCKETS) == list(REQUEST_BUCKETS)


def test_the_dashboard_has_every_panel_once_and_none_over_another() -> None:
    dashboard = grafana_dashboard()
    assert dashboard["title"] == "Deployed models"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert ids == list(range(1, len(ids) + 1))
    titles = [panel["title"] for panel in dashboard["panels"]]
    assert len(set(titles)) == len(titles) and "Outlier rate and missing labels" in titles
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and place["x"] + place["w"] <= 24
        taken |= cells


def test_the_metrics_of_a_window() -> None:
    model, monitoring, verdict = samples.window("word")
    text = metrics_text(model, replace(monitoring, accepted={"auc": 0.75}), verdict).decode()
    values = dict(re.findall(r"^(modelyard_monitor_\w+\{[^}]*\}) (\S+)$", text, re.M))
    common = 'environment="word",'
    assert values[f'modelyard_monitor_quality{{basis="baseline",{common}metric="auc",model="word"}}'] == "0.75"
    assert set(re.findall(r'basis="(\w+)"', text)) == {"baseline", "estimated", "realised"}
    outcomes = {name: value for name, value in values.items() if name.startswith("modelyard_monitor_check")}
    assert len(outcomes) == 5 and sum(float(value) for value in outcomes.values()) == 1.0
    little = replace(monitoring, drift=None, outliers=None, estimate=None, realised=None, accepted={})
    text = metrics_text(model, little, replace(verdict, checks=())).decode()
    assert "modelyard_monitor_rows{" in text and "drift_distance" not in text and "outlier" not in text


def test_no_due_label_is_no_share() -> None:
    model, monitoring, verdict = samples.window("word")
    assert monitoring.realised is not None
    none_due = replace(monitoring, realised=replace(monitoring.realised, due=0))
    assert "labels_missing_ratio{" not in metrics_text(model, none_due, verdict).decode()


def test_grafana_finds_the_dashboard_where_its_provider_looks(tmp_path: Path) -> None:
    command = ["dashboard", "--provisioning", str(tmp_path / "provisioning")]
    refused = CliRunner().invoke(alerts, command)
    assert refused.exit_code and "--provisioning needs --prometheus" in str(refused.exception)
    done = CliRunner().invoke(alerts, [*command, "--prometheus", "http://prometheus:9090"], catch_exceptions=False)
    assert done.exit_code == 0
    written = {
        path.relative_to(tmp_path / "provisioning").as_posix(): yaml.safe_load(path.read_text())  # JSON is YAML
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert written == grafana_provisioning("http://prometheus:9090")
    (provider,) = written["dashboards/modelyard.yaml"]["providers"]
    place = provider["options"]["path"].removeprefix("/etc/grafana/provisioning/")
    assert f"{place}/modelyard.json" in written and provider["type"] == "file"
    (source,) = written["datasources/modelyard.yaml"]["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
