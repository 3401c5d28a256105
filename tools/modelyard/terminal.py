"""The only writer to the terminal: results on standard output, words for people on standard error."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from typing import Any

import click

from modelyard.errors import ExitCode, ModelyardError

# Names from logs and pull requests may hold what moves a terminal's cursor or sets its title; colours are ours.
_CONTROLS = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


def say(text: str) -> None:
    """A line for the person who watches."""
    click.echo(_CONTROLS.sub("\ufffd", text), err=True, color=_colour(sys.stderr))


def progress(every: float = 2.0) -> Callable[[str], None]:
    """Says the newest of many lines every few seconds, so that short work is silent and long work is not."""
    last = time.monotonic()

    def now_and_then(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= every:
            last = time.monotonic()
            say(text)

    return now_and_then


def result(text: str) -> None:
    """A line that is a result."""
    click.echo(_CONTROLS.sub("\ufffd", text), color=_colour(sys.stdout))


def result_json(value: Any) -> None:
    """A result as strict JSON."""
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
    """One sentence what is wrong, one what to do."""
    say(f"{click.style('Error:', fg='red', bold=True)} {error.problem}")
    say(f"  {error.remedy}")


def _colour(stream: Any) -> bool:
    return not os.environ.get("NO_COLOR") and bool(stream.isatty())
