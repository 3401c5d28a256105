"""The exceptions that commands report to users, and the exit codes of commands."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit status of a command."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INCONCLUSIVE = 3
    ERROR = 4


class ModelyardError(Exception):
    """An error for the user: ``problem`` says in one sentence what is wrong and where, ``remedy`` what to do.

    It is shown without a traceback, unless ``--debug`` is given.
    """

    def __init__(self, problem: str, remedy: str, *, exit_code: ExitCode = ExitCode.ERROR) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem = problem
        self.remedy = remedy
        self.exit_code = exit_code


class UsageError(ModelyardError):
    """A wrong argument, or a folder in which the command cannot work."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy, exit_code=ExitCode.USAGE)


class Refused(ModelyardError):
    """A rule forbids what was requested."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy, exit_code=ExitCode.FAIL)


class Blocked(Refused):
    """A fact that is not what was filed, measured or signed keeps something from running: an incident."""


def missing_extra(extra: str, module: str) -> ModelyardError:
    """The error for a command that needs an optional dependency which is not installed."""
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
    more = f" and {len(choices) - 8} more" if len(choices) > 8 else ""
    return f"Known: {', '.join(choices[:8])}{more}."
