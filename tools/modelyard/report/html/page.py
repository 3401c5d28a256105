"""What every HTML page shares: one file that opens offline, light and dark, and tables by Great Tables."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from html import escape
from typing import Any
from zlib import crc32

from msgspec import Struct

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --paper: #ffffff; --line: #d9dee5; --good: #1a7f4b;
  --bad: #c0342b; --unsure: #9a6b00; --reference: #9aa7b6; --current: #2f6fde; --panel: #f6f8fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9f0; --soft: #9aa7b6; --paper: #12161c; --line: #303946;
  --good: #4cc38a; --bad: #ff7b72; --unsure: #e3b341; --reference: #6b7889; --current: #79a8ff; --panel: #1a2029; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1060px; padding: 28px 20px 60px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif }
h1 { font-size: 1.5rem; margin: 0 0 6px } h2 { font-size: 1.1rem; margin: 36px 0 10px }
p { margin: 4px 0 10px; max-width: 78ch } .soft, figcaption { color: var(--soft); font-size: .86rem }
.banner { border-left: 6px solid var(--tone); background: var(--panel); padding: 16px 20px; border-radius: 6px }
.pass { --tone: var(--good) } .waived, .inconclusive { --tone: var(--unsure) } .fail, .error { --tone: var(--bad) }
.why { border-top: 1px solid var(--line); padding: 10px 0 } .why b { color: var(--tone) }
.figures { display: flex; flex-wrap: wrap; gap: 20px; align-items: flex-start } figure { margin: 0; max-width: 100% }
svg { max-width: 100%; height: auto; font: 12px system-ui, sans-serif } svg text { fill: var(--ink) }
svg .muted { fill: var(--soft); font-size: 11px } .axis { stroke: var(--soft) } .dashed { stroke-dasharray: 4 4 }
.frame { fill: none; stroke: var(--line) } svg .good { stroke: var(--good); fill: var(--good) }
svg .bad { stroke: var(--bad); fill: var(--bad) } svg .unsure { stroke: var(--unsure); fill: var(--unsure) }
svg polyline { stroke-width: 2; fill: none !important } rect.reference { fill: var(--reference) }
rect.current { fill: var(--current) } svg .before { stroke: var(--reference); fill: var(--reference) }
svg .after { stroke: var(--current); fill: var(--current) }
pre { background: var(--panel); padding: 12px 14px; overflow-x: auto; border-radius: 6px; font-size: .86rem }
.table { overflow-x: auto } .table .gt_table { background: transparent !important; color: var(--ink) !important;
  border-color: var(--line) !important; margin-left: 0 !important }
.table .gt_row, .table .gt_col_heading, .table tr { background: transparent !important; color: var(--ink) !important;
  border-color: var(--line) !important }
.table td, .table th { white-space: nowrap }
"""


class Link(Struct, frozen=True):
    """A cell that leads somewhere."""

    text: str
    href: str


Cell = str | Link
_MARK = "\ue000"  # a character of no script, which no cell may hold


def page(title: str, parts: Sequence[str], style: str = "", script: str = "") -> str:
    """A whole page. ``parts`` are HTML already, ``title`` is text."""
    scripts = f"<script>{script}</script>" if script else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}{style}</style></head><body>{''.join(parts)}{scripts}</body></html>\n"
    )


def html_table(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A table by Great Tables, which escapes what the cells say."""
    import pyarrow as pa
    from great_tables import GT

    links: list[Link] = []

    def text(cell: Cell) -> str:
        if isinstance(cell, Link):
            links.append(cell)
            return f"{_MARK}{len(links) - 1}{_MARK}"
        return cell.replace(_MARK, "")

    columns: dict[str, Any] = {h: [text(row[i]) for row in rows] for i, h in enumerate(headings)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # says that Arrow tables are experimental; the tests look at ours
        gt = GT(pa.table(columns), id=f"t{_stable(headings, rows):x}").tab_options(
            table_font_size="13px", data_row_padding="4px", column_labels_font_weight="600"
        )
    drawn = re.sub(f"{_MARK}([0-9]+){_MARK}", lambda found: _anchor(links[int(found[1])]), gt.as_raw_html())
    return f'<div class="table">{drawn}</div>'


def _stable(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> int:
    """An id from the content, since Great Tables' own is random and reports must not differ without a reason."""
    return crc32("\x1f".join([*headings, *(str(cell) for row in rows for cell in row)]).encode())


def _anchor(link: Link) -> str:
    return f'<a href="{escape(link.href, quote=True)}">{escape(link.text)}</a>'
