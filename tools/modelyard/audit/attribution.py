"""Attribution of a logged prediction: its version, the lineage of that version, and its approvals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from modelyard.catalog.versions import lineage_of
from modelyard.checkout.checkout import ModelView
from modelyard.errors import ModelyardError, UsageError
from modelyard.manifests.configuration import Environment
from modelyard.predictions.discovery import open_reader
from modelyard.predictions.interface import Window
from modelyard.predictions.lookup import as_logged, named
from modelyard.registry.lineage import Lineage
from modelyard.registry.timeline import Period, periods
from modelyard.secrets.interface import Secrets

MAXIMUM_PREDICTIONS = 20
"""Per model and environment."""


@dataclass(frozen=True)
class Attribution:
    """A logged prediction with the lineage and the deployment of its version."""

    model: str
    environment: str
    id: str
    entity: str | None
    time: str
    version: str
    variant: str
    score: Any
    error: str | None
    lineage: Lineage | None
    """None for a version without a tag."""
    period: Period | None
    """The period of the version that covers the time; None for a candidate, a shadow, or without a receipt."""


def attribute(
    models: Sequence[ModelView],
    environments: Sequence[Environment],
    wanted: str,
    window: Window,
    secrets: Secrets,
    say: Callable[[str], None],
) -> list[Attribution]:
    """Predictions whose id, request id or entity is ``wanted``: the oldest 20 per model and environment.

    With several logs, an unreadable one is reported through ``say`` and skipped. UsageError when nothing is found.
    """
    found: list[Attribution] = []
    for model in models:
        for environment in environments:
            try:
                found += _search_log(model, environment, wanted, window, secrets)
            except ModelyardError as error:
                if len(models) * len(environments) == 1:
                    raise
                say(f"Not searched: {model.name} in {environment.name}: {error.problem}")
    if not found:
        where = f"the log of {environments[0].name}" if len(environments) == 1 else "any readable log"
        raise UsageError(
            f"There is no prediction {wanted!r} in that window in {where}.",
            "Give the id of a prediction, of a request, or of the contract; or a longer --window.",
        )
    return found


def _search_log(
    view: ModelView, environment: Environment, wanted: str, window: Window, secrets: Secrets
) -> list[Attribution]:
    """Predictions of one log. The key for hashed ids is read only when no prediction or request has the name."""
    manifest = view.manifest
    reader = open_reader(environment, view.checkout.root)
    found = named(reader, manifest, window.begin, window.end, wanted, MAXIMUM_PREDICTIONS)
    if not found and manifest.contract.personal_id == "hash" and (names := as_logged(environment, manifest, secrets)):
        found = named(reader, manifest, window.begin, window.end, str(names([wanted])[0]), MAXIMUM_PREDICTIONS)
    lineages = {version: _lineage(view, version) for version in {row["version"] for row in found}}
    return [
        Attribution(
            model=view.name,
            environment=environment.name,
            id=row["id"],
            entity=row["entity"],
            time=row["time"].isoformat().replace("+00:00", "Z"),
            version=row["version"],
            variant=row["variant"] or "champion",
            score=row["score"],
            error=row["error"],
            lineage=lineages[row["version"]],
            period=_period(view, environment.name, int(row["time"].timestamp()), row["version"]),
        )
        for row in found
    ]


def _period(view: ModelView, environment: str, at: int, version: str) -> Period | None:
    return next((p for p in periods(view.history, environment, at) if p.version == version), None)


def _lineage(view: ModelView, version: str) -> Lineage | None:
    try:
        return lineage_of(view, version)
    except ModelyardError:
        return None
