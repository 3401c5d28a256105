"""Waivers: their last days, and the number that a policy allows one model in a quarter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from msgspec import Struct

from modelyard.errors import ModelyardError
from modelyard.manifests.approvals import Waiver


class Granted(Struct, frozen=True):
    """A waiver that was merged into the default branch. Its file may have been removed since."""

    file: str
    model: str
    on: date


class WaiverState(Struct, frozen=True):
    """One waiver file, as lists show it."""

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
    """The day it was merged; '' when it is not committed."""


def last_day(file: str, waiver: Waiver) -> date:
    """The last day on which a waiver is valid; ModelyardError when that is not a date."""
    try:
        return date.fromisoformat(waiver.expires)
    except ValueError:
        raise ModelyardError(
            f"{file}: expires: {waiver.expires!r} is not a valid date.",
            "Write a date such as 2026-05-31, or remove the file.",
        ) from None


def within_budget(
    waivers: Sequence[tuple[str, Waiver]], granted: Iterable[Granted], model: str, budget: int | None, today: date
) -> tuple[tuple[tuple[str, Waiver], ...], tuple[str, ...]]:
    """The waivers that count, and a sentence for each that exceeds the budget of its quarter.

    ``budget`` is the number of waivers that ``model`` may get in a quarter; None is no limit. The first ones that were
    merged use the budget, also those removed since. A waiver that is not committed has the day ``today``.
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
        f"The waiver {file} does not count: {model} already used its budget of {budget} in that quarter."
        for file in sorted(over)
    )
    return tuple((file, waiver) for file, waiver in waivers if file not in over), notes


def waiver_states(
    waivers: Sequence[tuple[str, Waiver]], granted: Iterable[Granted], today: date
) -> tuple[WaiverState, ...]:
    """All waivers, sorted by their last day."""
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
    """Year and quarter (1 to 4) of a day."""
    return day.year, (day.month + 2) // 3
