"""One table for every prediction log, and how its reader is found.

==========  =====================================================================================================
id          of the prediction: request and row
entity      text; the contract's id where the caller sent it (a digest of it where that is personal)
time        moment in UTC; what names no zone is taken for UTC
version     that answered
variant     champion, candidate or shadow
score       number, or a list of one per class; null where the request failed
latency_ms  of the request; null where the log does not know it
error       text; null where there is none
inputs.x    one column an input, as it was logged
==========  =====================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from modelyard.errors import UsageError, near_match
from modelyard.manifests.configuration import Environment
from modelyard.manifests.model import Model

if TYPE_CHECKING:
    import pyarrow as pa

TEXTS = ("id", "entity", "version", "variant", "error")


@dataclass(frozen=True)
class Window:
    """From ``begin`` to before ``end``, seconds since 1970."""

    begin: float
    end: float


class Reader(Protocol):
    """One environment's log. Tables come in any order, each small enough to be held; every row comes once."""

    def read(
        self, model: Model, begin: float, end: float, columns: tuple[str, ...] | None = None
    ) -> Iterator[pa.Table]:
        """The predictions of ``[begin, end)``, seconds since 1970; of ``columns`` at least those.

        Asked twice for what is past, it gives the same rows in the same order.
        """


def open_reader(environment: Environment, root: Path) -> Reader:
    """The reader that an environment names; the ``local`` target's own log by default."""
    named = environment.predictions.reader
    if named == "log":  # without the scan that entry points cost
        from modelyard.predictions.log import LogReader

        return LogReader(environment, root)
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group="modelyard.predictions")}
    if named not in found:
        raise UsageError(
            f"modelyard.yaml: environments: {environment.name}: predictions: reader: {named!r} is not installed.",
            near_match(named, ["log", *found]),
        )
    reader: Reader = found[named].load()(environment, root)
    return reader


def within(table: pa.Table, begin: float, end: float) -> pa.Table:
    """The rows of a window."""
    import pyarrow.compute as pc

    time = table["time"]
    if not len(time):
        return table
    first, last = (datetime.fromtimestamp(moment, UTC) for moment in (begin, end))
    spread = pc.min_max(time)
    earliest, latest = spread["min"].as_py(), spread["max"].as_py()
    if earliest is not None and first <= earliest and latest < last and not time.null_count:
        return table
    return table.filter(pc.and_(pc.greater_equal(time, first), pc.less(time, last)))
