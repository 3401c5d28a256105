"""The table of every prediction log, the interface of its readers, and windows of time.

==========  =====================================================================================================
id          of the prediction: request and row
entity      text; the contract's id where the caller sent it (a digest when the id is personal)
time        timestamp in UTC; times without a zone are UTC
version     that answered
variant     champion, candidate or shadow
score       number, or a list with one per class; null when the request failed
latency_ms  of the request; null when the log does not have it
error       text; null when there is none
inputs.x    one column per input, as it was logged
==========  =====================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, Protocol, TypeVar

from modelyard.manifests.model import Model

if TYPE_CHECKING:
    import pyarrow as pa


TEXTS = ("id", "entity", "version", "variant", "error")
T = TypeVar("T")
_AT_MOST = 2
"""Items that are made before they are used."""


@dataclass(frozen=True)
class Window:
    """The times ``[begin, end)`` in seconds since 1970."""

    begin: float
    end: float


class Reader(Protocol):
    """Reads one environment's log as tables in any order, each small enough for memory; every row comes once."""

    def read(
        self, model: Model, begin: float, end: float, columns: tuple[str, ...] | None = None
    ) -> Iterator[pa.Table]:
        """The predictions of ``[begin, end)``, seconds since 1970, with at least the given ``columns``.

        A second read of a past window gives the same rows in the same order.
        """


def within(table: pa.Table, begin: float, end: float) -> pa.Table:
    """The rows of a table with a time in ``[begin, end)``."""
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


def ahead(items: Iterable[T]) -> Iterator[T]:
    """The same items in the same order, made in a thread ahead of their use.

    An error of ``items`` is raised here. Closing the iterator ends the thread.
    """
    queue: Queue[tuple[T | None, BaseException | None]] = Queue(_AT_MOST)
    stopped = Event()

    def put(item: T | None, fault: BaseException | None) -> None:
        while not stopped.is_set():
            try:
                queue.put((item, fault), timeout=0.1)
                return
            except Full:
                continue

    def work() -> None:
        try:
            for item in items:
                put(item, None)
                if stopped.is_set():
                    return
            put(None, StopIteration())
        except BaseException as fault:
            put(None, fault)

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, fault = queue.get()
            if isinstance(fault, StopIteration):
                return
            if fault is not None:
                raise fault
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()
