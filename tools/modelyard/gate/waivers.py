"""Which waivers count: sound, not expired, and within what the policy allows a model in a quarter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from msgspec import Struct

from modelyard.errors import ModelyardError
from modelyard.manifests.approvals import Waiver


class Granted(Struct, frozen=True):
    """A waiver that the default branch took on, whether or not its file is still there."""

    file: str
    model: str
    on: date


class WaiverState(Struct, frozen=True):
    """One waiver that is there, as a reader wants it."""

    file: str
    model: str
    check: str
    artifact: str
    requested_by: str
    approved_by: str
    reason: str
    expires: str
    expired: bool
    days_left: int
    granted: str
    """The day it was taken on; '' where it is not committed."""


def last_day(file: str, waiver: Waiver) -> date:
    """The last day on which a waiver holds; ModelyardError when it names none."""
    try:
        return date.fromisoformat(waiver.expires)
    except ValueError:
        raise ModelyardError(
            f"{file}: expires: {waiver.expires!r} is no day, so nothing can be judged by it.",
            "Write a day such as 2026-05-31, or remove the file.",
        ) from None


def within_budget(
    waivers: Sequence[tuple[str, Waiver]], granted: Iterable[Granted], model: str, budget: int | None, today: date
) -> tuple[tuple[tuple[str, Waiver], ...], tuple[str, ...]]:
    """The waivers of a model that count, and a sentence on each that does not because the quarter's budget is spent.

    The first ``budget`` waivers taken on in a quarter count, also such as were removed since; one that is not committed
    yet is taken for today's.
    """
    for file, waiver in waivers:
        last_day(file, waiver)
    if budget is None:
        return tuple(waivers), ()
    days = {one.file: one.on for one in granted if one.model == model}
    mine = {file for file, waiver in waivers if waiver.model == model}
    order = sorted([*((day, file) for file, day in days.items()), *((today, file) for file in mine - days.keys())])
    spent: dict[tuple[int, int], int] = {}
    over = set()
    for day, file in order:
        spent[quarter(day)] = spent.get(quarter(day), 0) + 1
        if spent[quarter(day)] > budget and file in mine:
            over.add(file)
    notes = tuple(
        f"The waiver {file} does not count: {model} may have {budget} a quarter, and they were used before it."
        for file in sorted(over)
    )
    return tuple((file, waiver) for file, waiver in waivers if file not in over), notes


def waiver_states(
    waivers: Sequence[tuple[str, Waiver]], granted: Iterable[Granted], today: date
) -> tuple[WaiverState, ...]:
    """All waivers, those that end first in front."""
    days = {one.file: one.on.isoformat() for one in granted}
    found = []
    for file, waiver in waivers:
        left = (last_day(file, waiver) - today).days
        found.append(
            WaiverState(
                file, waiver.model, waiver.check, waiver.artifact, waiver.requested_by, waiver.approved_by or "",
                waiver.reason, waiver.expires, left < 0, left, days.get(file, ""),
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda state: (state.days_left, state.file)))


def quarter(day: date) -> tuple[int, int]:
    """Year and quarter, 1 to 4."""
    return day.year, (day.month + 2) // 3
