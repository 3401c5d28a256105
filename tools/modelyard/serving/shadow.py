"""Scores copies of what was answered, on a thread of its own: a shadow may be slow, and nobody waits for it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

_WAITING = 1_000


class Shadow:
    """A queue of jobs and the one thread that does them."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._work, name="shadow", daemon=True)
        self._thread.start()

    def put(self, job: Callable[[], None]) -> bool:
        """Takes a job, unless more wait already than the shadow can be expected to do."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    def close(self) -> None:
        """Does what waits, then ends."""
        self._jobs.put(None)
        self._thread.join(10)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
