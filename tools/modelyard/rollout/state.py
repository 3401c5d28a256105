"""Desired against live, as data that every screen can show."""

from __future__ import annotations

from msgspec import Struct

from modelyard.rollout.plan import Action


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


class Moment(Struct, frozen=True):
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
