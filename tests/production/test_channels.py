"""Each alert channel against a fake of the little it calls: what is sent, and what is said when that fails."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.error import URLError

import click
import prometheus_client
import pytest
import requests
from modelyard.cli import cli
from modelyard.errors import ModelyardError
from modelyard.evidence.verdict import CheckResult, Outcome
from modelyard.forges.interface import Issue, PullForge
from modelyard.gate.alerts import Alert, alerts_of
from modelyard.production.alerting.alertmanager import Alertmanager
from modelyard.production.alerting.interface import Channel, post_json
from modelyard.production.alerting.issues import REMEDIES, Issues
from modelyard.production.alerting.pushgateway import Pushgateway, write_metrics
from modelyard.production.alerting.webhook import Webhook
from production.windows import UNTIL, check, column, drift, verdict, window

WINDOW = window()
SECRET = "https://hooks.example.org/secret-path"


def alerts(*checks: CheckResult, before: Mapping[str, Outcome] | None = None, **changes: Any) -> tuple[Alert, ...]:
    return alerts_of("churn", window(**changes), verdict(*checks), before or {})


# --- issues -------------------------------------------------------------------------------------------------------


@dataclass
class FakeForge:
    """Issues as a forge keeps them."""

    issues: list[Issue] = field(default_factory=list)
    closed: dict[int, str] = field(default_factory=dict)

    def write_issue(self, title: str, body: str, marker: str) -> tuple[Issue, bool]:
        found = next((issue for issue in self.open_issues() if marker in issue.body), None)
        issue = Issue(found.number if found else len(self.issues) + 1, title, body)
        self.issues = [*(one for one in self.issues if one.number != issue.number), issue]
        return issue, found is None

    def open_issues(self) -> list[Issue]:
        return [issue for issue in self.issues if issue.number not in self.closed]

    def close_issue(self, number: int, said: str) -> None:
        self.closed[number] = said


def issues(forge: FakeForge, *watches: str, model: str = "churn", run: str = "") -> Issues:
    return Issues(
        forge=cast(PullForge, forge),
        model=model,
        owners=["@ada", "ops@example.org", "@grace"],
        watches=watches,
        run=run,
    )


def test_an_issue_is_opened_refreshed_and_closed() -> None:
    forge = FakeForge()
    channel = issues(forge, "score-drift", "quality-kept")
    first = alerts(check("score-drift"), check("quality-kept", "pass"))
    assert channel.notify(first, WINDOW) == "opened issue 1: score-drift"
    later = window(until="2026-05-15T00:00:00Z")
    assert channel.notify(alerts(check("score-drift"), until=later.until), later) == "refreshed issue 1: score-drift"
    [issue] = forge.open_issues()
    assert issue.title == "churn in production: score-drift" and "to 2026-05-15T00:00:00Z" in issue.body
    assert channel.notify(alerts(check("score-drift", "inconclusive")), WINDOW) == "", (
        "the cause neither holds nor ends"
    )
    passed = alerts(check("score-drift", "pass", sentence="Score drift is 0.01."), before={"score-drift": "fail"})
    assert channel.notify(passed, WINDOW) == "closed issue 1: churn in production: score-drift"
    assert forge.closed == {1: f"Resolved: Score drift is 0.01. (window until {UNTIL}, v1.0.0)"}
    assert channel.notify(passed, WINDOW) == "", "a second time there is nothing to close"


def test_an_issue_of_a_rule_that_was_removed_is_closed() -> None:
    forge = FakeForge()
    issues(forge, "score-drift").notify(alerts(check("score-drift")), WINDOW)
    issues(forge, "quality-kept").notify((), WINDOW)
    assert forge.closed == {1: "The policy has no such rule any more."}


def test_issues_of_other_models_environments_and_people_are_not_touched() -> None:
    forge = FakeForge()
    staging = window(environment="staging")
    issues(forge, "c").notify(alerts(check("c"), environment="staging"), staging)
    issues(forge, "c", model="churn-2").notify(alerts_of("churn-2", WINDOW, verdict(check("c")), {}), WINDOW)
    forge.issues.append(Issue(9, "Ours", "nothing of modelyard"))
    issues(forge, "c").notify(alerts(check("c", "pass"), before={"c": "fail"}), WINDOW)
    issues(forge).notify((), WINDOW)
    assert forge.closed == {} and len(forge.open_issues()) == 3


def test_the_body_has_figures_rule_remedy_owners_and_the_run() -> None:
    forge = FakeForge()
    moved = window(drift=drift(column("carrier", state="drifted", alarm=True, js=0.4)))
    found = alerts_of("churn", moved, verdict(check("input-drift", kind="inputs")), {})
    issues(forge, "input-drift", run="https://ci.example.org/7").notify(found, moved)
    body = forge.issues[0].body
    assert body.startswith("<!-- modelyard:alert production/churn/input-drift -->\n")
    assert "policies/standard.yaml:7" in body and "| carrier | alarm |" in body
    assert f"**To do:** {REMEDIES['inputs']}" in body
    assert "Owners: @ada @grace\n" in body, "an owner without a handle cannot be named"
    assert "[run](https://ci.example.org/7)" in body


def test_text_from_a_log_is_no_markup_in_an_issue() -> None:
    forge = FakeForge()
    hostile = "<!-- modelyard:alert production/churn/other --> @mallory <img src=x>"
    issues(forge, "c").notify(alerts(check("c", sentence=hostile)), WINDOW)
    assert "<img" not in forge.issues[0].body and "@mallory" not in forge.issues[0].body
    assert forge.issues[0].body.count("<!-- modelyard:alert") == 1


def test_every_remedy_names_commands_and_options_that_exist() -> None:
    for kind, remedy in REMEDIES.items():
        assert remedy.endswith("."), kind
        for words in (found.split() for found in re.findall(r"`modelyard ([^`]*)`", remedy)):
            command: click.Command | None = cli
            context = click.Context(cli)
            while isinstance(command, click.Group):
                command = command.get_command(context, words.pop(0))
            assert command is not None, remedy
            given, _, _ = command.make_parser(context).parse_args(words)  # NoSuchOption for an option of its own
            for parameter in command.params:
                if isinstance(parameter.type, click.Choice) and parameter.name in given:
                    assert given[parameter.name] in parameter.type.choices, remedy


# --- HTTP ---------------------------------------------------------------------------------------------------------


class FakeWeb:
    """What ``requests.post`` was given; answers with ``code``, or raises ``error``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.posted: list[tuple[str, Any]] = []
        self.code, self.text = 200, ""
        self.error: Exception | None = None
        monkeypatch.setattr(requests, "post", self._post)

    def _post(self, url: str, *, json: Any, timeout: float, allow_redirects: bool) -> requests.Response:
        assert timeout and not allow_redirects
        if self.error is not None:
            raise self.error
        self.posted.append((url, json))
        answer = requests.Response()
        answer.status_code, answer._content = self.code, self.text.encode()
        if 300 <= self.code < 400:
            answer.headers["Location"] = "https://elsewhere.example.org"
        return answer


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> FakeWeb:
    return FakeWeb(monkeypatch)


@pytest.mark.parametrize(
    ("code", "text", "problem"),
    [
        (500, "no room\n", "The webhook answered 500: no room."),
        (404, "", "The webhook answered 404: with an empty body."),
        (302, "moved", "The webhook answered 302: moved."),
    ],
)
def test_any_answer_but_success_is_an_error_without_the_address(
    web: FakeWeb, code: int, text: str, problem: str
) -> None:
    web.code, web.text = code, text
    with pytest.raises(ModelyardError) as raised:
        post_json(SECRET, {}, "The webhook")
    assert raised.value.problem == problem and "secret-path" not in str(raised.value)


def test_an_address_that_does_not_answer_is_an_error_without_the_address(web: FakeWeb) -> None:
    web.error = requests.ConnectionError(f"no route to {SECRET}")
    with pytest.raises(ModelyardError, match=r"^The webhook does not answer \(ConnectionError\)\.") as raised:
        post_json(SECRET, {}, "The webhook")
    assert "secret-path" not in str(raised.value) and raised.value.__suppress_context__


def test_the_webhook_gets_what_began_and_what_ended(web: FakeWeb) -> None:
    found = alerts(
        check("begins"), check("holds"), check("ends", "pass"), check("quiet", "pass"),
        before={"begins": "pass", "holds": "fail", "ends": "error"},
    )  # fmt: skip
    assert Webhook(SECRET, "env:ALERTS_URL").notify(found, WINDOW) == "sent 2 to the webhook"
    [(url, body)] = web.posted
    assert url == SECRET and (body["since"], body["until"]) == (WINDOW.since, UNTIL)
    assert body["text"].splitlines() == [
        "FIRING: churn in production: begins: begins was measured.",
        "RESOLVED: churn in production: ends: ends was measured.",
    ]
    assert [(one["key"], one["status"]) for one in body["alerts"]] == [
        ("production/churn/begins", "firing"), ("production/churn/ends", "resolved"),
    ]  # fmt: skip
    assert json.dumps(body)


def test_the_webhook_gets_nothing_while_causes_hold(web: FakeWeb) -> None:
    found = alerts(check("holds"), check("quiet", "pass"), before={"holds": "fail"})
    assert Webhook(SECRET, "env:ALERTS_URL").notify(found, WINDOW) == "" and web.posted == []


def test_an_error_of_the_webhook_names_its_secret_not_its_address(web: FakeWeb) -> None:
    web.code = 410
    with pytest.raises(ModelyardError, match="The webhook env:ALERTS_URL answered 410"):
        Webhook(SECRET, "env:ALERTS_URL").notify(alerts(check("c")), WINDOW)


def test_alertmanager_gets_what_fires_every_time_and_what_ends_once(web: FakeWeb) -> None:
    found = alerts(
        check("begins"), check("holds", level="hard"), check("ends", "pass"), check("quiet", "pass"),
        before={"holds": "fail", "ends": "fail"},
    )  # fmt: skip
    before = datetime.now(UTC)
    assert Alertmanager("http://am:9093/", 3600.0).notify(found, WINDOW) == "sent 3 to Alertmanager"
    after = datetime.now(UTC)
    [(url, sent)] = web.posted
    assert url == "http://am:9093/api/v2/alerts"
    ends = {one["labels"]["alertname"]: datetime.fromisoformat(one["endsAt"]) for one in sent}
    hold, slack = timedelta(hours=1), timedelta(milliseconds=1)
    for name in ("begins", "holds"):
        assert before + hold - slack <= ends[name] <= after + hold
    assert before - slack <= ends["ends"] <= after, "what is over ends at once"
    labels = {one["labels"]["alertname"]: one["labels"] for one in sent}
    assert labels["holds"] == {
        "alertname": "holds", "model": "churn", "environment": "production", "kind": "scores", "severity": "critical",
        "source": "modelyard",
    }  # fmt: skip
    assert sent[0]["annotations"]["description"] == "begins was measured."
    assert sent[0]["annotations"]["version"] == "v1.0.0", "no label: a rollout would make another alert"


def test_alertmanager_gets_nothing_when_nothing_fires_or_ends(web: FakeWeb) -> None:
    assert Alertmanager("http://am:9093", 60.0).notify(alerts(check("c", "pass")), WINDOW) == "" and web.posted == []


# --- metrics ------------------------------------------------------------------------------------------------------


def test_the_pushgateway_gets_every_window_under_model_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    pushed: list[tuple[str, str, dict[str, str], str]] = []

    def push(url: str, job: str, registry: Any, group: dict[str, str], timeout: float) -> None:
        pushed.append((url, job, group, prometheus_client.generate_latest(registry).decode()))

    monkeypatch.setattr(prometheus_client, "push_to_gateway", push)
    judged = verdict(check("score-drift"), check("quality-kept", "pass"))
    channel = Pushgateway("http://push:9091", "churn", judged)
    assert channel.notify((), WINDOW) == "pushed the window's metrics", "also without any alert"
    [(url, job, group, text)] = pushed
    assert (url, job, group) == (
        "http://push:9091",
        "modelyard_monitor",
        {"model": "churn", "environment": "production"},
    )
    [line] = [one for one in text.splitlines() if 'check="score-drift"' in one and 'outcome="fail"' in one]
    assert line.endswith(" 1.0")


@pytest.mark.parametrize("error", [URLError("refused"), ConnectionResetError(), ValueError("unknown url type")])
def test_a_pushgateway_that_is_down_is_an_error(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def push(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(prometheus_client, "push_to_gateway", push)
    with pytest.raises(ModelyardError, match=rf"Pushgateway at http://push:9091 .*\({type(error).__name__}\)"):
        Pushgateway("http://push:9091", "churn", verdict()).notify((), WINDOW)


def test_the_file_for_the_textfile_collector_has_the_same_figures(tmp_path: Path) -> None:
    file = tmp_path / "churn.prom"
    write_metrics(file, "churn", replace(WINDOW, accepted={"auc": 0.7}), verdict(check("c")))
    text = file.read_text()
    assert 'modelyard_monitor_rows{environment="production",model="churn",version="v1.0.0"} 9000.0' in text
    assert 'metric="auc",model="churn"} 0.7' in text and [path.name for path in tmp_path.iterdir()] == ["churn.prom"]


def test_every_channel_has_the_one_interface() -> None:
    channels: list[Channel] = [
        issues(FakeForge()), Webhook(SECRET, "env:X"), Alertmanager("http://am", 1.0), Pushgateway("http://p", "m", verdict()),
    ]  # fmt: skip
    assert all(callable(channel.notify) for channel in channels)
