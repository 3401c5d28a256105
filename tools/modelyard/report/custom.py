"""A page of the team's own, read as blocks: a subset of Markdown in which every text stays a text.

Headings, paragraphs, lists, pipe tables, fenced code, pictures on lines of their own; in a line, code, bold and italic.
Everything else, such as HTML, links and pictures within a sentence, is shown as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from modelyard.evidence.custom import CustomReport

CAPTION = "Written by the pipeline of this change; modelyard did not check it."
_FENCE = re.compile(r"\s{0,3}(```+|~~~+)[^`]*$")
_HEADING = re.compile(r"\s{0,3}(#{1,6})\s+(.*)$")
_ITEM = re.compile(r"\s*(?:[-*+]|(\d{1,9})[.)])\s+(\S.*)$")
_PICTURE = re.compile(r"!\[([^\[\]]{0,300})\]\(([^()\s]{1,300})(?: +\"[^\"]{0,300}\")?\)")
_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
_INLINE = re.compile(r"(`+)(?P<code>[^`]+)\1|\*\*(?P<bold>[^*]+)\*\*|\*(?P<italic>[^*\s][^*]*)\*")

Style = Literal["", "code", "bold", "italic"]
_STYLES: tuple[Style, ...] = ("code", "bold", "italic")


@dataclass(frozen=True)
class Heading:
    """A heading of level 1 to 6."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """Lines of text as one."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list without levels."""

    ordered: bool
    items: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """A table; each row has as many cells as there are headings."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Code:
    """The lines of a fenced block."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Shown:
    """A picture: its path as written, without a leading ``./``, and its alternative text."""

    path: str
    caption: str


Block = Heading | Paragraph | Items | Grid | Code | Shown


def blocks_of(text: str) -> Iterator[Block]:
    """The blocks of a page, in its order."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        if fence := _FENCE.match(line):
            end = next((i for i in range(at + 1, len(lines)) if _closes(lines[i], fence[1])), len(lines))
            yield Code(tuple(lines[at + 1 : end]))
            at = end + 1
        elif heading := _HEADING.match(line):
            yield Heading(len(heading[1]), heading[2].strip().rstrip("#").rstrip())
            at += 1
        elif _is_table(lines, at):
            end = next((i for i in range(at + 2, len(lines)) if "|" not in lines[i]), len(lines))
            headings = _cells(line)
            rows = [_cells(one) for one in lines[at + 2 : end]]
            width = len(headings)
            yield Grid(headings, tuple((*row, *[""] * width)[:width] for row in rows))
            at = end
        elif item := _ITEM.match(line):
            items = []
            while at < len(lines) and (one := _ITEM.match(lines[at])) and bool(one[1]) == bool(item[1]):
                items.append(one[2])
                at += 1
            yield Items(bool(item[1]), tuple(items))
        elif _only_pictures(line):
            yield from (Shown(m[2].removeprefix("./"), m[1]) for m in _PICTURE.finditer(line))
            at += 1
        elif not line.strip():
            at += 1
        else:
            end = at + 1
            while end < len(lines) and lines[end].strip() and not _begins(lines, end):
                end += 1
            yield Paragraph(" ".join(lines[at:end]))
            at = end


def inline(text: str) -> Iterator[tuple[Style, str]]:
    """The parts of a line with their style; plain parts keep the spaces at their ends."""
    last = 0
    for found in _INLINE.finditer(text):
        if found.start() > last:
            yield "", text[last : found.start()]
        for style in _STYLES:
            if found[style] is not None:
                yield style, str(found[style]).strip()
        last = found.end()
    if last < len(text):
        yield "", text[last:]


def pictures_in(text: str) -> list[str]:
    """The paths of the pictures of a page, each once."""
    return list(dict.fromkeys(block.path for block in blocks_of(text) if isinstance(block, Shown)))


def custom_faults(custom: CustomReport | None, fault: str | None) -> tuple[str, ...]:
    """Why the team's part, or something of it, is not shown; one sentence each."""
    if fault:
        return (fault,)
    if custom is None:
        return ()
    broken = [
        f"{picture.name} is no PNG, JPEG, GIF or WebP picture by its content."
        for picture in custom.pictures
        if not picture.format
    ]
    return (*custom.left_out, *broken)


def _closes(line: str, fence: str) -> bool:
    plain = line.strip()
    return len(plain) >= len(fence) and set(plain) == {fence[0]}


def _begins(lines: list[str], at: int) -> bool:
    """Whether a block other than a paragraph begins in a line."""
    line = lines[at]
    starts = (_FENCE.match(line), _HEADING.match(line), _ITEM.match(line), _is_table(lines, at), _only_pictures(line))
    return any(starts)


def _is_table(lines: list[str], at: int) -> bool:
    if at + 1 >= len(lines) or "|" not in lines[at]:
        return False
    rule = lines[at + 1]
    return "|" in rule and _RULE.match(rule) is not None and len(_cells(rule)) == len(_cells(lines[at]))


def _cells(line: str) -> tuple[str, ...]:
    plain = line.strip().removeprefix("|")
    plain = plain if plain.endswith("\\|") else plain.removesuffix("|")
    return tuple(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", plain))


def _only_pictures(line: str) -> bool:
    return _PICTURE.search(line) is not None and not _PICTURE.sub("", line).strip()
