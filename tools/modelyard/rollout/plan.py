"""Desired state, live state and traffic of a model on a target, and the actions that reconcile them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field


class Desired(Struct, frozen=True):
    """A version and the digest of its artifact."""

    version: str
    artifact: str
    """sha256"""


class Traffic(Struct, frozen=True):
    """How requests are divided. Without a candidate the stable version serves all of them."""

    stable: str
    candidate: str = ""
    weight: float = 0.0
    """Percentage of the requests that the candidate serves; the stable version serves the rest."""
    mirror: bool = False
    """Whether the candidate gets copies of the stable version's requests (shadow); its scores are only logged."""
    salt: str = ""
    """Identifies the rollout, so that each rollout picks other callers first."""
    key: str = ""
    """The input column by which callers stay with one version; '' for the contract's id."""


class Live(Struct, frozen=True):
    """The observed state of one model on a target."""

    traffic: Traffic | None = None
    """None when the model is not served."""
    installed: dict[str, str] = field(default_factory=dict)
    """Version → sha256 of the installed artifact."""

    @property
    def serving(self) -> str | None:
        """The version that serves: the candidate from 100 % on, before that the stable one; None without traffic."""
        if self.traffic is None:
            return None
        return self.traffic.candidate if self.traffic.weight >= 100 else self.traffic.stable


class Action(Struct, frozen=True):
    """One action on a target: ``install`` an artifact, ``route`` traffic, or ``remove`` an installed version."""

    do: Literal["install", "route", "remove"]
    version: str
    traffic: Traffic | None = None
    """The new traffic of a route; None for other actions."""

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
    """The actions that change ``live`` to the wanted traffic; empty when they agree.

    ``artifacts`` maps versions to registered digests. ``keep`` are versions that stay installed, such as the previous
    one, so that a rollback only routes. Artifacts are installed before traffic moves, and removed after it left.
    """
    needed = [version for version in (wanted.stable, wanted.candidate) if version]
    renewed = [version for version in needed if live.installed.get(version) != artifacts[version]]
    actions = [Action("install", version) for version in renewed]
    if (live.traffic or Traffic("")) != wanted or renewed:
        actions.append(Action("route", wanted.candidate or wanted.stable, wanted))
    stale = sorted(set(live.installed) - set(needed) - keep)
    return (*actions, *(Action("remove", version) for version in stale))


def removal(live: Live) -> tuple[Action, ...]:
    """The actions that remove a model from a target: traffic first, then its versions."""
    route = [Action("route", "", Traffic(""))] if live.traffic else []
    return (*route, *(Action("remove", version) for version in sorted(live.installed)))


class Delivery(Struct, frozen=True):
    """A planned or completed deployment of one model in one environment."""

    environment: str
    model: str
    desired: str
    live: str | None
    actions: tuple[str, ...]
    tag: str | None = None
    """The stage tag that was written; None for a plan and when nothing changed."""
    skipped: str = ""
    """Why nothing can be done now; '' if it can."""
    rollout: str = ""
    """The state of the rollout and what it waits for; '' without one."""
    progressing: bool = False
    rolled_back: bool = False
    """Whether the desired version was rolled back."""
    pull: int | None = None
    """The pull request that records a rollback on main."""
    probes: tuple[str, ...] = ()
    """The results of the probe rows of versions that gained traffic."""
    fault: str = ""
    """The reason that the live version does not answer; '' if it does, or if the target cannot tell."""


class JournalEntry(Struct, frozen=True):
    """One entry of a rollout journal."""

    at: int
    """Seconds since 1970."""
    sentence: str


class StatusLine(Struct, frozen=True):
    """The status of one model in one environment."""

    model: str
    environment: str
    desired: str
    live: str | None
    sync: str
    """in sync, rolling out, rolled back, expired, out of sync, not deployed; unknown when the target is silent."""
    health: str
    reason: str
    """Why it is not healthy."""
    since: int
    """When the live version was assigned, in seconds since 1970; 0 without a receipt."""
    why: str
    by: str
    approved_by: tuple[str, ...]
    rollout: str = ""
    """How traffic is divided during a rollout, or why it was rolled back."""
    doubts: tuple[str, ...] = ()
    """Tags that the line does not believe, each with the reason."""


def described(actions: tuple[Action, ...]) -> tuple[str, ...]:
    """Actions as sentences for people."""
    return tuple(str(action) for action in actions)
