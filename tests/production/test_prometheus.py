"""The rules by promtool's own unit tests, and every expression of the dashboard against a real Prometheus."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import numpy as np
import pytest
import yaml
from modelyard.demo.stage import free_ports
from modelyard.manifests.watches import InputsWatch, ServiceWatch, TrafficWatch
from modelyard.report.prometheus.rules import REQUEST_BUCKETS, Watching, bad_ratio, prometheus_rules
from support.listener import listening
from support.logged import MODEL, Flights, write_ground_truth, write_log
from support.server import request, serving
from support.waiting import SECONDS, answers, running, wait_for
from support.yard import tool

SPREAD = np.random.default_rng(1).permutation(27_900).tolist()
WATCHED = Watching(
    "production",
    "churn",
    "policies/standard.yaml",
    (
        ServiceWatch(id="in-time", why="w", level="hard", objective=0.99, maximum_milliseconds=120),
        TrafficWatch(id="has-traffic", why="w"),
        InputsWatch(id="inputs", why="w {{ never run }}", maximum_alarm_share=0.2),
        InputsWatch(id="shown-only", why="w", maximum_alarm_share=0.1, level="advisory"),
    ),
)
OF = 'environment="production",model="churn",version="v1.0.0",variant="champion"'


def unit_test(folder: Path, series: list[dict[str, str]], expected: dict[tuple[str, str], bool]) -> None:
    """``promtool test rules``: which alerts fire at a moment, given what the server counted."""
    rules = folder / "rules.yml"
    rules.write_text(yaml.safe_dump(prometheus_rules([WATCHED], "26h")))
    sound(rules)
    found = json.loads(json.dumps(prometheus_rules([WATCHED], "26h")))["groups"]
    by_check = {(r["alert"], r["labels"].get("check", "")): r for g in found for r in g["rules"] if "alert" in r}
    tests = []
    for (name, moment), fires in expected.items():
        rule = next(rule for (alert, _), rule in by_check.items() if alert == name)
        case: dict[str, Any] = {"eval_time": moment, "alertname": name, "exp_alerts": []}
        if fires:
            annotations = dict(rule["annotations"])
            if name == "ModelyardBudgetBurns":
                annotations["description"] = annotations["description"].replace(
                    "{{ $value | humanizePercentage }}", "50%"
                )
            case["exp_alerts"] = [{"exp_labels": rule["labels"], "exp_annotations": annotations}]
        tests.append(case)
    content = {"rule_files": ["rules.yml"], "evaluation_interval": "1m",
               "tests": [{"interval": "1m", "input_series": series, "alert_rule_test": tests}]}  # fmt: skip
    (folder / "test.yml").write_text(yaml.safe_dump(content))
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def sound(rules: Path) -> None:
    command = ["promtool", "check", "rules", "--lint=all", "--lint-fatal", str(rules)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def counters(good: str, slow: str = "0x3000", failed: str = "0x3000") -> list[dict[str, str]]:
    """The server's counters: requests below 100 ms, slower ones, failed ones; windows that were monitored all along."""
    assert slow == "0x3000"
    return [
        {"series": f"modelyard_requests_total{{{OF}}}", "values": good},
        {"series": f"modelyard_rows_total{{{OF}}}", "values": good},
        {"series": f'modelyard_request_seconds_bucket{{{OF},le="0.1"}}', "values": good},
        {"series": f"modelyard_failures_total{{{OF}}}", "values": failed},
        {
            "series": 'modelyard_monitor_window_end_timestamp_seconds{environment="production",model="churn"}',
            "values": "0+60x3000",
        },
        {
            "series": 'modelyard_monitor_check{environment="production",model="churn",check="inputs",kind="inputs",'
            'level="soft",outcome="fail"}',
            "values": "0x200 1x100 0x3000",
        },
    ]


def test_a_quiet_model_raises_nothing(tmp_path: Path) -> None:
    names = ("ModelyardBudgetBurns", "ModelyardNoTraffic", "ModelyardWatchFails", "ModelyardMonitorSilent")
    unit_test(tmp_path, counters("0+100x3000"), {(name, "100m"): False for name in names})


def test_a_burn_rate_over_both_spans_fires_and_a_spike_or_an_old_failure_does_not(tmp_path: Path) -> None:
    fire = counters("0+100x60 6050+50x600", failed="0x60 50+50x600")
    unit_test(tmp_path, fire, {("ModelyardBudgetBurns", "59m"): False, ("ModelyardBudgetBurns", "140m"): True})
    spike = counters("0+100x120 12100+100x600", failed="0x115 20x5 20x600")
    unit_test(tmp_path, spike, {("ModelyardBudgetBurns", "121m"): False})
    over = counters("0+100x60 6050+50x60 9100+100x600", failed="0x60 50+50x60 3050x600")
    unit_test(tmp_path, over, {("ModelyardBudgetBurns", "120m"): True, ("ModelyardBudgetBurns", "140m"): False})


def test_missing_traffic_and_a_failed_watch_fire_until_they_are_over(tmp_path: Path) -> None:
    unit_test(tmp_path, counters("0+100x60 6000x3000"),
              {("ModelyardNoTraffic", "24h"): False, ("ModelyardNoTraffic", "26h"): True})  # fmt: skip
    watch = {("ModelyardWatchFails", "199m"): False, ("ModelyardWatchFails", "250m"): True}
    unit_test(tmp_path, counters("0+100x3000"), watch | {("ModelyardWatchFails", "320m"): False})
    silent = [s for s in counters("0+100x3000") if "monitor" not in s["series"]]
    unit_test(tmp_path, silent, {("ModelyardMonitorSilent", "14m"): False, ("ModelyardMonitorSilent", "16m"): True})


def test_a_server_that_is_gone_is_missing_traffic_too(tmp_path: Path) -> None:
    unit_test(tmp_path, counters("_x3000", failed="_x3000"), {("ModelyardNoTraffic", "20m"): True})


@pytest.mark.parametrize(("limit", "le"), [(100, 'le="0.1"'), (240, 'le="0.1"'), (1500, 'le=~"1|1.0"')])
def test_a_limit_between_two_buckets_is_never_too_lenient(limit: float, le: str) -> None:
    assert le in bad_ratio('model="m"', limit, "1h")
    assert "bucket" not in bad_ratio('model="m"', None, "1h")
    assert any(bound * 1000 <= limit for bound in REQUEST_BUCKETS)


def test_every_expression_of_dashboard_and_rules_has_an_answer(champion: Path, tmp_path: Path) -> None:
    flights = Flights(champion)
    write_log(champion, flights.entries(SPREAD[:2000]))
    ground_truth = write_ground_truth(champion, flights, SPREAD[:1500])
    textfile = tmp_path / "window.prom"
    tool(champion, "monitor", MODEL, "--env", "production", "--until", "2026-05-08T00:00", "--ground-truth", str(ground_truth),
         "--metrics", str(textfile), expect=None)  # fmt: skip
    rules, board = tmp_path / "rules.yml", tmp_path / "board.json"
    tool(champion, "alerts", "rules", "--out", str(rules))
    tool(champion, "alerts", "dashboard", "--out", str(board))
    sound(rules)
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with listening() as listener, serving(champion, "production") as server:
        listener.pages["/metrics"] = textfile.read_bytes()
        targets = [f"127.0.0.1:{server.port}", listener.url.removeprefix("http://")]
        settings = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": [str(rules)],
            "scrape_configs": [
                {"job_name": "m", "honor_labels": True, "static_configs": [{"targets": targets}]}],
        }  # fmt: skip
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(settings))
        command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/tsdb",
                   f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip

        def asked(expression: str) -> Any:
            answer = json.load(urlopen(f"{url}/api/v1/query?query={quote(expression)}", timeout=SECONDS))
            assert answer["status"] == "success", answer
            return answer["data"]["result"]

        def ask() -> None:
            assert server.call("POST", f"/v2/models/{MODEL}/infer", request())[0] == 200
            server.call("POST", f"/v2/models/{MODEL}/infer", {"inputs": []})

        def known(expression: str) -> bool:
            ask()
            return bool(asked(expression))

        panels = json.loads(board.read_text())["panels"]
        filled = {"$environment": "production", "$model": MODEL, "$__rate_interval": "20s"}
        expressions = [target["expr"] for panel in panels for target in panel.get("targets", [])]
        assert len(expressions) >= 14
        made = [rule for group in yaml.safe_load(rules.read_text())["groups"] for rule in group["rules"]]
        with running(command, tmp_path, lambda: answers(f"{url}/-/ready")):
            ask()
            for expression in expressions:
                for name, value in filled.items():
                    expression = expression.replace(name, value)
                assert "$" not in expression
                wait_for(partial(known, expression), expression)
            for rule in made:
                asked(rule["expr"])
                if "record" in rule and f'environment="production",model="{MODEL}"' in rule["expr"]:
                    wait_for(partial(known, rule["record"]), rule["record"])
            loaded = json.load(urlopen(f"{url}/api/v1/rules", timeout=SECONDS))["data"]["groups"]
            assert sum(len(group["rules"]) for group in loaded) == len(made)
            assert {r["health"] for group in loaded for r in group["rules"]} <= {"ok", "unknown"}
