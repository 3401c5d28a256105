"""A Grafana dashboard of the server's metrics and of the windows that ``modelyard monitor`` judged."""

from __future__ import annotations

from typing import Any

_PICKED = 'environment=~"$environment",model=~"$model"'
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_RATE = "$__rate_interval"

# Title, unit, (legend, expression) …; a row title stands alone.
_PANELS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("The service", "", ()),
    ("Requests a second", "reqps", (
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
    ("Refused, lost, dropped", "short", (
        ("refused {{status}}",
         f'sum by (status) (increase(modelyard_refused_total{{environment=~"$environment"}}[{_RATE}]))'),
        ("lost rows", f"increase(modelyard_log_lost_rows_total[{_RATE}])"),
        ("shadow dropped", f"increase(modelyard_shadow_dropped_total[{_RATE}])"),
    )),
    ("The windows", "", ()),
    ("Watches by outcome", "short", (
        ("{{check}}: {{outcome}}", f"modelyard_monitor_check{{{_PICKED}}} == 1"),
    )),
    ("Age of the newest window", "s", (
        ("{{model}} {{environment}}", f"time() - modelyard_monitor_window_end_timestamp_seconds{{{_PICKED}}}"),
    )),
    ("Drift: distance over its alarm (1 is the alarm)", "short", (
        ("{{column}}",
         f"modelyard_monitor_drift_distance{{{_PICKED}}} / modelyard_monitor_drift_threshold{{{_PICKED}}}"),
    )),
    ("Quality", "short", (
        ("{{metric}} {{basis}}", f"modelyard_monitor_quality{{{_PICKED}}}"),
    )),
    ("Strange rows and missing outcomes", "percentunit", (
        ("strange rows", f"modelyard_monitor_outlier_ratio{{{_PICKED}}}"),
        ("outcomes missing", f"modelyard_monitor_outcomes_missing_ratio{{{_PICKED}}}"),
    )),
    ("Predictions in the window", "short", (
        ("{{version}}", f"modelyard_monitor_rows{{{_PICKED}}}"),
    )),
)  # fmt: skip


def grafana_dashboard() -> dict[str, Any]:
    """The dashboard's JSON model (schema 39), to be imported or provisioned."""
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
        "uid": "modelyard", "title": "Models that serve", "tags": ["modelyard"], "schemaVersion": 39, "version": 1,
        "editable": True, "refresh": "1m", "time": {"from": "now-24h", "to": "now"}, "timezone": "utc",
        "templating": {"list": variables}, "panels": panels,
    }  # fmt: skip


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
