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
    """Why a version has not served long enough in the environment before; '' when it has, or none is asked for."""
    names = [environment.name for environment in environments]
    index = names.index(to)
    bake = seconds_of(environments[index].bake)
    if index == 0 or not bake:
        return ""
    earlier = names[index - 1]
    served = sum((p.until or now) - p.since for p in periods(history, earlier) if p.version == version)
    if served >= bake:
        return ""
    done = f"served for {served / 3600:.1f} h" if served else "never served"
    return f"{version} has {done} in {earlier}; {to} asks for {environments[index].bake}"


def frozen(environment: Environment, today: date) -> str:
    """Why nothing new goes to an environment today; '' when it may."""
    for freeze in environment.freezes:
        if _covers(freeze, today):
            until = f" until {freeze.last}" if freeze.last else ""
            return f"{environment.name} is frozen{until}: {freeze.why}"
    return ""


def _covers(freeze: Freeze, today: date) -> bool:
    day = today.isoformat()
    if (freeze.first and day < freeze.first) or (freeze.last and day > freeze.last):
        return False
    return not freeze.days or _DAYS[today.weekday()] in freeze.days
