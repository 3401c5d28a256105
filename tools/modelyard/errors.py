"""The one exception the tools raise on purpose, and the exit codes they end with."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What a tool's exit status says to a workflow."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INCONCLUSIVE = 3
    ERROR = 4


class ModelyardError(Exception):
    """What is wrong and where, in one sentence, and what to do next, in one more.

    Shown without a traceback; ``--debug`` shows the traceback too.
    """

    def __init__(self, problem: str, remedy: str, *, exit_code: ExitCode = ExitCode.ERROR) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy
        self.exit_code = exit_code


class UsageError(ModelyardError):
    """The command was called where, or in a way, it cannot work."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy, exit_code=ExitCode.USAGE)


class Refused(ModelyardError):
    """The tool understood and says no: a rule forbids what was asked."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy, exit_code=ExitCode.FAIL)


def missing_extra(extra: str, module: str) -> ModelyardError:
    """The error for a command whose optional dependency is not installed."""
    return ModelyardError(
        f"This command needs the Python package {module}, which is not installed.",
        f"Install it with: pip install 'modelyard[{extra}]'",
    )


def near_match(word: str, known: Iterable[str], if_empty: str = "No other name is expected here.") -> str:
    """The remedy for an unknown name: ``Did you mean 'x'?``, else the known names, else ``if_empty``."""
    import difflib

    choices = sorted(known)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    if not choices:
        return if_empty
    listed = ", ".join(choices[:8]) + (", …" if len(choices) > 8 else "")
    return f"Known: {listed}."
