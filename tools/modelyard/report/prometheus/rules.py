"""Recording and alerting rules for Prometheus, made from policies, and a dashboard for Grafana."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modelyard.manifests.names import seconds_of
from modelyard.manifests.watches import AnyWatch, ServiceWatch, TrafficWatch

REQUEST_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Bounds, in seconds, of the server's histogram of request times."""

_EACH = "environment, model"
_PICKED = 'environment=~"$environment",model=~"$model"'
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_RATE = "$__rate_interval"

# Title, unit and queries (legend, expression) of every panel; the title of a row has no queries.
_PANELS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("Service", "", ()),
    ("Requests per second", "reqps", (
        ("{{version}} {{variant}}",
         f"sum by (version, variant) (rate(modelyard_requests_total{{{_PICKED}}}[{_RATE}]))"),
    )),
    ("Failed requests", "percentunit", (
        ("{{version}} {{variant}}",
         f"sum by (version, variant) (rate(modelyard_failures_total{{{_PICKED}}}[{_RATE}])) / "
         f"(sum by (version, variant) (rate(modelyard_requests_total{{{_PICKED}}}[{_RATE}])) + "
         f"sum by (version, variant) (rate(modelyard_failures_total{{{_PICKED}}}[{_RATE}])))"),
    )),
    ("Latency", "s", tuple(
        (f"p{q * 100:g} {{{{version}}}}",
         f"histogram_quantile({q}, sum by (le, version)"
         f' (rate(modelyard_request_seconds_bucket{{{_PICKED},variant!="shadow"}}[{_RATE}])))')
        for q in (0.5, 0.95, 0.99)
    )),
    ("Share of the traffic", "percent", (
        ("{{model}} {{version}} {{variant}}", f"modelyard_traffic_percent{{{_PICKED}}} > 0"),
    )),
    ("Refused requests, lost rows, dropped shadow requests", "short", (
        ("refused {{status}}",
         f'sum by (status) (increase(modelyard_refused_total{{environment=~"$environment"}}[{_RATE}]))'),
        ("lost rows", f"increase(modelyard_log_lost_rows_total[{_RATE}])"),
        ("shadow dropped", f"increase(modelyard_shadow_dropped_total[{_RATE}])"),
    )),
    ("Monitored windows", "", ()),
    ("Monitoring rules by outcome", "short", (
        ("{{check}}: {{outcome}}", f"modelyard_monitor_check{{{_PICKED}}} == 1"),
    )),
    ("Age of the newest window", "s", (
        ("{{model}} {{environment}}", f"time() - modelyard_monitor_window_end_timestamp_seconds{{{_PICKED}}}"),
    )),
    ("Drift: distance / limit (alarm above 1)", "short", (
        ("{{column}}",
         f"modelyard_monitor_drift_distance{{{_PICKED}}} / modelyard_monitor_drift_threshold{{{_PICKED}}}"),
    )),
    ("Quality", "short", (
        ("{{metric}} {{basis}}", f"modelyard_monitor_quality{{{_PICKED}}}"),
    )),
    ("Outlier rate and missing labels", "percentunit", (
        ("outlier rate", f"modelyard_monitor_outlier_ratio{{{_PICKED}}}"),
        ("labels missing", f"modelyard_monitor_labels_missing_ratio{{{_PICKED}}}"),
    )),
    ("Predictions in the window", "short", (
        ("{{version}}", f"modelyard_monitor_rows{{{_PICKED}}}"),
    )),
)  # fmt: skip


@dataclass(frozen=True)
class Watching:
    """One deployed model and the monitoring rules of its policy."""

    environment: str
    model: str
    policy_file: str
    watches: tuple[AnyWatch, ...]


def prometheus_rules(deployed: Sequence[Watching], hold: str) -> dict[str, Any]:
    """A rules file as plain values. After the duration ``hold`` without a new window, an alert fires."""
    groups = []
    for one in deployed:
        rules: list[dict[str, Any]] = []
        for watch in (watch for watch in one.watches if watch.level != "advisory"):
            match watch:
                case ServiceWatch():
                    rules += _service(one, watch)
                case TrafficWatch():
                    rules.append(_traffic(one, watch))
                case _:
                    rules.append(_window(one, watch))
        if rules:
            groups.append({"name": f"modelyard {one.environment} {one.model}", "rules": [*rules, _silent(one, hold)]})
    return {"groups": [*groups, {"name": "modelyard servers", "rules": [_log_loses()]}]}


def bad_ratio(selector: str, maximum_milliseconds: float | None, window: str) -> str:
    """PromQL of the share of bad requests. A latency limit between two buckets counts as the lower bucket."""
    bounds = [bound for bound in REQUEST_BUCKETS if maximum_milliseconds and bound * 1000 <= maximum_milliseconds]
    good = f"modelyard_requests_total{{{selector}}}"
    if bounds:
        shown = f"{bounds[-1]:g}"
        le = f'le="{shown}"' if "." in shown else f'le=~"{shown}|{shown}.0"'
        good = f"modelyard_request_seconds_bucket{{{selector},{le}}}"
    total = " + ".join(
        f"sum by ({_EACH}) (rate({name}{{{selector}}}[{window}]))"
        for name in ("modelyard_requests_total", "modelyard_failures_total")
    )
    return f"1 - sum by ({_EACH}) (rate({good}[{window}])) / ({total})"


def grafana_provisioning(prometheus: str) -> dict[str, Any]:
    """Path below Grafana's provisioning folder → content: the dashboard, its provider, and Prometheus at a URL."""
    source = {"name": "modelyard", "uid": "modelyard", "type": "prometheus", "access": "proxy", "url": prometheus}
    place = {"path": "/etc/grafana/provisioning/dashboards/modelyard"}
    provider = {"name": "modelyard", "type": "file", "allowUiUpdates": False, "options": place}
    return {
        "datasources/modelyard.yaml": {"apiVersion": 1, "datasources": [source]},
        "dashboards/modelyard.yaml": {"apiVersion": 1, "providers": [provider]},
        "dashboards/modelyard/modelyard.json": grafana_dashboard(),
    }


def grafana_dashboard() -> dict[str, Any]:
    """The JSON model of the dashboard (schema 39), to import or provision."""
    panels: list[dict[str, Any]] = []
    top, column = 0, 0
    for title, unit, queries in _PANELS:
        if not queries:
            top, column = top + (8 if column else 0), 0
            panels.append({"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "panels": [],
                           "gridPos": {"h": 1, "w": 24, "x": 0, "y": top}})  # fmt: skip
            top += 1
            continue
        panels.append(_panel(len(panels) + 1, title, unit, queries, {"h": 8, "w": 8, "x": 8 * column, "y": top}))
        column += 1
        if column == 3:
            top, column = top + 8, 0
    variables = [
        {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        _variable("environment", "label_values(modelyard_requests_total, environment)"),
        _variable("model", 'label_values(modelyard_requests_total{environment=~"$environment"}, model)'),
    ]
    return {
        "uid": "modelyard", "title": "Deployed models", "tags": ["modelyard"], "schemaVersion": 39, "version": 1,
        "editable": True, "refresh": "1m", "time": {"from": "now-24h", "to": "now"}, "timezone": "utc",
        "templating": {"list": variables}, "panels": panels,
    }  # fmt: skip


def _service(one: Watching, watch: ServiceWatch) -> list[dict[str, Any]]:
    selector = f'{_of(one)},variant!="shadow"'
    recorded = {length: f"modelyard:bad_requests:ratio_rate{length}" for length in (watch.long, watch.short)}
    records = [
        {
            "record": name,
            "expr": bad_ratio(selector, watch.maximum_milliseconds, length),
            "labels": {"check": watch.id, "environment": one.environment, "model": one.model},
        }
        for length, name in recorded.items()
    ]
    limit = round(watch.burn * (1 - watch.objective), 12)
    own = f'{{{_of(one)},check="{watch.id}"}}'
    burning = " and ".join(f"{name}{own} >= {limit:g}" for name in recorded.values())
    said = (
        f"{{{{ $value | humanizePercentage }}}} of the requests were bad over {watch.long}. The burn rate is at least"
        f" {watch.burn:g} over {watch.long} and over {watch.short} (error budget {(1 - watch.objective) * 100:.3g} %)."
    )
    return [*records, _alert("ModelyardBudgetBurns", burning, one, watch, said)]


def _traffic(one: Watching, watch: TrafficWatch) -> dict[str, Any]:
    days = f"{watch.maximum_silent_days + 1}d"
    rows = f"modelyard_rows_total{{{_of(one)}}}"
    silent = f"sum by ({_EACH}) (increase({rows}[{days}])) == 0 or absent({rows})"
    said = f"{one.model} in {one.environment} had no predictions for {days}, or its server is not scraped."
    return {**_alert("ModelyardNoTraffic", silent, one, watch, said), "for": "15m"}


def _window(one: Watching, watch: AnyWatch) -> dict[str, Any]:
    failing = (
        f'max by ({_EACH}, check) (modelyard_monitor_check{{{_of(one)},check="{watch.id}",outcome=~"fail|error"}}) == 1'
    )
    return _alert("ModelyardWatchFails", failing, one, watch, "The newest window failed this monitoring rule.")


def _silent(one: Watching, hold: str) -> dict[str, Any]:
    end = f"modelyard_monitor_window_end_timestamp_seconds{{{_of(one)}}}"
    said = f"No window of {one.model} in {one.environment} was monitored for {hold}."
    return {
        "alert": "ModelyardMonitorSilent",
        "expr": f"time() - max by ({_EACH}) ({end}) > {seconds_of(hold):g} or absent({end})",
        "for": "15m",
        "labels": {"severity": "warning", "environment": one.environment, "model": one.model},
        "annotations": {"summary": said, "description": "Check the workflow that runs modelyard monitor."},
    }


def _log_loses() -> dict[str, Any]:
    return {
        "alert": "ModelyardLogLosesRows",
        "expr": "increase(modelyard_log_lost_rows_total[15m]) > 0",
        "labels": {"severity": "critical"},
        "annotations": {
            "summary": "A server answers requests without writing them to the prediction log.",
            "description": "Free disk space. Lost rows cannot be monitored, used for training or audited.",
        },
    }


def _alert(name: str, expression: str, one: Watching, watch: AnyWatch, said: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "labels": {
            "severity": "critical" if watch.level == "hard" else "warning", "check": watch.id,
            "environment": one.environment, "model": one.model,
        },
        "annotations": {
            "summary": f"{one.model} in {one.environment}: {watch.id}", "description": said,
            "why": watch.why.replace("{{", "{ {"), "policy": one.policy_file,
        },
    }  # fmt: skip


def _of(one: Watching) -> str:
    return f'environment="{one.environment}",model="{one.model}"'


def _panel(
    identifier: int, title: str, unit: str, queries: tuple[tuple[str, str], ...], place: dict[str, int]
) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + i), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
        for i, (legend, expression) in enumerate(queries)
    ]
    return {
        "id": identifier, "type": "timeseries", "title": title, "datasource": _SOURCE, "targets": targets,
        "gridPos": place, "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    }  # fmt: skip


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name, "type": "query", "datasource": _SOURCE, "query": {"query": query, "refId": name},
        "includeAll": True, "multi": True, "current": {"text": "All", "value": "$__all"}, "refresh": 2,
    }  # fmt: skip
