"""Whether a version may go to an environment now: the order of environments, bake time, freezes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from modelyard.manifests.environment import Environment, Freeze
from modelyard.manifests.names import seconds_of
from modelyard.registry.history import ModelHistory
from modelyard.registry.timeline import periods

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def not_baked(history: ModelHistory, environments: Sequence[Environment], to: str, version: str, now: int) -> str:
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


def frozen(environment: Environment, today: date) -> str:
    """Why nothing new goes to an environment today; '' when it may."""
    freeze = freeze_on(environment.freezes, today)
    if freeze is None:
        return ""
    until = f" until {freeze.last}" if freeze.last else ""
    return f"{environment.name} is frozen{until}: {freeze.why}"


def freeze_on(freezes: Sequence[Freeze], today: date) -> Freeze | None:
    """The freeze that covers a day (UTC)."""
    return next((freeze for freeze in freezes if _covers(freeze, today)), None)


def _covers(freeze: Freeze, today: date) -> bool:
    day = today.isoformat()
    if (freeze.first and day < freeze.first) or (freeze.last and day > freeze.last):
        return False
    return not freeze.days or _DAYS[today.weekday()] in freeze.days
