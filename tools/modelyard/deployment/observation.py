"""The status of every deployment: desired and observed state, health and receipt."""

from __future__ import annotations

import os

from msgspec import Struct

from modelyard.errors import ModelyardError, UsageError
from modelyard.git import Git, PendingTags
from modelyard.manifests.deployment import Deployment
from modelyard.manifests.repository import ModelRepository
from modelyard.registry.history import ModelHistory, read_registry
from modelyard.registry.tags import StageRecord
from modelyard.rollout.plan import Live, StatusLine
from modelyard.rollout.promotion import blocking_rollback, latest_allowed
from modelyard.secrets.interface import Secrets
from modelyard.targets.discovery import open_target
from modelyard.targets.interface import Health, Target


def observe(
    repository: ModelRepository,
    git: Git,
    pending: PendingTags,
    model: str | None = None,
    environment: str | None = None,
) -> list[StatusLine]:
    """The status of all deployments (of one model, of one environment), sorted by model, then environment.

    ``pending`` are the tags. They are read last, while git is still writing them. UsageError in a shallow clone without
    tags.
    """
    deployments = [
        (where, deployment)
        for where, deployment in repository.deployments()
        if model in (None, deployment.model) and environment in (None, where)
    ]
    targets: dict[str, _ObservedTarget] = {}
    secrets = Secrets(os.environ)
    for where, _ in deployments:
        if where not in targets:
            targets[where] = _observe_target(repository, where, secrets)
    registry = read_registry(pending)
    if not registry.models:
        git.require_work_tree()
    if not registry.models and git.is_shallow() and git.remote():
        raise UsageError(
            "This clone is shallow and has no tags, so deployments are unknown.",
            "Run: git fetch --tags origin",
        )
    lines = []
    for where, deployment in deployments:
        lines.append(_line(where, deployment, registry.history(deployment.model), targets[where]))
    order = {declared.name: i for i, declared in enumerate(repository.config.environments)}
    return sorted(lines, key=lambda line: (line.model, order[line.environment]))


class _ObservedTarget(Struct, frozen=True):
    """The observed state of one target, or why it could not be observed."""

    target: Target | None
    live: dict[str, Live]
    fault: str = ""

    def health(self, model: str, version: str) -> Health:
        """The health of a version; down when the target does not answer."""
        if self.target is None:
            return Health("down", self.fault)
        try:
            return self.target.health(model, version)
        except ModelyardError as error:
            return Health("down", error.problem)


def _observe_target(repository: ModelRepository, environment: str, secrets: Secrets) -> _ObservedTarget:
    try:
        target = open_target(repository.environment(environment), repository.root, secrets)
        return _ObservedTarget(target, target.observe())
    except ModelyardError as error:  # the other environments are shown anyway
        return _ObservedTarget(None, {}, error.problem)


def _line(environment: str, deployment: Deployment, history: ModelHistory, observed: _ObservedTarget) -> StatusLine:
    found = observed.live.get(deployment.model, Live())
    live = found.serving
    desired = _desired(deployment, history)
    assigned = history.assigned(environment)
    receipt = assigned if assigned and assigned.version == live else None
    record = receipt.record if receipt else None
    sync, rollout = ("unknown", "") if observed.fault else _sync(desired, found, record, history, deployment)
    health = observed.health(deployment.model, live or "") if live or observed.fault else None
    return StatusLine(
        deployment.model,
        environment,
        desired,
        live,
        sync,
        health.state if health else "–",
        health.reason if health else "",
        receipt.at if receipt else 0,
        record.why if record else "",
        (record.by if record else "") or (receipt.by if receipt else ""),
        record.approved_by if record else (),
        rollout,
    )


def _desired(deployment: Deployment, history: ModelHistory) -> str:
    if deployment.version != "latest":
        return deployment.version
    latest = latest_allowed(history, deployment.readmit)
    return latest.version if latest else "latest"


def _sync(
    desired: str, found: Live, record: StageRecord | None, history: ModelHistory, deployment: Deployment
) -> tuple[str, str]:
    """The sync verdict, and a sentence on the rollout ('' without one)."""
    traffic = found.traffic
    if traffic is None:
        return "not deployed", ""
    if traffic.candidate:
        share = "a copy of all requests" if traffic.mirror and not traffic.weight else f"{traffic.weight:g} %"
        return "rolling out", f"{traffic.candidate} gets {share}, {traffic.stable} answers the rest"
    if found.serving == desired:
        return "in sync", ""
    rolled_back = record is not None and record.replaced == desired and record.blocked
    if record and rolled_back and blocking_rollback(history, record.blocked, deployment.readmit):
        return "rolled back", f"desired {desired}, live {found.serving}: {record.why}"
    return "out of sync", ""
