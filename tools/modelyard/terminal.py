"""The only writer to the terminal: results on standard output, messages on standard error."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, Protocol

import click

from modelyard.errors import ExitCode, ModelyardError
from modelyard.progress import Progress, progress_text

# Names from logs, tags and pull requests may hold sequences that move the cursor, set the title or hide text. Styles
# are ours alone: until they are printed, they carry a number of this process, which no text from outside can know.
_OWN = int.from_bytes(os.urandom(6), "big")
STYLES = re.compile(rf"\x1b\[{_OWN};([0-9]+)m")
"""Our styles in a text that is not printed yet; the group is the code of SGR."""
_CODES = {"bold": 1, "red": 31, "green": 32, "yellow": 33}
_VERBOSITY = "modelyard.verbosity"
_CLEAR_LINE = "\r\x1b[2K"
_EVERY = 2.0
"""Seconds between two lines of progress, and before the first: short work shows none."""


def styled(text: str, style: Literal["bold", "red", "green", "yellow"]) -> str:
    """A text in a style, which ``result`` and ``say`` show on a terminal that has styles."""
    return f"\x1b[{_OWN};{_CODES[style]}m{text}\x1b[{_OWN};0m"


class Fitting(Protocol):
    """A result that is laid out when the width is known, such as ``report.terminal.layout.Layout``."""

    def fit(self, width: int | None) -> str:
        """The text for so many columns; None means no limit."""


def width() -> int | None:
    """The columns of the terminal on standard output, by COLUMNS or its size; None for a pipe or a file."""
    return shutil.get_terminal_size((80, 24)).columns if sys.stdout.isatty() else None


def set_verbosity(level: int) -> None:
    """Sets what the running command shows: -1 results and errors, 0 messages too, 1 also stages' output and progress.

    Without a terminal, progress is shown at 1 only.
    """
    click.get_current_context().meta[_VERBOSITY] = level


def stages_shown(environ: Mapping[str, str]) -> bool:
    """Whether the output of stages is shown: where it was asked for, and in CI, whose log is all that people have."""
    return _verbosity() > (-1 if environ.get("CI") else 0)


def say(text: str) -> None:
    """Prints a message for the person at the terminal, unless the command is quiet."""
    if _verbosity() >= 0:
        _message(text)


def progress(every: float = 2.0) -> Callable[[str], None]:
    """A printer of messages that shows at most one every few seconds, so that short work prints nothing."""
    last = time.monotonic()

    def now_and_then(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= every:
            last = time.monotonic()
            say(text)

    return now_and_then


@contextmanager
def shown_progress(what: str) -> Iterator[Progress]:
    """Shows the progress of work: on a terminal as one line that changes, elsewhere as lines, and only if asked."""
    begun = last = time.monotonic()
    terminal = sys.stderr.isatty()
    before, drawn = 0, False

    def tell(rows: int, share: float | None) -> None:
        nonlocal begun, last, before, drawn
        now = time.monotonic()
        if rows < before:  # another part of the work
            begun = now
        before = rows
        if now - last < _EVERY or _verbosity() < (0 if terminal else 1):
            return
        last, text = now, f"{what}: {progress_text(rows, now - begun, share)} …"
        if terminal:
            drawn = True
            columns = shutil.get_terminal_size((80, 24)).columns
            click.echo(_CLEAR_LINE + _shown(text)[: columns - 1], err=True, nl=False, color=True)
        else:
            _message(text)

    try:
        yield tell
    finally:
        if drawn:
            click.echo(_CLEAR_LINE, err=True, nl=False, color=True)


def result(shown: str | Fitting) -> None:
    """Prints a result: a text as it is, a layout fitted to the terminal."""
    text = shown if isinstance(shown, str) else shown.fit(width())
    click.echo(_shown(text), color=_colour(sys.stdout))


def result_json(value: Any) -> None:
    """Prints a result as strict JSON. Characters that nobody sees are JSON's escapes."""
    from modelyard.documents import encode, visible_json

    click.echo(visible_json(encode(value, indent=2).decode()))


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
    _message(f"{styled(styled('Error:', 'bold'), 'red')} {error.problem}")
    _message(f"  {error.remedy}")


def _message(text: str) -> None:
    click.echo(_shown(text), err=True, color=_colour(sys.stderr))


def _verbosity() -> int:
    context = click.get_current_context(silent=True)
    level: int = context.meta.get(_VERBOSITY, 0) if context else 0
    return level


def _shown(text: str) -> str:
    from modelyard.documents import visible

    return "".join(f"\x1b[{part}m" if i % 2 else visible(part) for i, part in enumerate(STYLES.split(text)))


def _colour(stream: Any) -> bool:
    return not os.environ.get("NO_COLOR") and bool(stream.isatty())
