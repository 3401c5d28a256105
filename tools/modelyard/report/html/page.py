"""Pages from the Jinja2 templates beside this file, and tables by Great Tables."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any
from zlib import crc32

from msgspec import Struct

from modelyard.documents import visible
from modelyard.errors import missing_extra
from modelyard.report.html.figure import Figure

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_MARK = "\ue000"  # a private-use character, which is removed from every cell


class Link(Struct, frozen=True):
    """A cell that links to an address."""

    text: str
    href: str


Cell = str | Link


class Table(Struct, frozen=True):
    """Headings, and rows with as many cells."""

    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def render(template: str, **values: Any) -> str:
    """A page from a template of this package. Every value is escaped, unless ``trusted`` marked it.

    In all of them, characters that nobody sees or that turn the direction of text are shown as escapes.
    """
    return visible(_environment().get_template(template).render(values))


def trusted(html: str) -> Markup:
    """HTML that is escaped already: the SVG of a figure, a table by Great Tables, a card by markdown-it."""
    from markupsafe import Markup

    return Markup(html)  # noqa: S704


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise missing_extra("report", "jinja2") from error
    environment = Environment(
        loader=PackageLoader("modelyard.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {"draw": _draw, "svg": _svg}
    return environment


def _svg(figure: Figure) -> Markup:
    return trusted(figure.svg)


def _draw(table: Table) -> Markup:
    """A table by Great Tables, which escapes the cells."""
    try:
        import pyarrow as pa
        from great_tables import GT, html
    except ImportError as error:
        raise missing_extra("report", error.name or "great-tables") from error

    links: list[Link] = []

    def text(cell: Cell) -> str:
        if isinstance(cell, Link):
            links.append(cell)
            return f"{_MARK}{len(links) - 1}{_MARK}"
        return cell.replace(_MARK, "")

    # Keys by position: a dictionary would lose a column whose heading another column has too.
    columns = {f"c{i}": [text(row[i]) for row in table.rows] for i in range(len(table.headings))}
    # Great Tables reads {{ in a label as the begin of a unit, and escapes nothing in it.
    labels = {f"c{i}": html(escape(heading).replace("{", "&#123;")) for i, heading in enumerate(table.headings)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # warns that Arrow tables are experimental; tests check ours
        drawn = GT(pa.table(columns), id=f"t{_stable(table):x}").cols_label(labels)
    drawn = drawn.tab_options(table_font_size="13px", data_row_padding="4px", column_labels_font_weight="600")
    anchor = getattr(_environment().get_template("parts.html.j2").module, "link")  # noqa: B009
    return trusted(
        re.sub(
            f"{_MARK}([0-9]+){_MARK}",
            lambda found: str(anchor(links[int(found[1])].text, links[int(found[1])].href)),
            drawn.as_raw_html(),
        )
    )


def _stable(table: Table) -> int:
    """An id from the content: Great Tables' own is random, but equal reports must have equal bytes."""
    return crc32("\x1f".join([*table.headings, *(str(cell) for row in table.rows for cell in row)]).encode())
