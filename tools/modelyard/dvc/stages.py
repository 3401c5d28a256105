"""How DVC runs stages: their environment, their output, what a failure says."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TextIO

from modelyard.documents import visible
from modelyard.errors import ModelyardError

_LAST_LINES, _LAST_BYTES = 60, 100_000
_STOPPED = re.compile(r"exited with (?:-2|130)$")


@contextlib.contextmanager
def tool_path() -> Iterator[None]:
    """Puts this Python environment first on PATH, so that stages run its ``python``."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Sends the stages' standard output to standard error: ours carries results only."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


@contextlib.contextmanager
def output_of_stages(shown: bool) -> Iterator[None]:
    """Sends the stages' output to standard error, or keeps it and shows its last lines when something fails."""
    if shown:
        with stdout_to_stderr():
            yield
        return
    with TemporaryFile(prefix="modelyard-") as kept:
        try:
            with _output_to(kept.fileno()):
                yield
        except Exception:
            sys.stderr.write(_last_lines(kept))
            sys.stderr.flush()
            raise


@contextlib.contextmanager
def stages_told_to(say: Callable[[str], None]) -> Iterator[None]:
    """Says each stage that DVC begins."""
    logger, told = logging.getLogger("dvc.stage.run"), _Told(say)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(told)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(told)
        logger.setLevel(level)
        logger.propagate = propagate


def interrupted(error: Exception) -> bool:
    """Whether a stage ended by Ctrl-C, which DVC does not pass on: by the signal, or as a shell reports it."""
    from dvc.stage.exceptions import StageCmdFailedError

    return any(isinstance(one, StageCmdFailedError) and _STOPPED.search(str(one)) for one in _chain(error))


def failed(what: str, error: Exception, remedy: str) -> ModelyardError:
    """The error with the first line of what DVC says, and of what caused it where that says more."""
    said = [text.splitlines()[0].rstrip(".") for one in _chain(error) if (text := str(one).strip())]
    reason = ": ".join(dict.fromkeys([*said[:1], *said[-1:]])) or type(error).__name__
    return ModelyardError(f"dvc {what} failed: {reason}.", remedy)


def remedy_of_run(error: Exception) -> str:
    """What to do after a failed run: a stage's output says it, or no stage ran."""
    from dvc.stage.exceptions import StageCmdFailedError

    if any(isinstance(one, StageCmdFailedError) for one in _chain(error)):
        return "See the last lines of the stage above; -v shows all of its output."
    return "No stage ran. Correct what it names, in dvc.yaml or among the files that the stage reads."


class _Told(logging.Handler):
    """Tells which stage DVC runs, by DVC's own messages."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Takes one message of DVC."""
        if str(record.msg).startswith("Running stage") and record.args:
            self._say(f"  stage {str(next(iter(record.args))).rpartition(':')[2]} …")


@contextlib.contextmanager
def _output_to(file: int) -> Iterator[None]:
    """Sends what child processes print to a file; messages of this process stay on its standard error."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept, errors = (os.dup(1), os.dup(2)), sys.stderr
    ours = _descriptor(errors) == 2
    if ours:
        sys.stderr = os.fdopen(os.dup(2), "w", encoding=errors.encoding, errors=errors.errors, buffering=1)
    os.dup2(file, 1)
    os.dup2(file, 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        for number, before in zip((1, 2), kept, strict=True):
            os.dup2(before, number)
            os.close(before)
        if ours:
            sys.stderr.close()
            sys.stderr = errors


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None  # a stream of a test or a notebook


def _last_lines(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LAST_BYTES))
    lines = file.read().decode("utf-8", "replace").splitlines()[-_LAST_LINES:]
    return "".join(f"  {visible(line)}\n" for line in lines)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes, the last one first raised."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
