"""The team's own part of a report: pages in Markdown, pictures and plots, as a pipeline wrote them.

Nothing here is judged. It comes from the code of a pull request, so the limits are checked again when it is read.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta

PAGE_CHARACTERS = 20_000
PAGES = 8
PICTURE_BYTES = 300_000
PICTURES = 12
PLOTS = 12
LINES = 8
"""Lines of one plot."""
POINTS = 300
"""Points of one line; of longer ones, as many in equal steps."""
CELLS = 100
"""Pairs of classes of a confusion matrix."""
_WORDS = 200
_FORMATS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF87a": "gif", b"GIF89a": "gif"}

PageName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}\Z")]
PictureName = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*\Z", max_length=120)
]
Words = Annotated[str, Meta(max_length=_WORDS)]
Side = Literal["champion", "candidate"]


@dataclass(frozen=True)
class Page:
    """One file in Markdown."""

    name: PageName
    text: Annotated[str, Meta(max_length=PAGE_CHARACTERS)]


@dataclass(frozen=True)
class Picture:
    """One picture, by its path below the folder of the pages."""

    name: PictureName
    content: Annotated[bytes, Meta(max_length=PICTURE_BYTES)]

    @property
    def format(self) -> str:
        """png, jpeg, gif or webp, by the content; '' for every other one, such as SVG, which can hold scripts."""
        return picture_format(self.content)

    @property
    def digest(self) -> str:
        """sha256 of the content."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Line:
    """One line of a plot: points (x, y) of the champion or of the candidate."""

    side: Side
    name: Words
    points: Annotated[tuple[tuple[float, float], ...], Meta(max_length=POINTS)]


@dataclass(frozen=True)
class Cell:
    """One cell of a confusion matrix: numbers of rows. The champion's is None where it has no such plot."""

    actual: Words
    predicted: Words
    champion: int | None
    candidate: int


@dataclass(frozen=True)
class Plot:
    """One plot of dvc.yaml: lines, or the cells of a confusion matrix."""

    title: Words
    x: Words
    y: Words
    lines: Annotated[tuple[Line, ...], Meta(max_length=LINES)] = ()
    cells: Annotated[tuple[Cell, ...], Meta(max_length=CELLS)] = ()


@dataclass(frozen=True)
class CustomReport:
    """Pages, pictures and plots, and sentences about what was left out."""

    pages: Annotated[tuple[Page, ...], Meta(max_length=PAGES)] = ()
    pictures: Annotated[tuple[Picture, ...], Meta(max_length=PICTURES)] = ()
    plots: Annotated[tuple[Plot, ...], Meta(max_length=PLOTS)] = ()
    left_out: Annotated[tuple[Annotated[str, Meta(max_length=500)], ...], Meta(max_length=50)] = ()

    @property
    def shown(self) -> dict[str, Picture]:
        """Name → picture, of those whose content is a picture."""
        return {picture.name: picture for picture in self.pictures if picture.format}

    def __bool__(self) -> bool:
        return bool(self.pages or self.pictures or self.plots or self.left_out)


def picture_format(content: bytes) -> str:
    """png, jpeg, gif or webp, by the first bytes; '' for every other content."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return next((name for start, name in _FORMATS.items() if content.startswith(start)), "")


def line_of(side: Side, name: str, points: Sequence[tuple[Any, Any]]) -> Line | None:
    """A line of the points that are finite numbers, thinned to POINTS; None where there are none.

    A table without a column for x counts its rows, and a text that is a number counts as one.
    """
    found = [(x, y) for a, b in points if (x := _number(a)) is not None and (y := _number(b)) is not None]
    if not found:
        return None
    step = max(1.0, (len(found) - 1) / (POINTS - 1))
    kept = [found[round(i * step)] for i in range(min(len(found), POINTS))]
    return Line(side, name[:_WORDS], tuple(kept))


def confusion(pairs: Mapping[Side, Sequence[tuple[Any, Any]]]) -> tuple[Cell, ...]:
    """The cells of the pairs (actual, predicted) of each side, by class; of many the most frequent."""
    counted = {side: Counter((str(a)[:_WORDS], str(p)[:_WORDS]) for a, p in rows) for side, rows in pairs.items()}
    total: Counter[tuple[str, str]] = sum(counted.values(), Counter())
    kept = sorted(pair for pair, _ in total.most_common(CELLS))
    champion, candidate = counted.get("champion"), counted.get("candidate", Counter())
    return tuple(Cell(a, p, champion[a, p] if champion is not None else None, candidate[a, p]) for a, p in kept)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
