"""Channels are notified when a cause begins, while it holds and when it ends, with real servers."""

from __future__ import annotations

import json
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from forge.place import forge_with_people
from modelyard.checkout.checkout import Checkout
from modelyard.demo.stage import free_ports
from modelyard.predictions.writer import Entry
from msgspec.structs import replace
from support.listener import listening
from support.logged import MODEL, START, Flights, write_log
from support.waiting import answers, running, wait_for
from support.yard import commit_all, git, tool

BOT = "github-actions[bot]"
SPREAD = np.random.default_rng(1).permutation(27_900).tolist()


@pytest.fixture(scope="module")
def flights(champion_template: Path) -> Flights:
    return Flights(champion_template)


def unsure(entry: Entry) -> Entry:
    return replace(entry, scores=[0.2 + entry.scores[0] / 10])


def week(yard: Path, flights: Flights, number: int, *, bad: bool) -> None:
    """One week of traffic, with the champion's scores or with those of another model."""
    rows = SPREAD[: 9000 if number >= 0 else 90]
    entries = flights.entries(rows, day=7.0 * number, change=unsure if bad else lambda entry: entry)
    write_log(yard, entries, name=f"2026050{number + 1}T000000000000")


def watch(yard: Path, number: int, *more: str, expect: int | None = None) -> str:
    """``monitor --alert --file`` of one week."""
    until = f"{START + timedelta(days=7 * (number + 1)):%Y-%m-%dT%H:%M}"
    done = tool(
        yard, "monitor", MODEL, "--env", "production", "--until", until, "--alert", "--file", *more, expect=expect
    )
    return done.stderr


def configure(yard: Path, **alerts: str) -> None:
    file = yard / "modelyard.yaml"
    lines = ["alerts:", *(f"  {key}: {value}" for key, value in alerts.items()), ""]
    file.write_text(file.read_text() + "\n" + "\n".join(lines))
    commit_all(yard, "Notify people\n\nApproved-by: Grace Reviewer <grace@example.org>")


def test_one_issue_per_cause_is_opened_refreshed_and_closed(
    champion: Path, flights: Flights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = champion / "modelyard.yaml"
    file.write_text(file.read_text().replace("forge: git", "forge: github", 1))
    assert "forge: github" in file.read_text()
    commit_all(champion, "On GitHub")
    with forge_with_people(tmp_path, BOT, monkeypatch) as server:
        server.store.git(server.store.name, "fetch", "--quiet", str(champion), "main:main")
        git(champion, "remote", "add", "origin", str(server.store.path(server.store.name)))
        monkeypatch.setenv("GITHUB_SERVER_URL", server.url)
        monkeypatch.setenv("GITHUB_API_URL", f"{server.url}/api/v3")
        monkeypatch.setenv("GITHUB_REPOSITORY", server.store.name)
        monkeypatch.setenv("GITHUB_TOKEN", "bot")
        issues = server.store.issues
        server.store.raise_issue("ada", "Ours", "<!-- modelyard:alert production/flight-delay/x -->", ("modelyard",))

        week(champion, flights, 0, bad=True)
        assert "opened issue" in watch(champion, 0, expect=1)
        opened = {i.title: i for i in issues.values() if i.user == BOT}
        assert set(opened) == {f"{MODEL} in production: score-drift", f"{MODEL} in production: quality-kept"}
        body = opened[f"{MODEL} in production: score-drift"].body
        assert "2026-05-01T00:00:00Z to 2026-05-08T00:00:00Z" in body and "policies/standard.yaml:" in body

        watch(champion, 0, expect=1)
        assert len(issues) == 3, "the same window again opens nothing"
        week(champion, flights, 1, bad=True)
        assert "refreshed issue" in watch(champion, 1, expect=1)
        assert len(issues) == 3
        assert "2026-05-15T00:00:00Z" in issues[opened[f"{MODEL} in production: score-drift"].number].body

        watch(champion, 2)
        assert {i.state for i in issues.values()} == {"open"}, "a window without rows does not end a cause"
        week(champion, flights, 3, bad=False)
        watch(champion, 3, expect=0)
        ours = [i for i in issues.values() if i.user == BOT and "traffic" not in i.title]
        assert {i.state for i in ours} == {"closed"}
        assert all(server.store.comments_of(i.number)[-1].body.startswith("Resolved: ") for i in ours)
        assert next(i for i in issues.values() if i.user == "ada").state == "open", "issues of people are not touched"


def test_the_webhook_is_notified_of_a_beginning_and_an_end_once(
    champion: Path, flights: Flights, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(champion, webhook="env:ALERTS_URL")
    with listening() as listener:
        monkeypatch.setenv("ALERTS_URL", f"{listener.url}/secret-path")
        older = f"{MODEL}/{'a' * 64}/monitoring/production/20260401T000000Z-20260408T000000Z.json"
        Checkout(champion).evidence.append({older: b"{}"}, "What an older toolkit filed")
        week(champion, flights, 0, bad=False)
        watch(champion, 0, expect=0)
        assert listener.posted == [], "nothing began"
        week(champion, flights, 1, bad=True)
        week(champion, flights, 2, bad=True)
        week(champion, flights, 3, bad=False)
        for number, code in ((1, 1), (1, 1), (2, 1), (3, 0)):
            watch(champion, number, expect=code)
        statuses = [[(a["check"], a["status"]) for a in body["alerts"]] for _, body in listener.posted]
        began = [("score-drift", "firing"), ("quality-kept", "firing")]
        assert [sorted(s) for s in statuses[:2]] == [sorted(began)] * 2, "a repeated window says the same again"
        assert sorted(statuses[-1]) == sorted((check, "resolved") for check, _ in began)
        assert len(statuses) == 3, "the second bad week changes nothing"
        assert "FIRING: flight-delay in production: " in listener.posted[0][1]["text"]

        listener.code = 500
        week(champion, flights, 4, bad=True)
        said = watch(champion, 4, expect=4)
        assert "The webhook env:ALERTS_URL answered 500" in said and "secret-path" not in said
        listener.code = 200
        watch(champion, 4, expect=1)
        assert [a["status"] for a in listener.posted[-1][1]["alerts"]] == ["firing", "firing"], (
            "the next run notifies again"
        )


def test_alertmanager_holds_alerts_that_fire_and_ends_those_that_are_over(
    champion: Path, flights: Flights, tmp_path: Path
) -> None:
    port, gossip = free_ports(2)
    url = f"http://127.0.0.1:{port}"
    settings = tmp_path / "alertmanager.yml"
    settings.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    command = ["prometheus-alertmanager", f"--config.file={settings}", f"--storage.path={tmp_path}/am",
               f"--web.listen-address=127.0.0.1:{port}", f"--cluster.listen-address=127.0.0.1:{gossip}"]  # fmt: skip

    def active() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.load(urlopen(f"{url}/api/v2/alerts?active=true"))
        return found

    configure(champion, alertmanager=url)
    with running(command, tmp_path, lambda: answers(f"{url}/-/ready")):
        week(champion, flights, 0, bad=True)
        assert "sent 2 to Alertmanager" in watch(champion, 0, expect=1)
        wait_for(lambda: len(active()) == 2, "two active alerts")
        assert {a["labels"]["alertname"] for a in active()} == {"score-drift", "quality-kept"}
        week(champion, flights, 1, bad=False)
        watch(champion, 1, expect=0)
        wait_for(lambda: active() == [], "no active alert")


def test_the_metrics_reach_the_pushgateway_and_a_textfile(champion: Path, flights: Flights, tmp_path: Path) -> None:
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    configure(champion, pushgateway=url)
    week(champion, flights, 0, bad=True)
    textfile = tmp_path / "flight-delay.prom"
    command = ["prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{port}"]
    with running(command, tmp_path, lambda: answers(f"{url}/-/ready")):
        watch(champion, 0, "--metrics", str(textfile), expect=1)
        pushed = urlopen(Request(f"{url}/metrics")).read().decode()
    said = textfile.read_text()
    for text in (said, pushed):
        [line] = [one for one in text.splitlines() if 'check="score-drift"' in one and 'outcome="fail"' in one]
        assert line.endswith(" 1") or line.endswith(" 1.0")
        assert "modelyard_monitor_rows{" in text
    checked = subprocess.run(["promtool", "check", "metrics"], input=said.encode(), capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_channel_that_is_down_is_an_error_after_the_others_were_notified(
    champion: Path, flights: Flights, monkeypatch: pytest.MonkeyPatch
) -> None:
    [unused] = free_ports(1)
    with listening() as listener:
        monkeypatch.setenv("ALERTS_URL", listener.url)
        configure(champion, webhook="env:ALERTS_URL", alertmanager=f"http://127.0.0.1:{unused}")
        week(champion, flights, 0, bad=True)
        said = watch(champion, 0, expect=4)
        assert "Alertmanager at" in said and "does not answer" in said
        assert len(listener.posted) == 1
    assert "no prediction" not in said
