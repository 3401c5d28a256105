"""The deployment history: periods in which versions served, and all events of a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from modelyard.manifests.names import Version
from modelyard.registry.history import Assignment, ModelHistory
from modelyard.registry.tags import version_tag

What = Literal["registered", "assigned", "unassigned", "withdrawn", "archived", "refused"]


class Period(Struct, frozen=True):
    """A version in an environment from one stage tag to the next. Times are in seconds since 1970."""

    model: str
    environment: str
    version: Version
    since: int
    until: int | None
    """None while it lasts."""
    why: str
    by: str
    approved_by: tuple[str, ...]
    artifact: str
    tag: str


class Event(Struct, frozen=True):
    """One event of a model; ``at`` is in seconds since 1970."""

    at: int
    what: What
    version: Version
    """'' for an event of an environment or of the whole model."""
    environment: str
    by: str
    why: str
    approved_by: tuple[str, ...]
    tag: str
    doubt: str = ""
    """Why its tag proves nothing; '' where it equals its filed copy."""
    unapproved: bool = False
    """Whether it gave traffic to a version, and its receipt names nobody who approved that. A rollback needs nobody."""


def periods(history: ModelHistory, environment: str | None = None, at: int | None = None) -> tuple[Period, ...]:
    """All periods of a model, optionally of one environment or covering a time, sorted by time."""
    found = []
    following: dict[str, int] = {}
    for assignment in reversed(history.assignments):
        where = assignment.environment
        if environment not in (None, where):
            continue
        until = following.get(where)
        covers = at is None or (assignment.at <= at and (until is None or at < until))
        if assignment.version and covers:
            found.append(_period(history.model, assignment, until))
        following[where] = assignment.at
    return tuple(reversed(found))


def running(history: ModelHistory, environment: str | None = None) -> tuple[Period, ...]:
    """The periods that have not ended."""
    newest = {assignment.environment: assignment for assignment in history.assignments}
    return tuple(
        _period(history.model, assignment, None)
        for where, assignment in newest.items()
        if assignment.version and environment in (None, where)
    )


def events(history: ModelHistory) -> tuple[Event, ...]:
    """All events of a model, sorted by time."""
    found = []
    for version in history.all_versions:
        record = version.record
        found.append(
            Event(
                version.at, "registered", version.version, "", (record.by if record else "") or version.by,
                "; ".join(record.reasons) if record else "tagged by hand", record.approved_by if record else (),
                version_tag(history.model, version.version),
            )
        )  # fmt: skip
    told = [(known, f"imported: {known.message.partition(chr(10))[0]}") for known in history.told]
    for assignment, why in (*((known, "tagged by hand") for known in history.assignments), *told):
        receipt = assignment.record
        what: What = "assigned" if assignment.version else "unassigned"
        found.append(
            Event(
                assignment.at, what, assignment.version, assignment.environment,
                (receipt.by if receipt else "") or assignment.by, receipt.why if receipt else why,
                receipt.approved_by if receipt else (), assignment.tag,
                unapproved=what == "assigned" and not (receipt and (receipt.approved_by or receipt.blocked)),
            )
        )  # fmt: skip
    for withdrawal in history.withdrawals:
        reason = withdrawal.record
        found.append(
            Event(
                withdrawal.at, "withdrawn" if withdrawal.version else "archived", withdrawal.version, "",
                (reason.by if reason else "") or withdrawal.by, reason.why if reason else "tagged by hand", (),
                withdrawal.tag,
            )
        )  # fmt: skip
    return in_order(found)


def in_order(found: Iterable[Event]) -> tuple[Event, ...]:
    """Events by time; of one second, the registration first."""
    return tuple(sorted(found, key=lambda event: (event.at, event.what != "registered", event.tag)))


def _period(model: str, assignment: Assignment, until: int | None) -> Period:
    record = assignment.record
    return Period(
        model,
        assignment.environment,
        assignment.version,
        assignment.at,
        until,
        record.why if record else "",
        (record.by if record else "") or assignment.by,
        record.approved_by if record else (),
        record.artifact if record else "",
        assignment.tag,
    )
