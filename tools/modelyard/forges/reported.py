"""Which report stood on a commit at a time: the verdict's statuses are the ledger, and nobody can edit them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from modelyard.forges.interface import VERDICT, State, Status

_DIGEST = re.compile(r"\breport sha256 ([0-9a-f]{64})$")
_LIMIT = 140


def verdict_status(state: State, said: str, report: str, url: str) -> Status:
    """The commit status of a verdict. Its description ends with the report's digest."""
    tail = f" · report sha256 {report}" if report else ""
    room = _LIMIT - len(tail)
    return Status(VERDICT, state, (said if len(said) <= room else said[: room - 1] + "…") + tail, url)


def report_at(statuses: Iterable[Status], at: int | None = None) -> str:
    """sha256 of the report on a commit, now or at a time; '' when there was none. Others' statuses are not believed."""
    for status in statuses:
        if status.context == VERDICT and status.ours and (at is None or status.at <= at):
            found = _DIGEST.search(status.description)
            return found[1] if found else ""
    return ""
