"""The team's own part of a report, for comments: pages folded, every text escaped, plots as numbers."""

from __future__ import annotations

from collections.abc import Mapping

from modelyard.evidence.custom import Plot
from modelyard.report.content import Report, number
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
)
from modelyard.report.markdown.safe import between, code, code_block, fold, is_address, table, text

_PARAGRAPH = 5_000
_CELL = 500


def custom_section(report: Report, addresses: Mapping[str, str]) -> list[str]:
    """One fold for each page and one for the plots. ``addresses`` are those of pictures that the forge shows, by name.

    A picture without an address is named. What was left out is said.
    """
    custom, bundle = report.bundle.custom, report.bundle
    lines: list[str] = []
    for page in custom.pages if custom else ():
        body = [f"<sub>{CAPTION}</sub>", ""]
        for block in blocks_of(page.text):
            body += [*_block(block, addresses), ""]
        lines += [*fold(f"The team's own report: {text(page.name)}", body), ""]
    if custom and custom.plots:
        lines += [*fold("Plots of dvc.yaml: candidate against champion", _plots(report, addresses)), ""]
    if faults := custom_faults(custom, bundle.faults.get("custom")):
        shown = [f"- {text(fault)}" for fault in faults[:10]]
        lines += [*fold("Left out of the team's own report", shown), ""]
    return lines


def plot_name(at: int) -> str:
    """The name under which the picture of the plot at a position is filed."""
    return f"plot:{at}"


def _plots(report: Report, addresses: Mapping[str, str]) -> list[str]:
    custom = report.bundle.custom
    champion = report.bundle.evaluation.champion if report.bundle.evaluation else None
    lines: list[str] = []
    for at, plot in enumerate(custom.plots if custom else ()):
        address = addresses.get(plot_name(at), "")
        lines += [f"**{text(plot.title) or 'Plot'}**", ""]
        lines += [f"![{text(plot.title)}]({address})", ""] if is_address(address) else []
        lines += [*(_confusion(plot) if plot.cells else _ends(plot)), ""]
    who = f"The champion is {text(champion)}. " if champion else "There is no champion. "
    return [f"<sub>{who}{CAPTION}</sub>", "", *lines]


def _ends(plot: Plot) -> list[str]:
    """Each line by its last point, which of a training's losses is the result."""
    rows = [[line.side, text(line.name), f"{len(line.points)}", f"{line.points[-1][0]:g}", number(line.points[-1][1])]
            for line in plot.lines if line.points]  # fmt: skip
    return table(["", "line", "points", f"last {text(plot.x) or 'x'}", text(plot.y) or "y"], rows)


def _confusion(plot: Plot) -> list[str]:
    rows = [
        [text(cell.actual) or "–", text(cell.predicted) or "–", "–" if cell.champion is None else f"{cell.champion:,}",
         f"{cell.candidate:,}", "–" if cell.champion is None else f"{cell.candidate - cell.champion:+,}"]
        for cell in plot.cells
    ]  # fmt: skip
    return table([text(plot.x) or "actual", text(plot.y) or "predicted", "champion", "candidate", "difference"], rows)


def _block(block: Block, addresses: Mapping[str, str]) -> list[str]:
    if isinstance(block, Heading):
        return [f"{'#' * min(6, block.level + 3)} {_line(block.text) or '–'}"]
    if isinstance(block, Paragraph):
        return [_line(block.text, _PARAGRAPH)]
    if isinstance(block, Items):
        return [f"{f'{i}.' if block.ordered else '-'} {_line(item)}" for i, item in enumerate(block.items, 1)]
    if isinstance(block, Grid):
        rows = [[_line(cell, _CELL) or "–" for cell in row] for row in block.rows]
        return table([_line(heading, _CELL) for heading in block.headings], rows)
    if isinstance(block, Code):
        return code_block(block.lines)
    address = addresses.get(block.path, "")
    if is_address(address):
        return [f"![{text(block.caption)}]({address})"]
    return [f"🖼 {code(block.path)} {text(block.caption)}".rstrip() + " (in the HTML report, if it was accepted)"]


def _line(value: str, limit: int = 1000) -> str:
    """One line with code, bold and italic; all else is escaped."""
    parts = []
    for style, part in inline(value[:limit]):
        if style == "code":
            parts.append(code(part))
        elif style and part:
            mark = "**" if style == "bold" else "*"
            parts.append(f"{mark}{text(part, limit)}{mark}")
        else:
            parts.append(between(part, limit))
    return "".join(parts).strip()
