"""Desired against live: the actions that make a target's traffic what a rollout allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field


class Desired(Struct, frozen=True):
    """A version and the bytes it stands for."""

    version: str
    artifact: str
    """sha256"""


class Traffic(Struct, frozen=True):
    """Who answers what. Without a candidate the stable version answers everything."""

    stable: str
    candidate: str = ""
    weight: float = 0.0
    """Percent of the traffic that the candidate answers; the stable version answers the rest."""
    mirror: bool = False
    """The candidate gets a copy of what the stable version answers, and its scores go to nobody."""
    salt: str = ""
    """Names the rollout: who is among the first callers differs from one rollout to the next."""
    key: str = ""
    """The column by which a caller stays with one version; '' for the contract's id."""


class Live(Struct, frozen=True):
    """What a target reports of one model."""

    traffic: Traffic | None = None
    """None while nothing answers."""
    installed: dict[str, str] = field(default_factory=dict)
    """Version → sha256 of the artifact that lies ready."""

    @property
    def serving(self) -> str | None:
        """The version that answers, or most of all does."""
        if self.traffic is None:
            return None
        return self.traffic.candidate if self.traffic.weight >= 100 else self.traffic.stable


class Action(Struct, frozen=True):
    """One step: ``install`` lays bytes ready, ``route`` moves traffic, ``remove`` deletes what nobody needs."""

    do: Literal["install", "route", "remove"]
    version: str
    traffic: Traffic | None = None
    """Of a route."""

    def __str__(self) -> str:
        traffic = self.traffic
        if traffic is None:
            return f"{self.do} {self.version}"
        if not traffic.candidate:
            return f"route all to {traffic.stable}"
        mirrored = f", a copy to {traffic.candidate}" if traffic.mirror else ""
        rest = f"{100 - traffic.weight:g} % to {traffic.stable}{mirrored}"
        return f"route {traffic.weight:g} % to {traffic.candidate}, {rest}" if traffic.weight else f"route {rest}"


def plan(
    wanted: Traffic, artifacts: Mapping[str, str], live: Live, keep: frozenset[str] = frozenset()
) -> tuple[Action, ...]:
    """The actions that make ``live`` answer as ``wanted``; empty when it does.

    ``artifacts`` are the registered bytes of the versions that answer; ``keep`` are versions that stay installed, such
    as the one that served before: the way back is a route, not an installation. Bytes are laid ready before traffic
    moves to them, and go only after it left.
    """
    needed = [version for version in (wanted.stable, wanted.candidate) if version]
    renewed = [version for version in needed if live.installed.get(version) != artifacts[version]]
    actions = [Action("install", version) for version in renewed]
    if (live.traffic or Traffic("")) != wanted or renewed:
        actions.append(Action("route", wanted.candidate or wanted.stable, wanted))
    stale = sorted(set(live.installed) - set(needed) - keep)
    return (*actions, *(Action("remove", version) for version in stale))


def removal(live: Live) -> tuple[Action, ...]:
    """The actions that take a model off a target."""
    route = [Action("route", "", Traffic(""))] if live.traffic else []
    return (*route, *(Action("remove", version) for version in sorted(live.installed)))


class Delivery(Struct, frozen=True):
    """What is to be done, or was done, for one model in one environment."""

    environment: str
    model: str
    desired: str
    live: str | None
    actions: tuple[str, ...]
    tag: str | None = None
    """The receipt; None for a plan, and when nothing had changed."""
    skipped: str = ""
    """Why nothing can be done yet."""
    rollout: str = ""
    """Where the rollout stands and what it waits for; '' where there is none."""
    progressing: bool = False
    rolled_back: bool = False
    """Main asks for a version that was taken back."""
    pull: int | None = None
    """The pull request that makes main say what runs."""


class JournalEntry(Struct, frozen=True):
    """One entry of a rollout's journal, for a timeline."""

    at: int
    """Seconds since 1970."""
    sentence: str


class StatusLine(Struct, frozen=True):
    """One model in one environment. Two verdicts: ``sync`` and ``health``."""

    model: str
    environment: str
    desired: str
    live: str | None
    sync: str
    """in sync, rolling out, rolled back, out of sync, not deployed, or unknown where the target does not answer."""
    health: str
    reason: str
    """Why it is not healthy."""
    since: int
    """When the live version was assigned, in seconds since 1970; 0 when no receipt says so."""
    why: str
    by: str
    approved_by: tuple[str, ...]
    rollout: str = ""
    """Who answers what while traffic moves; why it went back."""


def described(actions: tuple[Action, ...]) -> tuple[str, ...]:
    """Actions as a reader wants them."""
    return tuple(str(action) for action in actions)
