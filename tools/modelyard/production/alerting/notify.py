"""Tells every channel that modelyard.yaml names; one that is down keeps none of the others from being told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from modelyard.checkout.checkout import Checkout
from modelyard.errors import ModelyardError
from modelyard.forges.ci import read_ci
from modelyard.forges.discovery import open_forge
from modelyard.forges.interface import PullForge
from modelyard.gate.alerts import alerts_of
from modelyard.manifests.names import seconds_of
from modelyard.production.alerting.alertmanager import Alertmanager
from modelyard.production.alerting.interface import Channel
from modelyard.production.alerting.issues import Issues
from modelyard.production.alerting.pushgateway import push_metrics
from modelyard.production.alerting.webhook import Webhook
from modelyard.production.monitoring.watch import Watched, settled_before
from modelyard.secrets.interface import Secrets


def notify(checkout: Checkout, watched: Watched, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Says what each channel did. When one could not be told, a ModelyardError after all the others were."""
    monitoring, settings = watched.monitoring, checkout.repository.config.alerts
    before = settled_before(checkout.evidence, watched.model, monitoring.environment, monitoring.until)
    alerts = alerts_of(watched.model, monitoring, watched.verdict, before)
    failed: list[ModelyardError] = []
    for opening in _channels(checkout, watched, environ):
        try:
            if done := opening().notify(alerts, monitoring):
                say(done)
        except ModelyardError as error:
            failed.append(error)
    if settings.pushgateway:
        try:
            push_metrics(settings.pushgateway, watched.model, monitoring, watched.verdict)
            say("pushed the window's metrics")
        except ModelyardError as error:
            failed.append(error)
    for more in failed[1:]:
        say(f"not told: {more.problem}")
    if failed:
        raise failed[0]


def _channels(checkout: Checkout, watched: Watched, environ: Mapping[str, str]) -> list[Callable[[], Channel]]:
    repository, settings = checkout.repository, checkout.repository.config.alerts
    found: list[Callable[[], Channel]] = []
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
    return found
