"""The tracker ``openlineage``: every proposal and version as a run event, posted to a catalogue such as Marquez."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from modelyard.errors import UsageError
from modelyard.manifests.configuration import TrackerSettings
from modelyard.report.exchange.openlineage import Event, event_document, training_facets
from modelyard.secrets.interface import Secrets
from modelyard.targets.http import Http
from modelyard.trackers.interface import Found, TrackedRun

_ENDPOINT = "/api/v1/lineage"
"""Of OpenLineage's HTTP transport, below the base URL."""
_STANDING = ("stages", "withdrawn", "archived", "verdict")
"""Tags that say where a version stands now; its data set has them, each time all of them."""


class OpenLineageTracker:
    """One receiver of events. It cannot be asked what it has; the same event again says the same of the same run."""

    title = "OpenLineage"
    remembers = False

    def __init__(self, settings: TrackerSettings, root: Path, secrets: Secrets) -> None:
        if not settings.url:
            raise UsageError(
                "modelyard.yaml: the tracker openlineage has no url.", "Add the base URL, such as that of Marquez."
            )
        token = secrets.read_for(settings.token, settings.url) if settings.token else ""
        self._http = Http(settings.url, "OpenLineage", token, "openlineage")

    def find(self, model: str, keys: Sequence[str]) -> dict[str, Found]:
        """Nothing: the protocol has no question."""
        return {}

    def write(self, run: TrackedRun) -> Found:
        """Posts the event. That of a version is of the same run as ``modelyard lineage --format openlineage``."""
        self._http.call("POST", _ENDPOINT, event_document(_event(run), run.repository))
        return Found(run.state)


def _event(run: TrackedRun) -> Event:
    version = run.tags.get("version", "")
    said = {name: value for name, value in run.tags.items() if value and name not in ("model", "version", "tag")}
    return Event(
        run=f"{run.model}@{version}" if version else run.key,
        job=f"train {run.model}" if version else f"propose {run.model}",
        at=run.at or int(time.time()),
        state="FAIL" if run.failed else "COMPLETE",
        inputs=run.inputs,
        output=(f"models/{run.model}", version) if version else ("", ""),  # a proposal is no version of the model
        job_facets=training_facets(run.model, run.tags.get("commit", ""), run.repository),
        run_tags=said,
        output_tags={name: run.tags.get(name, "") for name in _STANDING} if version else {},
    )
