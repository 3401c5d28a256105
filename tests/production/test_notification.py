"""Every channel is notified, and one that fails keeps no other from it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.checkout.checkout import Checkout
from modelyard.errors import ModelyardError
from modelyard.forges.interface import PullForge
from modelyard.gate.alerts import Alert, alerts_of
from modelyard.gate.triggers import Cause
from modelyard.manifests.configuration import Alerts
from modelyard.metrics.window import Monitoring
from modelyard.production.alerting import notification
from modelyard.production.alerting.alertmanager import Alertmanager
from modelyard.production.alerting.interface import Channel
from modelyard.production.alerting.issues import REMEDIES, Issues
from modelyard.production.alerting.notification import channels_of, notify, send
from modelyard.production.alerting.pushgateway import Pushgateway
from modelyard.production.alerting.webhook import Webhook
from modelyard.production.monitoring.watch import Watched
from production.windows import check, verdict, window

WINDOW = window()
ALERTS = alerts_of("churn", WINDOW, verdict(check("c")), {})


class FakeChannel:
    """Records what it was given; answers ``done``, or fails with ``problem``."""

    def __init__(self, done: str = "", problem: str = "") -> None:
        self.done, self.problem = done, problem
        self.given: list[tuple[tuple[Alert, ...], Monitoring]] = []

    def notify(self, alerts: tuple[Alert, ...], monitoring: Monitoring) -> str:
        self.given.append((alerts, monitoring))
        if self.problem:
            raise ModelyardError(self.problem, "Do something.")
        return self.done


def opening(channel: FakeChannel) -> Callable[[], Channel]:
    return lambda: channel


def test_each_channel_is_given_the_alerts_and_its_words_are_shown() -> None:
    first, quiet, last = FakeChannel("opened issue 1"), FakeChannel(), FakeChannel("sent 1")
    said: list[str] = []
    send([opening(one) for one in (first, quiet, last)], ALERTS, WINDOW, said.append)
    assert said == ["opened issue 1", "sent 1"], "a channel that did nothing says nothing"
    assert first.given == quiet.given == last.given == [(ALERTS, WINDOW)]


def test_without_channels_nothing_is_done() -> None:
    said: list[str] = []
    send([], ALERTS, WINDOW, said.append)
    assert said == []


def test_the_first_failure_is_raised_when_all_were_notified_and_the_others_are_shown() -> None:
    channels = [FakeChannel(problem="A is down."), FakeChannel("done"), FakeChannel(problem="B is down.")]
    said: list[str] = []
    with pytest.raises(ModelyardError, match="A is down"):
        send([opening(one) for one in channels], ALERTS, WINDOW, said.append)
    assert said == ["done", "Not notified: B is down."]
    assert all(len(one.given) == 1 for one in channels)


def test_a_channel_that_cannot_be_opened_is_a_failure_like_any_other() -> None:
    def closed() -> Channel:
        raise ModelyardError("The secret is not set.", "Set it.")

    other, said = FakeChannel("done"), list[str]()
    with pytest.raises(ModelyardError, match="The secret is not set"):
        send([closed, opening(other)], ALERTS, WINDOW, said.append)
    assert said == ["done"]


def test_a_fault_of_our_own_is_not_taken_for_a_channel_that_is_down() -> None:
    def broken() -> Channel:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        send([broken], ALERTS, WINDOW, lambda _: None)


@given(st.lists(st.booleans(), max_size=8))
def test_every_channel_is_notified_exactly_once_whichever_fail(fails: list[bool]) -> None:
    channels = [FakeChannel(f"did {n}", f"{n} is down." if fail else "") for n, fail in enumerate(fails)]
    said: list[str] = []
    failed = [channel.problem for channel in channels if channel.problem]
    try:
        send([opening(one) for one in channels], ALERTS, WINDOW, said.append)
        assert not failed
    except ModelyardError as error:
        assert error.problem == failed[0]
    assert [len(one.given) for one in channels] == [1] * len(channels)
    assert [one for one in said if one.startswith("did")] == [one.done for one in channels if not one.problem]
    assert [one for one in said if one.startswith("Not")] == [f"Not notified: {problem}" for problem in failed[1:]]


class FakeEvidence:
    """Filed windows: path → content."""

    def __init__(self, **files: bytes) -> None:
        self._files = files
        self.git = SimpleNamespace(blobs=lambda shas: {sha: self._files[sha] for sha in shas})

    def listed(self, *_: str) -> dict[str, str]:
        return {path: path for path in self._files}


def checkout(settings: Alerts, forge: str = "github") -> Checkout:
    """As much of a checkout as channels ask for."""
    config = SimpleNamespace(alerts=settings, forge=forge)
    model = SimpleNamespace(manifest=SimpleNamespace(owners=["@ada"]))
    found: Any = SimpleNamespace(
        repository=SimpleNamespace(config=config, root=Path()), model=lambda _: model, evidence=FakeEvidence(), git=None
    )
    return cast(Checkout, found)


WATCHED = Watched("churn", "a" * 64, WINDOW, verdict(check("c"), check("shown", level="advisory")))
EVERYTHING = Alerts(
    issues=True, webhook="env:ALERTS_URL", alertmanager="http://am:9093", pushgateway="http://push:9091"
)


@pytest.mark.parametrize(
    ("settings", "forge", "expected"),
    [
        (EVERYTHING, "github", [Issues, Webhook, Alertmanager, Pushgateway]),
        (EVERYTHING, "git", [Webhook, Alertmanager, Pushgateway]),
        (Alerts(), "gitlab", [Issues]),
        (Alerts(), "git", []),
        (Alerts(issues=False, pushgateway="http://push:9091"), "github", [Pushgateway]),
    ],
)
def test_the_channels_are_those_of_modelyard_yaml(
    settings: Alerts, forge: str, expected: list[type], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notification, "open_forge", lambda *_: cast(PullForge, None))
    found = channels_of(checkout(settings, forge), WATCHED, {"ALERTS_URL": "https://hooks.example.org"})
    assert [type(open_channel()) for open_channel in found] == expected


def test_a_secret_that_is_not_set_fails_only_when_its_channel_is_opened() -> None:
    [open_channel] = channels_of(checkout(Alerts(issues=False, webhook="env:ALERTS_URL")), WATCHED, {})
    with pytest.raises(ModelyardError, match="ALERTS_URL"):
        open_channel()


def test_notify_gives_the_alerts_of_this_window(monkeypatch: pytest.MonkeyPatch) -> None:
    channel = FakeChannel("done")
    monkeypatch.setattr(notification, "channels_of", lambda *_: [opening(channel)])
    said: list[str] = []
    notify(checkout(Alerts()), WATCHED, {}, said.append)
    [(alerts, monitoring)] = channel.given
    assert said == ["done"] and monitoring is WINDOW
    assert [(one.check.id, one.firing, one.changed) for one in alerts] == [("c", True, True)]


def test_every_command_that_an_issue_names_exists() -> None:
    """Each ``--cause`` of a remedy is one that propose takes."""
    named = re.findall(r"--cause (\w+)", " ".join(REMEDIES.values()))
    assert named and set(named) <= set(get_args(Cause))
