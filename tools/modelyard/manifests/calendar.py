"""Freeze windows: days on which an environment gets no new version, or a model is not retrained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, field

from modelyard.manifests.document import Fault
from modelyard.manifests.names import Date, Manifest, Text

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Freeze(Manifest, frozen=True, kw_only=True):
    """Days (UTC) on which no new version is deployed. A rollback is still possible."""

    why: Text
    first: Annotated[Date | None, Meta(description="The first frozen day.")] = None
    last: Annotated[Date | None, Meta(description="The last frozen day.")] = None
    days: Annotated[list[Weekday], Meta(description="Only these days of the week.")] = field(default_factory=list)


def freeze_on(freezes: Sequence[Freeze], today: date) -> Freeze | None:
    """The first freeze that covers a day (UTC); None when no freeze does."""
    return next((freeze for freeze in freezes if _covers(freeze, today)), None)


def freeze_faults(freezes: Sequence[Freeze]) -> Iterator[Fault]:
    """Freezes that start after they end, or that have no end."""
    for i, freeze in enumerate(freezes):
        if freeze.first and freeze.last and freeze.first > freeze.last:
            yield (
                ("freezes", i, "last"),
                f"{freeze.last} is before {freeze.first}.",
                "Set last to the same day or a later one.",
            )
        if not (freeze.last or freeze.days):
            yield ("freezes", i), "has no end.", "Add last: YYYY-MM-DD, or days of the week."


def _covers(freeze: Freeze, today: date) -> bool:
    day = today.isoformat()
    if (freeze.first and day < freeze.first) or (freeze.last and day > freeze.last):
        return False
    return not freeze.days or _DAYS[today.weekday()] in freeze.days
