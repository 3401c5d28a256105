"""The team's own part of a report, for the HTML page: pages and pictures whole, plots drawn."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from modelyard.evidence.custom import Picture, Plot
from modelyard.report.content import Report
from modelyard.report.custom import (
    CAPTION,
    Block,
    Code,
    Grid,
    Heading,
    Items,
    Paragraph,
    blocks_of,
    custom_faults,
    inline,
    pictures_in,
)
from modelyard.report.html.page import Table
from modelyard.report.html.pictures import plot_figure


def custom_view(report: Report) -> dict[str, Any] | None:
    """The values of the template's part; None where the team adds nothing."""
    custom = report.bundle.custom
    faults = custom_faults(custom, report.bundle.faults.get("custom"))
    if not custom and not faults:
        return None
    pictures = custom.shown if custom else {}
    return {
        "caption": CAPTION,
        "pages": [
            {"name": page.name, "blocks": [_block(block, pictures) for block in blocks_of(page.text)]}
            for page in (custom.pages if custom else ())
        ],
        "pictures": [_picture(name, name, pictures) for name in _alone(report)],
        "figures": [figure for plot in (custom.plots if custom else ()) if (figure := plot_figure(plot))],
        "tables": [(plot.title, _cells(plot)) for plot in (custom.plots if custom else ()) if plot.cells],
        "faults": faults,
    }


def _alone(report: Report) -> list[str]:
    """The pictures that no page shows: those of dvc.yaml's plots."""
    custom = report.bundle.custom
    if custom is None:
        return []
    placed = {path for page in custom.pages for path in pictures_in(page.text)}
    return [name for name in custom.shown if name not in placed]


def _block(block: Block, pictures: Mapping[str, Picture]) -> dict[str, Any]:
    if isinstance(block, Heading):
        return {"kind": "heading", "level": min(6, block.level + 3), "parts": list(inline(block.text))}
    if isinstance(block, Paragraph):
        return {"kind": "paragraph", "parts": list(inline(block.text))}
    if isinstance(block, Items):
        return {"kind": "ol" if block.ordered else "ul", "items": [list(inline(item)) for item in block.items]}
    if isinstance(block, Grid):
        rows = [[list(inline(cell)) for cell in row] for row in block.rows]
        return {"kind": "table", "headings": [list(inline(one)) for one in block.headings], "rows": rows}
    if isinstance(block, Code):
        return {"kind": "code", "text": "\n".join(block.lines)}
    return _picture(block.path, block.caption, pictures)


def _picture(path: str, caption: str, pictures: Mapping[str, Picture]) -> dict[str, Any]:
    found = pictures.get(path)
    if found is None:
        return {"kind": "missing", "path": path, "caption": caption}
    address = f"data:image/{found.format};base64,{base64.b64encode(found.content).decode()}"
    return {"kind": "picture", "address": address, "caption": caption or path}


def _cells(plot: Plot) -> Table:
    rows = [
        [cell.actual, cell.predicted, "–" if cell.champion is None else f"{cell.champion:,}", f"{cell.candidate:,}",
         "–" if cell.champion is None else f"{cell.candidate - cell.champion:+,}"]
        for cell in plot.cells
    ]  # fmt: skip
    return Table([plot.x or "actual", plot.y or "predicted", "champion", "candidate", "difference"], rows)
