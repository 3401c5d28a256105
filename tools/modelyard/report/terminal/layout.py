"""The layout of a command's result: lines, paragraphs and tables, fitted to the width of the terminal at the end."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from msgspec import Struct

from modelyard.report.terminal.text import bold, coloured
from modelyard.terminal import STYLES

_INDENT = "    "
_NOTHING = ("", "–")
_MEASURE = 80
"""Columns of a paragraph: longer lines are hard to read."""

_SHORTEST = 12
"""Columns that may shrink keep at least this width."""
_WORDS = re.compile(r"( *)((?:\[[^\[\] ]+, [^\[\] ]+\]|[\d.,]+ %)[^ ]*|[^ ]+)")
"""Words with the blanks before them; an interval and a percentage are one word each."""
_BREAKS = str.maketrans(dict.fromkeys("\t\n\r\v\f\x85\u2028\u2029", " "))


class Paragraph(Struct, frozen=True):
    """Text broken between words, at 80 columns or less. Lines after the first begin with ``indent``."""

    text: str
    indent: str = ""

    def fit(self, width: int | None) -> str:
        """Lines of at most ``width`` columns and never of more than 80; a longer word has a line of its own."""
        measure = _MEASURE if width is None else min(width, _MEASURE)
        return "\n".join(_folded(self.text.translate(_BREAKS), measure, self.indent))


class Table(Struct, frozen=True):
    """Rows of cells under headings.

    A table that is too wide first shrinks the columns whose headings are in ``shrink``: their cells continue on further
    lines. Then the gaps shrink, and then its rows continue on indented lines. Cells of other columns are never broken,
    and no cell is cut.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    shrink: Sequence[str] = ()

    def fit(self, width: int | None) -> str:
        """Aligned lines of at most ``width`` columns, unless one unbreakable cell is wider; None means no limit."""
        rows = [[STYLES.sub("", cell).translate(_BREAKS) for cell in row] for row in self.rows]
        natural = [max(map(columns, column)) for column in zip(self.headings, *rows, strict=True)]
        soft = [heading in self.shrink for heading in self.headings]
        floors = list(natural)
        for i in (i for i, shrinks in enumerate(soft) if shrinks):
            words = (word for row in rows for word in row[i].split(" "))
            floors[i] = min(natural[i], max(_SHORTEST, columns(self.headings[i]), *map(columns, words)))
        grid = _Grid(natural, floors, soft, sum(natural) + 2 * len(natural) if width is None else width)
        lines = [bold(line) for line in grid.lines(self.headings, heading=True)]
        for row in rows:
            lines += grid.lines(row)
        return "\n".join(lines)


Part = str | Paragraph | Table


class Layout(Struct, frozen=True):
    """The parts of a result from top to bottom. A plain text is shown as it is, however long its lines are."""

    parts: tuple[Part, ...]

    @classmethod
    def of(cls, *parts: Part) -> Layout:
        """A layout of these parts."""
        return cls(parts)

    def fit(self, width: int | None) -> str:
        """The text for a terminal of ``width`` columns; None for a pipe or a file, where tables have no limit."""
        return "\n".join(part if isinstance(part, str) else part.fit(width) for part in self.parts)

    def __str__(self) -> str:
        return self.fit(None)


def columns(text: str) -> int:
    """The columns that a text takes on a terminal: two for a wide character, none for styles and combining marks."""
    plain = STYLES.sub("", text) if "\x1b" in text else text
    return len(plain) if plain.isascii() else sum(map(_columns_of, plain))


def _columns_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _folded(text: str, width: int, indent: str = "") -> Iterator[str]:
    line, used = "", 0
    for blank, word in _WORDS.findall(text):
        wide = columns(word)
        if line.strip() and used + len(blank) + wide > width:
            yield line
            line, used = indent + word, len(indent) + wide
        else:
            line, used = line + blank + word, used + len(blank) + wide
    yield line


def _broken(text: str, width: int) -> Iterator[str]:
    """Lines of a cell that shrinks; a word that is wider than the column is broken."""
    if columns(text) <= width:
        yield text
        return
    for line in _folded(text, width):
        used, begin = 0, 0
        for i, character in enumerate(line):
            wide = _columns_of(character)
            if used + wide > width and i > begin:
                yield line[begin:i]
                used, begin = 0, i
            used += wide
        yield line[begin:]


class _Grid:
    """The places of a table's columns: which of them share a line of a row, and how wide each of them is."""

    def __init__(self, natural: Sequence[int], floors: Sequence[int], soft: Sequence[bool], width: int) -> None:
        self._soft = soft
        inner = max(1, width - len(_INDENT))
        floors = [min(floor, inner) if shrinks else floor for floor, shrinks in zip(floors, soft, strict=True)]
        self._gap = 1 if sum(floors) + len(floors) - 1 <= width < sum(floors) + 2 * (len(floors) - 1) else 2
        self._groups = self._grouped(floors, width, inner)
        self._widths = list(natural)
        for n, group in enumerate(self._groups):
            self._narrow(group, floors, inner if n else width)

    def _grouped(self, floors: Sequence[int], width: int, inner: int) -> list[range]:
        groups, begin, used, room = [], 0, 0, width
        for i, floor in enumerate(floors):
            if i > begin and used + self._gap + floor > room:
                groups.append(range(begin, i))
                begin, used, room = i, 0, inner
            used += floor + (self._gap if i > begin else 0)
        return [*groups, range(begin, len(floors))]

    def _narrow(self, group: range, floors: Sequence[int], room: int) -> None:
        """The widest column of the line that may shrink gives way first."""
        while sum(self._widths[i] for i in group) + self._gap * (len(group) - 1) > room:
            able = [i for i in group if self._widths[i] > floors[i]]
            if not able:
                return
            self._widths[max(able, key=lambda i: self._widths[i])] -= 1

    def lines(self, cells: Sequence[str], heading: bool = False) -> Iterator[str]:
        """The lines of one row. A further line that has no value is left out."""
        for n, group in enumerate(self._groups):
            if n and not heading and all(cells[i] in _NOTHING for i in group):
                continue
            parts = [list(_broken(cells[i], self._widths[i])) if self._soft[i] else [cells[i]] for i in group]
            for k in range(max(map(len, parts))):
                line = _INDENT if n else ""
                for i, part in zip(group, parts, strict=True):
                    cell = part[k] if k < len(part) else ""
                    shown = cell if heading or len(part) > 1 else coloured(cell)
                    line += shown + " " * (self._widths[i] - columns(cell) + self._gap)
                yield line.rstrip()
