"""Scoring that may take any time: in threads of the model, and awaited for a limited time only."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from modelyard.serving.body import Answer

_PLACES = 4
"""Threads of one model."""


class Patience:
    """The threads of every model. One whose requests hang keeps its own threads busy, and no other model's."""

    def __init__(self, seconds: float) -> None:
        """Does not start a thread. ``seconds`` is the time from a request to its answer."""
        self._seconds = seconds
        self._lines: dict[str, _Line] = {}

    async def run(self, model: str, work: Callable[[], Any]) -> Any:
        """What ``work`` returns or raises; Answer 503 when no thread was free in time, 504 when it took too long.

        Nothing can end a thread, so work that takes too long goes on, and keeps its thread until it is done.
        """
        line = self._lines.setdefault(model, _Line(model))
        job: Future[Any] = Future()
        line.put(job, work)
        awaited = asyncio.wrap_future(job)
        await asyncio.wait({awaited}, timeout=self._seconds)
        if awaited.done():
            return awaited.result()
        awaited.add_done_callback(lambda late: late.cancelled() or late.exception())  # nobody else asks for it
        if job.cancel():
            raise Answer(503, f"All {_PLACES} threads of {model} are busy for more than {self._seconds:g} s.")
        raise Answer(504, f"{model} did not score this request within {self._seconds:g} s.")


class _Line:
    """The jobs of one model, and its threads, which are started as they are needed."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads = 0

    def put(self, job: Future[Any], work: Callable[[], Any]) -> None:
        self._jobs.put((job, work))
        if not self._idle.acquire(blocking=False) and self._threads < _PLACES:
            self._threads += 1
            # A daemon, so that a thread that hangs does not keep the server from ending.
            threading.Thread(target=self._work, name=f"score {self._model}", daemon=True).start()

    def _work(self) -> None:
        while True:
            job, work = self._jobs.get()
            if job.set_running_or_notify_cancel():
                try:
                    job.set_result(work())
                except BaseException as error:  # the caller raises it
                    job.set_exception(error)
            del job, work
            self._idle.release()
