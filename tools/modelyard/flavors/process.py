"""A worker process that scores rows. It is stopped when it hangs, and started again after a failure."""

from __future__ import annotations

import io
import os
import select
import signal
import struct
import subprocess
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

import numpy as np

from .interface import Fault
from .values import Floats

_LENGTH = struct.Struct(">Q")
_LOAD_SECONDS = 300.0
_KEPT_LINES = 20
_LARGEST_ANSWER = 2_000_000_000
VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")
"""The environment variables that the worker gets. None of them is a secret."""


class Worker:
    """One worker process. A call after a failure starts it again. Calls of several threads wait for each other."""

    def __init__(self, python: str, scorer: Path, artifact: Path, folder: Path, seconds: float) -> None:
        """Does not start the process. A call that takes longer than ``seconds`` stops it."""
        program = Path(__file__).with_name("worker.py")
        self._command = [python, "-u", str(program), str(scorer), str(artifact)]
        self._folder, self._seconds, self._scorer = folder, seconds, scorer
        self._process: subprocess.Popen[bytes] | None = None
        self._said: deque[str] = deque(maxlen=_KEPT_LINES)
        self._busy = threading.Lock()

    @property
    def process_id(self) -> int | None:
        """The process id; None while it does not run."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts the process and waits until the model is loaded; Fault if that fails."""
        with self._busy:
            self._ensure()

    def score(self, content: bytes) -> Floats:
        """The scores of a table (an Arrow stream), as the scorer gave them; Fault if it fails."""
        with self._busy:
            process = self._ensure()
            deadline = time.monotonic() + self._seconds
            try:
                self._write(process, _LENGTH.pack(len(content)) + content, deadline)
            except OSError:
                raise self._ended("ended") from None
            answer = self._answer(process, deadline)
        return np.asarray(np.load(io.BytesIO(answer), allow_pickle=False), dtype=np.float64)

    def close(self) -> None:
        """Ends the process, after the current call."""
        with self._busy:
            self._stop()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _ensure(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        kept = {name: os.environ[name] for name in VARIABLES if name in os.environ}
        try:
            process = subprocess.Popen(
                self._command, cwd=self._folder, env=kept, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, bufsize=0, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise Fault(
                f"{self._command[0]} cannot be started: {error.strerror}.",
                "Delete its environment, and run the command again.",
            ) from error
        self._process = process
        self._said.clear()
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()
        self._answer(process, time.monotonic() + _LOAD_SECONDS)
        return process

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """Reads what the scorer prints, and keeps the last lines."""
        assert process.stderr is not None  # noqa: S101
        with suppress(ValueError, OSError):  # closed in the meantime
            for line in io.TextIOWrapper(process.stderr, errors="replace"):
                self._said.append(line.rstrip()[:500])

    def _answer(self, process: subprocess.Popen[bytes], deadline: float) -> bytes:
        head = self._read(process, 1 + _LENGTH.size, deadline)
        (size,) = _LENGTH.unpack(head[1:])
        if size > _LARGEST_ANSWER:
            raise self._ended("gave an answer that is too large")
        content = self._read(process, size, deadline)
        if head[:1] == b"+":
            return content
        said = content.decode(errors="replace").splitlines() or ["no message"]
        raise Fault(f"{self._scorer.name} failed: {said[0].rstrip('.')}.", f"Correct {self._scorer}.")

    def _read(self, process: subprocess.Popen[bytes], size: int, deadline: float) -> bytes:
        assert process.stdout is not None  # noqa: S101
        parts: list[bytes] = []
        while size:
            if not select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise self._ended(f"gave no answer within {self._seconds:g} s")
            part = os.read(process.stdout.fileno(), min(size, 1 << 20))
            if not part:
                raise self._ended("ended")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _write(self, process: subprocess.Popen[bytes], content: bytes, deadline: float) -> None:
        assert process.stdin is not None  # noqa: S101
        left = memoryview(content)
        os.set_blocking(process.stdin.fileno(), False)
        while left:
            if not select.select([], [process.stdin], [], max(0.0, deadline - time.monotonic()))[1]:
                raise self._ended(f"read no rows within {self._seconds:g} s")
            left = left[os.write(process.stdin.fileno(), left) :]

    def _ended(self, how: str) -> Fault:
        code = self._process.poll() if self._process else None
        self._stop()
        status = f" with status {code}" if code is not None and how == "ended" else ""
        last = f" Its last line: {self._said[-1]}" if self._said else ""
        return Fault(
            f"The process of {self._scorer.name} {how}{status}, and was stopped.{last}",
            "The next request starts it again. To find the cause, run the scorer on these rows yourself.",
        )
