"""Who is told when a version that serves stops doing what it was accepted for."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from modelyard.manifests.base import Manifest
from modelyard.manifests.names import Duration, Reference

_Url = Annotated[str, Meta(pattern=r"^(https?://[^\s@]+)?$(?!\n)", max_length=500)]


class Alerts(Manifest, frozen=True, kw_only=True):
    """Where ``monitor --alert`` tells of a cause: a watch that failed, until it passes again."""

    issues: Annotated[bool, Meta(description="GitHub, GitLab: one issue a cause, closed when it is over.")] = True
    webhook: Annotated[
        Reference | None, Meta(description="Where the address stands that gets a POST when a cause begins or ends.")
    ] = None
    alertmanager: Annotated[_Url, Meta(description="Alertmanager's root, such as http://alertmanager:9093.")] = ""
    pushgateway: Annotated[_Url, Meta(description="Prometheus' push gateway, for the metrics of each window.")] = ""
    hold: Annotated[
        Duration,
        Meta(description="How long a window's word stands: then Alertmanager forgets it, and silence is an alert."),
    ] = "26h"
