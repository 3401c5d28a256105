"""What has to happen so that one model in one environment runs what main says."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Desired(Struct, frozen=True):
    """A version and the bytes it stands for."""

    version: str
    artifact: str
    """sha256"""


class Live(Struct, frozen=True):
    """What a target reports of one model."""

    serving: str | None = None
    """The version that answers, or None."""
    installed: dict[str, str] | None = None
    """Version → sha256 of the artifact that lies ready."""


class Action(Struct, frozen=True):
    """One step. ``install`` lays bytes ready, ``switch`` moves all traffic, ``remove`` deletes what nobody needs."""

    do: Literal["install", "switch", "remove"]
    version: str


def plan(desired: Desired, live: Live) -> tuple[Action, ...]:
    """The all-at-once strategy. Empty when nothing is to do.

    The version that served before stays installed, so that the way back is a switch; older ones go.
    """
    installed = live.installed or {}
    actions = []
    sound = installed.get(desired.version) == desired.artifact
    if not sound:
        actions.append(Action("install", desired.version))
    if live.serving != desired.version or not sound:
        actions.append(Action("switch", desired.version))
    if actions:
        keep = {desired.version, live.serving}
        actions += [Action("remove", version) for version in sorted(installed) if version not in keep]
    return tuple(actions)
