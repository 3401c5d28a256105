"""How DVC runs stages: their environment, their output, what a failure says."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from modelyard.errors import ModelyardError

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
        return "See the output of the stage above."
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


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes, the last one first raised."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
