"""Waiting for conditions, bounded in minutes: no test depends on how busy the machine is. And servers to wait for."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

MINUTES = 10.0
"""Far beyond what anything here takes on a machine that does ten other things."""
SECONDS = 60 * MINUTES
"""The same for interfaces that ask for seconds, such as a client's timeout."""
Found = TypeVar("Found")


def wait_for(condition: Callable[[], Found], what: str, minutes: float = MINUTES) -> Found:
    """The first true value of ``condition``, where an OSError means not yet. Fails with ``what`` it waited for."""
    end = time.monotonic() + 60 * minutes
    while True:
        last: object
        try:
            last = found = condition()
            if found:
                return found
        except OSError as error:
            last = error
        if time.monotonic() > end:
            pytest.fail(f"waited {minutes:g} minutes for {what}; the last look gave {last!r}")
        time.sleep(0.02)


def next_second() -> None:
    """Waits until the clock shows another whole second: what is compared in seconds is then later."""
    now = int(time.time())
    wait_for(lambda: int(time.time()) > now, "the next second")


def answers(url: str, *, any_status: bool = False) -> bool:
    """Whether a server answers with 200; with ``any_status``, whether it answers at all."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            return any_status or answer.status == 200
    except urllib.error.HTTPError:
        return any_status


@contextlib.contextmanager
def running(
    command: Sequence[str], folder: Path, ready: Callable[[], object], what: str = "", **variables: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own, once ``ready`` is true. The group is ended afterwards, by its id.

    What it writes goes to ``folder``/server.log, and is shown when it ends before it is ready.
    """
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=os.environ | variables, start_new_session=True,
        )  # fmt: skip

    def up() -> bool:
        assert process.poll() is None, f"{command[0]} ended with {process.returncode}: {log.read_text()[-2000:]}"
        return bool(ready())

    try:
        wait_for(up, f"{what or command[0]}, which writes to {log}")
        yield process
    finally:
        end_group(process)


def end_group(process: subprocess.Popen[bytes] | subprocess.Popen[str], minutes: float = 1.0) -> None:
    """Ends a process that leads its own group: asks it first, and kills what is left of the group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(60 * minutes)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
