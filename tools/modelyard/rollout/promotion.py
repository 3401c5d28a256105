"""Rules of promotion: order of environments, bake time, freeze windows and blocked artifacts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from modelyard.manifests.calendar import freeze_on
from modelyard.manifests.configuration import Environment
from modelyard.manifests.deployment import Deployment
from modelyard.manifests.names import seconds_of
from modelyard.registry.history import Assignment, ModelHistory, RegisteredVersion
from modelyard.registry.timeline import periods


def bake_reason(history: ModelHistory, environments: Sequence[Environment], to: str, version: str, now: int) -> str:
    """Why a version may not go to the environment ``to`` yet; '' if it has baked in the previous one.

    The first environment has no previous one. ``now`` is in seconds since 1970.
    """
    names = [environment.name for environment in environments]
    index = names.index(to)
    if index == 0:
        return ""
    earlier, bake = names[index - 1], environments[index].bake
    stays = [max(0, (p.until or now) - p.since) for p in periods(history, earlier) if p.version == version]
    if not stays:
        return f"{version} has never served in {earlier}, which comes before {to}"
    if sum(stays) >= seconds_of(bake):
        return ""
    return f"{version} has served for {sum(stays) / 3600:.1f} h in {earlier}; {to} requires {bake}"


def freeze_reason(environment: Environment, today: date) -> str:
    """Why nothing new may go to an environment today; '' outside of freeze windows."""
    freeze = freeze_on(environment.freezes, today)
    if freeze is None:
        return ""
    until = f" until {freeze.last}" if freeze.last else ""
    return f"{environment.name} is frozen{until}: {freeze.why}"


def blocking_rollback(history: ModelHistory, artifact: str, readmitted: Collection[str] = ()) -> Assignment | None:
    """The newest rollback of an artifact, in any environment, whose tag is not in ``readmitted``; None without one."""
    for rollback in reversed(history.rollbacks()):
        if rollback.record and rollback.record.blocked == artifact and rollback.tag not in readmitted:
            return rollback
    return None


def latest_allowed(history: ModelHistory, readmitted: Collection[str] = ()) -> RegisteredVersion | None:
    """The highest registered version whose artifact is not blocked, which ``latest`` stands for; None without one."""
    if not history.rollbacks():
        return history.latest
    for known in reversed(history.versions):
        if known.record is None or blocking_rollback(history, known.record.artifact, readmitted) is None:
            return known
    return None


def arriving(history: ModelHistory, environment: str, deployment: Deployment) -> bool:
    """Whether the next run of deploy brings another version to an environment at once.

    A rollout in steps may take days, and a version that is named by its number is there already or was refused.
    """
    if deployment.version != "latest" or deployment.rollout.strategy != "all-at-once":
        return False
    latest, assigned = latest_allowed(history, deployment.readmit), history.assigned(environment)
    return latest is not None and (assigned is None or assigned.version != latest.version)
