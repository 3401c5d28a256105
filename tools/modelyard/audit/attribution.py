"""One prediction traced back: which version gave it, on what evidence that version serves, and who let it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from modelyard.catalog.versions import trace_up
from modelyard.checkout.champion import model_history
from modelyard.errors import ModelyardError, UsageError
from modelyard.git import Git
from modelyard.manifests.repository import ModelRepository
from modelyard.predictions.discovery import open_reader
from modelyard.predictions.interface import Window
from modelyard.predictions.lookup import as_logged, named
from modelyard.registry.lineage import Lineage
from modelyard.registry.timeline import Period, periods
from modelyard.secrets.interface import Secrets

MOST = 20


@dataclass(frozen=True)
class Attribution:
    """One logged prediction and its version."""

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
    """None for a version that was never registered, or whose tag is gone."""
    period: Period | None
    """The receipt that covers its moment; None for a candidate, a shadow, or a version nobody sent there."""


def attribute(
    repository: ModelRepository,
    git: Git,
    models: Sequence[str],
    environments: Sequence[str],
    wanted: str,
    window: Window,
    secrets: Secrets,
    say: Callable[[str], None],
) -> list[Attribution]:
    """Predictions whose id, request or entity is ``wanted``, of each model and environment the oldest 20 at most.

    A UsageError where there is none. Of several logs one that cannot be read is told, and keeps no other from being
    searched.
    """
    found: list[Attribution] = []
    for model in models:
        for environment in environments:
            try:
                found += _in_one_log(repository, git, model, environment, wanted, window, secrets)
            except ModelyardError as error:
                if len(models) * len(environments) == 1:
                    raise
                say(f"not searched, {model} in {environment}: {error.problem}")
    if not found:
        where = f"the log of {environments[0]}" if len(environments) == 1 else "any log that could be read"
        raise UsageError(
            f"There is no prediction {wanted!r} of that time in {where}.",
            "Give a prediction's id, its request's, or the contract's id; and a longer --window.",
        )
    return found


def _in_one_log(
    repository: ModelRepository,
    git: Git,
    model: str,
    environment: str,
    wanted: str,
    window: Window,
    secrets: Secrets,
) -> list[Attribution]:
    """The key of a log that holds digests of ids is asked for only when no prediction and no request has that name."""
    manifest, where = repository.model(model), repository.environment(environment)
    reader = open_reader(where, repository.root)
    found = named(reader, manifest, window.begin, window.end, wanted, MOST)
    if not found and manifest.contract.personal_id == "hash" and (names := as_logged(where, manifest, secrets)):
        found = named(reader, manifest, window.begin, window.end, str(names([wanted])[0]), MOST)
    history = model_history(git, model)
    lineages = {version: _lineage(git, model, version) for version in {row["version"] for row in found}}
    return [
        Attribution(
            model, environment,
            row["id"], row["entity"], row["time"].isoformat().replace("+00:00", "Z"), row["version"],
            row["variant"] or "champion", row["score"], row["error"], lineages[row["version"]],
            next((p for p in periods(history, environment, int(row["time"].timestamp()))
                  if p.version == row["version"]), None),
        )
        for row in found
    ]  # fmt: skip


def _lineage(git: Git, model: str, version: str) -> Lineage | None:
    try:
        return trace_up(git, model, version)
    except ModelyardError:
        return None
