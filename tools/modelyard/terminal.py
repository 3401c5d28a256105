"""The only writer to the terminal: results on standard output, messages on standard error."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import click

from modelyard.errors import ExitCode, ModelyardError

# Names from logs and pull requests may hold sequences that move the cursor or set the title; colours are ours.
_OURS = re.compile(r"(\x1b\[(?:[01]|3[0-7]|9[0-7])m)")


class Fitting(Protocol):
    """A result that is laid out when the width is known, such as ``report.terminal.layout.Layout``."""

    def fit(self, width: int | None) -> str:
        """The text for so many columns; None means no limit."""


def width() -> int | None:
    """The columns of the terminal on standard output, by COLUMNS or its size; None for a pipe or a file."""
    return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else None


def say(text: str) -> None:
    """Prints a message for the person at the terminal."""
    click.echo(_shown(text), err=True, color=_colour(sys.stderr))


def progress(every: float = 2.0) -> Callable[[str], None]:
    """A printer of messages that shows at most one every few seconds, so that short work prints nothing."""
    last = time.monotonic()

    def now_and_then(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= every:
            last = time.monotonic()
            say(text)

    return now_and_then


def result(shown: str | Fitting) -> None:
    """Prints a result: a text as it is, a layout fitted to the terminal."""
    text = shown if isinstance(shown, str) else shown.fit(width())
    click.echo(_shown(text), color=_colour(sys.stdout))


def result_json(value: Any) -> None:
    """Prints a result as strict JSON."""
    from modelyard.documents import encode

    click.echo(encode(value, indent=2).decode())


def finish(outcome: str) -> None:
    """Ends the process with the exit code of an outcome."""
    codes = {
        "pass": ExitCode.PASS,
        "waived": ExitCode.PASS,
        "fail": ExitCode.FAIL,
        "inconclusive": ExitCode.INCONCLUSIVE,
    }
    raise SystemExit(int(codes.get(outcome, ExitCode.ERROR)))


def show_error(error: ModelyardError) -> None:
    """Prints an error: what is wrong, then what to do."""
    say(f"{click.style('Error:', fg='red', bold=True)} {error.problem}")
    say(f"  {error.remedy}")


def _shown(text: str) -> str:
    from modelyard.documents import visible

    return "".join(part if i % 2 else visible(part) for i, part in enumerate(_OURS.split(text)))


def _colour(stream: Any) -> bool:
    return not os.environ.get("NO_COLOR") and bool(stream.isatty())
