"""When a model is retrained without being asked, and what that may cost."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from modelyard.manifests.base import Count, Manifest, Margin
from modelyard.manifests.environment import Freeze
from modelyard.manifests.names import Duration


class Budget(Manifest, frozen=True, kw_only=True):
    """What a clock or an alarm may spend; a person who asks is never held up."""

    runs: Annotated[int, Meta(ge=1, description="Retrainings in the span below.")] = 10
    minutes: Annotated[float, Meta(gt=0, description="Of training, in the span below.")] | None = None
    every: Annotated[Duration, Meta(description="The span, counted back from now.")] = "30d"


class Retrain(Manifest, frozen=True, kw_only=True):
    """When the bot retrains, and when its result is worth a review."""

    minimum_gain: Annotated[
        Margin, Meta(description="Smaller gains of the task's first metric are not proposed by a clock or an alarm.")
    ] = 0.0
    new_rows: Annotated[
        Count, Meta(description="Due when so many labelled rows of feedback came since the champion; 0: never.")
    ] = 0
    maximum_age: Annotated[Duration, Meta(description="Due when the champion is older.")] | None = None
    on_drift: Annotated[bool, Meta(description="Due when the newest window's inputs or scores failed.")] = True
    on_decay: Annotated[bool, Meta(description="Due when the newest window's quality failed.")] = True
    budget: Budget = field(default_factory=Budget)
    freezes: Annotated[list[Freeze], Meta(description="Days (UTC) on which nothing retrains unless somebody asks.")] = (
        field(default_factory=list)
    )
