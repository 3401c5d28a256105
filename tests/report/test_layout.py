"""Results fit the terminal: 60, 80 and 120 columns, and a pipe. No cell is cut."""

from __future__ import annotations

import os
import pty
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from fcntl import ioctl
from termios import TIOCSWINSZ

import click
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from modelyard import terminal
from modelyard.report.terminal.layout import Layout, Paragraph, Table, columns
from modelyard.report.terminal.production import render_monitoring
from modelyard.report.terminal.proposal import render_drift, render_evaluation, render_terminal
from report import samples
from report.proposals import LEAKED, report
from support.evidence import DRIFT, EVALUATION

INTERVAL = re.compile(r"\[[+-]?\d\.\d{4}, [+-]?\d\.\d{4}\]")
SHOWN: dict[str, Callable[[], Layout]] = {
    "verdict": lambda: render_terminal(report(LEAKED)),
    "evaluation": lambda: render_evaluation("churn", EVALUATION),
    "drift": lambda: render_drift(DRIFT),
    "window": lambda: render_monitoring(*samples.window("v1.2.3")),
}


def lines(layout: Layout | Table | Paragraph, width: int | None) -> list[str]:
    return click.unstyle(layout.fit(width)).split("\n")


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", SHOWN)
def test_results_fit_and_lose_no_interval_version_or_name(name: str, width: int) -> None:
    fitted, whole = lines(SHOWN[name](), width), lines(SHOWN[name](), None)
    assert max(map(columns, fitted)) <= width
    assert "…" not in "".join(fitted)
    found, expected = ("\n".join(shown) for shown in (fitted, whole))
    assert sorted(INTERVAL.findall(found)) == sorted(INTERVAL.findall(expected))
    for check in report(LEAKED).checks if name == "verdict" else ():
        assert any(check.id in line.split() for line in fitted)
    words, wanted = (sorted(word for word in text.split() if word != "–") for text in (found, expected))
    assert words == wanted, "nothing is lost but dashes"


def test_a_pipe_has_one_line_per_row_and_paragraphs_of_80_columns() -> None:
    table = Table(["note", "n"], [["x" * 500, "1"], ["y " * 300, "2"]], shrink=("note",))
    assert len(lines(table, None)) == 3
    paragraph = Paragraph("word " * 100, "    ")
    assert lines(paragraph, None) == lines(paragraph, 80) == lines(paragraph, 120)
    assert max(map(len, lines(paragraph, None))) <= 80 and max(map(len, lines(paragraph, 60))) <= 60
    assert str(Layout.of("a", Paragraph("b"))) == "a\nb"


def test_the_verdict_of_the_standard_policy_has_one_line_per_check_at_80_columns() -> None:
    shown = lines(SHOWN["verdict"](), 80)
    begin = next(i for i, line in enumerate(shown) if line.startswith("outcome"))
    assert [line.split()[1] for line in shown[begin + 1 : begin + 15]] == [check.id for check in report(LEAKED).checks]


def test_first_soft_columns_shrink_then_gaps_then_rows_continue() -> None:
    table = Table(["check", "note"], [["no-leak", "three rows are also in the training data"]], shrink=("note",))
    assert lines(table, 60) == ["check    note", "no-leak  three rows are also in the training data"]
    assert lines(table, 30) == ["check    note", "no-leak  three rows are also", "         in the training data"]
    hard = Table(["check", "champion", "candidate"], [["no-leak", "0.1234", "0.5678"], ["enough-rows", "–", "–"]])
    assert lines(hard, 32)[2] == "enough-rows  –         –"
    assert lines(hard, 30)[2] == "enough-rows –        –"
    assert lines(hard, 24) == ["check        champion", "    candidate", "no-leak      0.1234", "    0.5678",
                               "enough-rows  –"]  # fmt: skip


def test_a_cell_that_is_wider_than_the_terminal_stays_whole_if_it_is_kept() -> None:
    digest = "a" * 64
    assert lines(Table(["n", "sha256"], [["1", digest]]), 40)[-1].strip() == digest
    soft = lines(Table(["n", "note"], [["1", digest]], shrink=("note",)), 40)
    assert max(map(len, soft)) <= 40 and "".join(line.strip() for line in soft[1:]).removeprefix("1  ") == digest


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp", "Cf")), min_size=1, max_size=30
)
CELLS = st.lists(WORDS, max_size=6).map(" ".join)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    count = draw(st.integers(1, 7))
    headings = [f"h{i}" for i in range(count)]
    rows = draw(st.lists(st.lists(CELLS, min_size=count, max_size=count), max_size=5))
    return Table(headings, rows, draw(st.lists(st.sampled_from(headings), unique=True)))


@example(Table([f"h{i}" for i in range(7)], [[""] * 7, ["", "", "", "", "0 0", "", "–"]]), 20)
@given(tables(), st.integers(20, 120))
def test_no_cell_is_cut_and_every_line_fits(table: Table, width: int) -> None:
    shown = lines(table, width)
    kept = [
        cell
        for row in table.rows
        for cell, heading in zip(row, table.headings, strict=True)
        if heading not in table.shrink and cell != "–"  # a further line of a row that has no value is left out
    ]
    for cell in kept:
        assert any(cell.rstrip() in line for line in shown), "a kept cell stands whole on one line"
    long = {cell.strip() for cell in kept if columns(cell) > width - 4}
    for line in shown:
        assert columns(line) <= width or line.strip() in long, "only a cell that is too wide goes beyond the width"
    written = "".join("".join(shown).split())
    wanted = "".join("".join(cell for row in (table.headings, *table.rows) for cell in row).split())
    assert sorted(written.replace("–", "")) == sorted(wanted.replace("–", "")), "every character is there, once"


@given(CELLS, st.integers(1, 100), st.sampled_from(["", "  ", "      "]))
def test_a_paragraph_keeps_its_words_in_order(text: str, width: int, indent: str) -> None:
    shown = lines(Paragraph(text, indent), width)
    assert " ".join(shown).split() == text.split()
    for line in shown:
        assert columns(line) <= min(width, 80) or len(re.findall(r"[^ ]+", line)) <= 2


def test_a_paragraph_breaks_neither_an_interval_nor_a_percentage() -> None:
    text = "The rate 41.3 % [0.1234, 0.5678]. lies inside"
    for width in range(1, 60):
        shown = lines(Paragraph(text), width)
        assert any("[0.1234, 0.5678]." in line for line in shown) and any("41.3 %" in line for line in shown)


def test_colours_take_no_room_and_line_breaks_cannot_leave_a_cell() -> None:
    styled = terminal.styled("fail", "red")
    assert columns(styled) == 4 and columns("ÄÖ") == 2 and columns("日本") == 4 and columns("e\u0301") == 1
    assert lines(Paragraph(f"{styled} a b"), 8) == ["fail a b"]
    assert lines(Table(["a", "b"], [["x\ny\u2028z", styled]]), 80) == ["a      b", "x y z  fail"]
    assert terminal.styled("pass", "green") in Table(["outcome"], [["pass"]]).fit(80)


class _Screen:
    """Standard output as a terminal; what is written is kept."""

    def __init__(self) -> None:
        self.written = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.written += text
        return len(text)

    def flush(self) -> None:
        """Nothing is buffered."""


def test_columns_says_how_wide_a_terminal_is(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "33")
    assert terminal.width() == 33
    terminal.result(Layout.of(Paragraph("word " * 12)))
    assert max(map(len, screen.written.splitlines())) <= 33
    monkeypatch.setenv("COLUMNS", "wide")
    monkeypatch.setattr(os, "get_terminal_size", _no_size)
    assert terminal.width() == 80


def _no_size(*_: object) -> os.terminal_size:
    raise OSError


def test_a_pipe_has_no_width_whatever_columns_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert terminal.width() is None
    terminal.result(Layout.of(Table([terminal.styled("n", "bold")], [["word " * 50 + "."]])))
    assert capsys.readouterr().out == "n\n" + "word " * 50 + ".\n"


def test_a_real_terminal_is_asked_for_its_size() -> None:
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", 24, 47, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    program = [sys.executable, "-c", "from modelyard.terminal import width; print(width())"]
    subprocess.run(program, stdout=theirs, env=environment, check=True)
    assert os.read(ours, 100).split() == [b"47"]
    os.close(ours)
    os.close(theirs)


def test_sequences_that_move_the_cursor_are_shown_as_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.result(Layout.of("a\x1b[2Jb\x07"))
    assert capsys.readouterr().out == "a\\x1b[2Jb\\x07\n"
