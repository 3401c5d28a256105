"""Who runs where: desired, live and recorded, side by side."""

from __future__ import annotations

from modelyard.errors import UsageError
from modelyard.git import Git, PendingTags
from modelyard.manifests.repository import ModelRepository
from modelyard.manifests.schema import Deployment
from modelyard.registry.history import ModelHistory, read_registry
from modelyard.rollout.plan import Live
from modelyard.rollout.state import StatusLine
from modelyard.targets.interface import Target, open_target


def observe(
    repository: ModelRepository,
    git: Git,
    pending: PendingTags,
    model: str | None = None,
    environment: str | None = None,
) -> list[StatusLine]:
    """The status of every deployment (of one model, of one environment), models by name, environments in order.

    ``pending``: the tags, which are read last, because git is still at them.
    """
    deployments = [
        (where, deployment)
        for where, deployment in repository.deployments()
        if model in (None, deployment.model) and environment in (None, where)
    ]
    targets: dict[str, tuple[Target, dict[str, Live]]] = {}
    for where, _ in deployments:
        if where not in targets:
            target = open_target(repository.environment(where), repository.root)
            targets[where] = (target, target.observe())
    registry = read_registry(pending)
    if not registry.models:
        git.require_work_tree()
    if not registry.models and git.is_shallow() and git.remote():
        raise UsageError(
            "This clone is shallow and has no tags, so it cannot tell what was deployed.",
            "Run: git fetch --tags origin",
        )
    lines = []
    for where, deployment in deployments:
        target, live = targets[where]
        serving = live.get(deployment.model, Live()).serving
        lines.append(_line(where, deployment, registry.history(deployment.model), serving, target))
    order = {declared.name: i for i, declared in enumerate(repository.config.environments)}
    return sorted(lines, key=lambda line: (line.model, order[line.environment]))


def _line(
    environment: str, deployment: Deployment, history: ModelHistory, live: str | None, target: Target
) -> StatusLine:
    desired = deployment.version
    if desired == "latest":
        desired = str(history.latest.version) if history.latest else "latest"
    sync = "not deployed" if live is None else "in sync" if live == desired else "out of sync"
    health = target.health(deployment.model, live) if live else None
    assigned = history.assigned(environment)
    receipt = assigned if assigned and assigned.version == live else None
    record = receipt.record if receipt else None
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
    )
