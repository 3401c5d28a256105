"""The interface of a tracker, and the run that it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct, field


class Metric(Struct, frozen=True):
    """One number; ``step`` is the fold, 0 for a number of all rows."""

    name: str
    value: float
    step: int = 0


class TrackedRun(Struct, frozen=True, kw_only=True):
    """One proposal or version as every tracker shows it.

    Its texts come from pull requests: their names are made safe here, their values are data.
    """

    key: str
    """The run is found by it. Equal parameters, data and artifact of one pull request give the same key."""
    state: str
    """A digest of everything that the run shows. A tracker that has this state needs nothing."""
    model: str
    name: str
    """For people, such as ``churn pull request 12`` or ``churn v1.2.0``."""
    at: int = 0
    """When the version was registered, in seconds since 1970; 0 for a proposal."""
    failed: bool = False
    """Whether the model could not be judged."""
    repository: str = ""
    """The URL of the git remote without a password; '' where there is none."""
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    inputs: dict[str, str] = field(default_factory=dict)
    """Path of a data set → its md5, as DVC pins it."""
    files: dict[str, bytes] = field(default_factory=dict)
    """File name → content: the report."""


class Found(Struct, frozen=True):
    """What a tracker has of a run."""

    state: str
    """'' for a run that somebody began to write."""
    url: str = ""
    """The address of its page; '' where it is not known."""


class Tracker(Protocol):
    """One tracker. Its methods raise ModelyardError where it cannot be reached, or refuses."""

    title: str
    """Its name for people."""
    remembers: bool
    """Whether ``find`` knows the runs that other checkouts wrote."""

    def find(self, model: str, keys: Sequence[str]) -> dict[str, Found]:
        """Key → what the tracker has, for those of the keys that it knows."""

    def write(self, run: TrackedRun) -> Found:
        """Writes a run, or brings the run of that key up to date. Repeating it changes nothing that is shown."""
