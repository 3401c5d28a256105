"""Reads the next tables while the last one is worked on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")

_AT_MOST = 2


def ahead(items: Iterable[T]) -> Iterator[T]:
    """The same items in the same order; whatever raised there is raised here. Ends its thread when it is closed."""
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
