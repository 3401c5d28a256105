"""Whether a version may go to an environment: blocked bytes, order of environments, bake time, freezes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from modelyard.manifests.calendar import freeze_on
from modelyard.manifests.configuration import Environment
from modelyard.manifests.names import seconds_of
from modelyard.registry.history import Assignment, ModelHistory, RegisteredVersion
from modelyard.registry.timeline import periods


def bake_reason(history: ModelHistory, environments: Sequence[Environment], to: str, version: str, now: int) -> str:
    """Why a version has not served (long enough) in the environment before; '' when it has, or there is none."""
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
    return f"{version} has served for {sum(stays) / 3600:.1f} h in {earlier}; {to} asks for {bake}"


def freeze_reason(environment: Environment, today: date) -> str:
    """Why nothing new goes to an environment today; '' when it may."""
    freeze = freeze_on(environment.freezes, today)
    if freeze is None:
        return ""
    until = f" until {freeze.last}" if freeze.last else ""
    return f"{environment.name} is frozen{until}: {freeze.why}"


def blocking_rollback(history: ModelHistory, artifact: str, forgiven: Collection[str] = ()) -> Assignment | None:
    """The newest rollback, in any environment, that took these bytes away and is not among the ``forgiven`` tags."""
    for rollback in reversed(history.rollbacks()):
        if rollback.record and rollback.record.blocked == artifact and rollback.tag not in forgiven:
            return rollback
    return None


def latest_allowed(history: ModelHistory, forgiven: Collection[str] = ()) -> RegisteredVersion | None:
    """The highest version that is registered and not blocked; what ``latest`` means."""
    if not history.rollbacks():
        return history.latest
    for known in reversed(history.versions):
        if known.record is None or blocking_rollback(history, known.record.artifact, forgiven) is None:
            return known
    return None
