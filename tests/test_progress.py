"""Progress of long work: the line that says it, and when it is shown."""

from __future__ import annotations

import io
import sys

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from modelyard.options import verbosity
from modelyard.progress import progress_text
from modelyard.terminal import say, shown_progress


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("rows", "seconds", "share", "text"),
    [
        (1, 0.0, None, "1 row"),
        (500, 2.0, None, "500 rows, 250 a second"),
        (3_400_000, 2.0, 0.25, "3,400,000 rows, 25 %, 1,700,000 a second, about 6 s left"),
        (10, 100.0, 0.1, "10 rows, 10 %, about 15 min left"),
        (10, 3600.0, 0.25, "10 rows, 25 %, about 3.0 h left"),
        (10, 1.0, 0.01, "10 rows, 1 %, 10 a second"),
        (10, 1.0, 1.0, "10 rows, 100 %, 10 a second"),
    ],
)
def test_the_line(rows: int, seconds: float, share: float | None, text: str) -> None:
    assert progress_text(rows, seconds, share) == text


@given(st.integers(0, 10**15), st.floats(0, 1e9), st.none() | st.floats(-1, 2))
def test_the_line_is_short_and_never_fails(rows: int, seconds: float, share: float | None) -> None:
    text = progress_text(rows, seconds, share)
    assert len(text) < 120 and "-" not in text


def test_a_terminal_shows_one_line_that_changes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, shown = iter([0.0, 1.0, 3.0, 4.0, 6.0]), Terminal()
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    monkeypatch.setattr(sys, "stderr", shown)
    with shown_progress("Reading x") as progress:
        for rows in (10, 30, 40, 60):
            progress(rows, rows / 100)
    first, second, last = shown.getvalue().split("\r\x1b[2K")[1:]
    assert first == "Reading x: 30 rows, 30 %, 10 a second, about 7 s left …"
    assert second.startswith("Reading x: 60 rows, 60 %") and last == ""


@pytest.mark.parametrize(("asked", "lines"), [([], 0), (["-v"], 1), (["-q"], 0)])
def test_a_log_shows_progress_only_if_asked(asked: list[str], lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    @verbosity
    def work() -> None:
        say("A message.")
        clock = iter([0.0, 1.0, 3.0])
        monkeypatch.setattr("time.monotonic", lambda: next(clock))
        with shown_progress("Reading x") as progress:
            progress(10, None)
            progress(30, None)
        monkeypatch.undo()

    done = CliRunner().invoke(work, asked)
    assert done.exit_code == 0 and done.stderr.count("Reading x: 30 rows, 10 a second …\n") == lines
    assert ("A message." in done.stderr) == (asked != ["-q"])
