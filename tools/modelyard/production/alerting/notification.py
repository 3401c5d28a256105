"""The notification of every channel in modelyard.yaml about one judged window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from modelyard.checkout.checkout import Checkout
from modelyard.errors import ModelyardError
from modelyard.forges.ci import read_ci
from modelyard.forges.discovery import open_forge
from modelyard.forges.interface import PullForge
from modelyard.gate.alerts import Alert, alerts_of
from modelyard.manifests.names import seconds_of
from modelyard.metrics.window import Monitoring
from modelyard.production.alerting.alertmanager import Alertmanager
from modelyard.production.alerting.interface import Channel
from modelyard.production.alerting.issues import Issues
from modelyard.production.alerting.pushgateway import Pushgateway
from modelyard.production.alerting.webhook import Webhook
from modelyard.production.monitoring.watch import Watched, settled_before
from modelyard.secrets.interface import Secrets

OpenChannel = Callable[[], Channel]
"""Opens a channel; a ModelyardError when that fails, for example because its secret is not set."""


def notify(checkout: Checkout, watched: Watched, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Notifies every channel of the repository; errors are those of ``send``."""
    monitoring = watched.monitoring
    before = settled_before(checkout.evidence, watched.model, monitoring.environment, monitoring.until)
    alerts = alerts_of(watched.model, monitoring, watched.verdict, before)
    send(channels_of(checkout, watched, environ), alerts, monitoring, say)


def send(
    channels: Sequence[OpenChannel], alerts: tuple[Alert, ...], monitoring: Monitoring, say: Callable[[str], None]
) -> None:
    """Notifies each channel once and reports what it did.

    A channel that fails does not keep the others from being notified: its ModelyardError is raised after the last one.
    With several failures the first is raised, and the problems of the others are reported.
    """
    failures: list[ModelyardError] = []
    for open_channel in channels:
        try:
            if done := open_channel().notify(alerts, monitoring):
                say(done)
        except ModelyardError as error:
            failures.append(error)
    for failure in failures[1:]:
        say(f"Not notified: {failure.problem}")
    if failures:
        raise failures[0]


def channels_of(checkout: Checkout, watched: Watched, environ: Mapping[str, str]) -> list[OpenChannel]:
    """The channels that modelyard.yaml names under ``alerts``, not opened yet."""
    repository, settings = checkout.repository, checkout.repository.config.alerts
    found: list[OpenChannel] = []
    if settings.issues and repository.config.forge != "git":
        owners = checkout.model(watched.model).manifest.owners
        watches = [check.id for check in watched.verdict.checks if check.level != "advisory"]
        found.append(
            lambda: Issues(
                forge=cast(PullForge, open_forge(repository, checkout.git)),
                model=watched.model,
                owners=owners,
                watches=watches,
                run=read_ci(environ).run,
            )
        )
    if (webhook := settings.webhook) is not None:
        found.append(lambda: Webhook(Secrets(environ).read(webhook), webhook))
    if settings.alertmanager:
        found.append(lambda: Alertmanager(settings.alertmanager, seconds_of(settings.hold)))
    if settings.pushgateway:
        found.append(lambda: Pushgateway(settings.pushgateway, watched.model, watched.verdict))
    return found
