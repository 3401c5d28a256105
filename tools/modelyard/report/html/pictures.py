"""Figures of reports as inline SVG. Their classes take the colours of the page, in the light and the dark scheme."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from modelyard.documents import visible
from modelyard.evidence.custom import Plot
from modelyard.metrics.evaluation import MetricResult
from modelyard.report.content import Report, signed
from modelyard.report.html.figure import Figure, draw

_ROW = 26
_COLOURS = """
svg { font: 12px system-ui, sans-serif; background: #ffffff } text { fill: #1c2430 } .muted { fill: #5b6675 }
.axis { stroke: #5b6675 } .good { stroke: #1a7f4b; fill: #1a7f4b } .bad { stroke: #c0342b; fill: #c0342b }
.unsure { stroke: #9a6b00; fill: #9a6b00 }
.before { stroke: #9aa7b6; fill: #9aa7b6 } .after { stroke: #2f6fde; fill: #2f6fde }
"""

_TONES = {"champion": "before", "candidate": "after"}
_PLOT_WIDTH, _PLOT_HEIGHT = 480, 300
_LEFT, _RIGHT, _TOP, _FOOT = 62, 14, 34, 46
_TICKS = 4
_LABELS = 4
"""Lines that have a label; there is no room for more."""

CAPTION = "Candidate − champion with 95 % intervals"


@dataclass(frozen=True)
class IntervalRow:
    """A point and its interval. ``tone`` is a CSS class: good, bad or unsure."""

    name: str
    value: float
    low: float
    high: float
    tone: str
    label: str


def interval_plot(rows: Sequence[IntervalRow], caption: str, left: int = 150, width: int = 640) -> Figure | None:
    """Intervals around zero, one row each, on one scale; None without rows."""
    if not rows:
        return None
    reach = max(max(abs(row.low), abs(row.high)) for row in rows) * 1.05 or 1.0
    right = 210
    middle = left + (width - left - right) / 2
    scale = (width - left - right) / 2 / reach
    height = _ROW * len(rows) + 30
    parts = [f'<line class="axis" x1="{middle:.1f}" y1="4" x2="{middle:.1f}" y2="{height - 24}"/>']
    for i, row in enumerate(rows):
        y = _ROW * i + 18
        x1, x, x2 = (middle + v * scale for v in (row.low, row.value, row.high))
        parts.append(_text(left - 10, y + 4, row.name, "end"))
        parts.append(f'<line class="{row.tone}" x1="{x1:.1f}" y1="{y}" x2="{x2:.1f}" y2="{y}" stroke-width="3"/>')
        parts.append(f'<circle class="{row.tone}" cx="{x:.1f}" cy="{y}" r="4.5"/>')
        parts.append(_text(width - right + 14, y + 4, row.label, "start"))
    parts.append(_text(middle - 8, height - 6, "worse ←", "end", "muted"))
    parts.append(_text(middle + 8, height - 6, "→ better", "start", "muted"))
    return draw(width, height, parts, caption)


def reliability_plot(series: Sequence[tuple[str, str, Sequence[tuple[float, float]]]], caption: str) -> Figure:
    """A calibration curve: observed rate by mean prediction. Each line is (name, CSS class, points)."""
    size, pad = 320, 44
    span = max((max(x, y) for _, _, points in series for x, y in points), default=1.0)
    top = min(1.0, (int(span * 10) + 1) / 10)

    def place(x: float, y: float) -> tuple[float, float]:
        return pad + x / top * (size - pad - 12), size - pad - y / top * (size - pad - 12)

    x0, y0 = place(0, 0)
    x1, y1 = place(top, top)
    parts = [
        f'<rect class="frame" x="{x0}" y="{y1}" width="{x1 - x0}" height="{y0 - y1}"/>',
        f'<line class="axis dashed" x1="{x0}" y1="{y0}" x2="{x1}" y2="{y1}"/>',
    ]
    for step in range(6):
        value = top * step / 5
        x, y = place(value, value)
        parts.append(_text(x, y0 + 16, f"{value:.2g}", "middle", "muted"))
        parts.append(_text(x0 - 6, y + 4, f"{value:.2g}", "end", "muted"))
    for n, (name, tone, points) in enumerate(series):
        placed = [place(x, y) for x, y in points]
        parts.append(
            f'<polyline class="{tone}" fill="none" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in placed)}"/>'
        )
        parts += [f'<circle class="{tone}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in placed]
        parts.append(f'<circle class="{tone}" cx="{x0 + 14}" cy="{y1 + 16 + 18 * n}" r="4"/>')
        parts.append(_text(x0 + 24, y1 + 20 + 18 * n, name, "start"))
    parts.append(_text((x0 + x1) / 2, size - 6, "mean prediction", "middle", "muted"))
    return draw(size, size, parts, caption)


def distribution_plot(bins: Sequence[tuple[str, float, float]], caption: str, width: int = 310) -> Figure:
    """Shares of reference and current rows by bin: (name, reference, current) per bin."""
    height, foot = 120, 20
    peak = max((max(r, c) for _, r, c in bins), default=0) or 1
    step = (width - 8) / max(len(bins), 1)
    parts = []
    for i, (name, reference, current) in enumerate(bins):
        x = 4 + i * step
        for tone, share, shift in (("reference", reference, 0.0), ("current", current, step * 0.42)):
            tall = share / peak * (height - foot - 6)
            parts.append(
                f'<rect class="{tone}" x="{x + shift:.1f}" y="{height - foot - tall:.1f}" width="{step * 0.4:.1f}"'
                f' height="{tall:.1f}"><title>{html.escape(name)}: {tone} {share:.1%}</title></rect>'
            )
    if bins:
        parts.append(_text(4, height - 5, bins[0][0], "start", "muted"))
        parts.append(_text(width - 4, height - 5, bins[-1][0], "end", "muted"))
    return draw(width, height, parts, caption)


def day_plot(days: Sequence[tuple[str, Sequence[int]]], tones: Sequence[str], caption: str, width: int = 640) -> Figure:
    """A stacked bar per day: (name, counts) per day, a CSS class of ``tones`` per count. Empty days are marked."""
    height, left, foot = 150, 56, 24
    peak = max((sum(counts) for _, counts in days), default=0) or 1
    step = min((width - left - 8) / max(len(days), 1), 60.0)
    base = height - foot
    parts = [
        f'<line class="axis" x1="{left}" y1="{base}" x2="{width - 8}" y2="{base}"/>',
        _text(left - 6, 16, f"{peak:,}", "end", "muted"),
        _text(left - 6, base, "0", "end", "muted"),
    ]
    for i, (name, counts) in enumerate(days):
        x, top = left + i * step, float(base)
        said = f"{name}: {' + '.join(f'{count:,}' for count in counts)}"
        for tone, count in zip(tones, counts, strict=True):
            tall = count / peak * (base - 10)
            top -= tall
            parts.append(f'<rect class="{tone}" x="{x + step * 0.1:.1f}" y="{top:.1f}" width="{step * 0.8:.1f}"'
                         f' height="{tall:.1f}"><title>{html.escape(said)}</title></rect>')  # fmt: skip
        if not any(counts):
            parts.append(_text(x + step / 2, base - 6, "none", "middle", "bad"))
    for i, anchor in ((0, "start"), (len(days) - 1, "end")) if len(days) > 1 else ((0, "start"),) if days else ():
        parts.append(_text(left + (i and len(days) * step), height - 6, days[i][0], anchor, "muted"))
    return draw(width, height, parts, caption)


def trend_plot(
    names: Sequence[str],
    series: Sequence[tuple[str, str, Sequence[float]]],
    marks: Sequence[str],
    caption: str,
    width: int = 760,
) -> Figure:
    """Lines over time: (name, CSS class, a value per name of ``names``) each. ``marks`` are shown below the names."""
    height, left, right, foot = 280, 56, 16, 58
    values = [value for _, _, line in series for value in line]
    low, high = min(values), max(values)
    room = (high - low) * 0.12 or 0.01
    low, high = low - room, high + room
    step = (width - left - right) / max(len(names) - 1, 1)

    def place(i: int, value: float) -> tuple[float, float]:
        return left + i * step, 34 + (high - value) / (high - low) * (height - foot - 34)

    parts = []
    for part in range(5):
        value = low + (high - low) * part / 4
        y = place(0, value)[1]
        parts.append(f'<line class="axis" x1="{left}" y1="{y:.1f}" x2="{width - right}" y2="{y:.1f}" opacity="0.2"/>')
        parts.append(_text(left - 8, y + 4, f"{value:.3f}", "end", "muted"))
    for n, (name, tone, line) in enumerate(series):
        placed = [place(i, value) for i, value in enumerate(line)]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline class="{tone}" style="fill: none" stroke-width="2" points="{points}"/>')
        parts += [
            f'<circle class="{tone}" cx="{x:.1f}" cy="{y:.1f}" r="3.5">'
            f"<title>{html.escape(name)}: {shown:.4f}</title></circle>"
            for (x, y), shown in zip(placed, line, strict=True)
        ]
        parts.append(f'<circle class="{tone}" cx="{left + 6 + 200 * n}" cy="14" r="4"/>')
        parts.append(_text(left + 16 + 200 * n, 18, name, "start"))
    for i, (name, mark) in enumerate(zip(names, marks, strict=True)):
        anchor = "start" if i == 0 else "end" if i == len(names) - 1 else "middle"
        parts.append(_text(place(i, low)[0], height - foot + 20, name, anchor))
        parts.append(_text(place(i, low)[0], height - foot + 38, mark, anchor, "muted"))
    return draw(width, height, parts, caption)


def plot_figure(plot: Plot) -> Figure | None:
    """The lines of a plot, the champion's grey, the candidate's blue; None without points that can be drawn."""
    lines = [(line, [(x, y) for x, y in line.points if math.isfinite(x) and math.isfinite(y)]) for line in plot.lines]
    points = [point for _, found in lines for point in found]
    if not points:
        return None
    left, right = _reach([x for x, _ in points])
    low, high = _reach([y for _, y in points])

    def place(x: float, y: float) -> tuple[float, float]:
        across, up = (x / 2 - left / 2) / (right / 2 - left / 2), (y / 2 - low / 2) / (high / 2 - low / 2)
        return _LEFT + across * (_PLOT_WIDTH - _LEFT - _RIGHT), _PLOT_HEIGHT - _FOOT - up * (
            _PLOT_HEIGHT - _FOOT - _TOP
        )

    parts = []
    for i in range(_TICKS + 1):
        share = i / _TICKS
        x, y = left * (1 - share) + right * share, low * (1 - share) + high * share
        (px, bottom), (_, py) = place(x, low), place(left, y)
        parts.append(
            f'<line class="axis" x1="{_LEFT}" y1="{py:.1f}" x2="{_PLOT_WIDTH - _RIGHT}" y2="{py:.1f}" opacity="0.2"/>'
        )
        parts.append(_text(_LEFT - 6, py + 4, f"{y:.3g}", "end", "muted"))
        parts.append(_text(px, bottom + 16, f"{x:.3g}", "middle", "muted"))
    for n, (line, found) in enumerate(lines):
        tone = _TONES[line.side]
        placed = [place(x, y) for x, y in found]
        shown = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        parts.append(f'<polyline class="{tone}" fill="none" style="fill: none" stroke-width="2" points="{shown}"/>')
        if len(placed) == 1:
            parts.append(f'<circle class="{tone}" cx="{placed[0][0]:.1f}" cy="{placed[0][1]:.1f}" r="3.5"/>')
        if n < _LABELS:
            x, y = _LEFT + 6 + 210 * (n % 2), 8 + 14 * (n // 2)
            parts.append(f'<circle class="{tone}" cx="{x}" cy="{y}" r="4"/>')
            label = line.side if len(lines) <= 2 else f"{line.side} {line.name}"
            parts.append(_text(x + 10, y + 4, label, "start"))
    parts.append(_text((_LEFT + _PLOT_WIDTH - _RIGHT) / 2, _PLOT_HEIGHT - 8, plot.x, "middle", "muted"))
    return draw(_PLOT_WIDTH, _PLOT_HEIGHT, parts, f"{plot.title}: {plot.y} by {plot.x}")


def plot_picture(plot: Plot) -> bytes:
    """The drawn plot as an SVG file; empty where nothing can be drawn."""
    figure = plot_figure(plot)
    return standalone(figure).encode() if figure else b""


def standalone(figure: Figure) -> str:
    """The SVG of a figure as a file with colours of its own."""
    head, rest = figure.svg.split(">", 1)
    return visible(f'{head} xmlns="http://www.w3.org/2000/svg"><style>{_COLOURS}</style>{rest}\n')


def render_picture(report: Report) -> bytes:
    """The intervals of all metrics as an SVG file; empty for a first version, which has no differences."""
    evaluation = report.bundle.evaluation
    if evaluation is None or evaluation.champion is None:
        return b""
    figure = interval_plot(interval_rows(evaluation.metrics), CAPTION)
    return standalone(figure).encode() if figure else b""


def interval_rows(results: Sequence[MetricResult], names: Sequence[str] | None = None) -> list[IntervalRow]:
    """The rows of an interval plot. Better is to the right, also for metrics where lower is better."""
    rows = []
    for i, result in enumerate(results):
        if result.difference is None or result.interval is None:
            continue
        sign = 1 if result.higher_is_better else -1
        low, high = sorted((sign * result.interval.low, sign * result.interval.high))
        tone = "good" if low > 0 else "bad" if high < 0 else "unsure"
        label = f"{signed(result.difference)} [{signed(result.interval.low)}, {signed(result.interval.high)}]"
        rows.append(IntervalRow(names[i] if names else result.name, sign * result.difference, low, high, tone, label))
    return rows


def _reach(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if low < high else (low - 0.5, high + 0.5) if abs(low) < 1e15 else (low * 0.5, low * 1.5)


def _text(x: float, y: float, value: str, anchor: str, tone: str = "") -> str:
    shown = value if len(value) <= 34 else value[:33] + "…"
    return f'<text class="{tone}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(shown)}</text>'
