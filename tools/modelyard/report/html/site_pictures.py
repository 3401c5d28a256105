"""Figures of the site as inline SVG. Every value in them also stands in a table of the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from modelyard.evidence.production import ShownWindow
from modelyard.manifests.check import arrow
from modelyard.registry.lineage import Lineage
from modelyard.registry.timeline import Period
from modelyard.report.html.figure import Figure, draw
from modelyard.report.html.pictures import trend_plot
from modelyard.report.terminal.text import when

_WIDTH = 320
_BEST = "dashed: the best of the last ten"
_MARKS = {"fail": " ✗", "error": " ✗", "inconclusive": " ?"}


def metric_chart(name: str, points: Sequence[tuple[str, float, str]]) -> Figure:
    """One metric by version: (version, value, sha256 of its held-out rows or '') per version that has it.

    A line joins neighbours that were measured on the same rows, and no others: values of different rows do not compare.
    A second line is the best of the last ten of them so far, which a slow slide falls away from.
    """
    height, left, right, foot = 130, 62, 14, 24
    values = [value for _, value, _ in points]
    low, high = min(values), max(values)
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    step = (_WIDTH - left - right) / max(len(points) - 1, 1)

    def place(i: int, value: float) -> tuple[float, float]:
        return left + i * step, 10 + (high - value) / (high - low) * (height - foot - 16)

    placed = [place(i, value) for i, value in enumerate(values)]
    parts = [
        f'<line class="axis" x1="{left}" y1="{height - foot}" x2="{_WIDTH - right}" y2="{height - foot}"/>',
        f'<text class="muted" x="{left - 6}" y="14" text-anchor="end">{high:.4g}</text>',
        f'<text class="muted" x="{left - 6}" y="{height - foot}" text-anchor="end">{low:.4g}</text>',
    ]
    runs = _runs([rows for _, _, rows in points])
    for run in runs if arrow(name) else []:
        best = _best_so_far([values[i] for i in run], highest=arrow(name) == "↑")
        corners = [place(i, value) for i, value in zip(run, best, strict=True)]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
        parts.append(f'<polyline class="before dashed" points="{drawn}"><title>{_BEST}</title></polyline>')
    parts += [
        f'<polyline class="after" points="{" ".join(f"{placed[i][0]:.1f},{placed[i][1]:.1f}" for i in run)}"/>'
        for run in runs
    ]
    parts += [
        f'<circle class="after" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{escape(version)}: {value:.4f}</title></circle>'
        for (x, y), (version, value, _) in zip(placed, points, strict=True)
    ]
    ends = [(0, "start"), (len(points) - 1, "end")] if len(points) > 1 else [(0, "start")]
    parts += [
        f'<text class="muted" x="{placed[i][0]:.1f}" y="{height - 6}" text-anchor="{anchor}">'
        f"{escape(points[i][0])}</text>"
        for i, anchor in ends
    ]
    better = {"↑": ", higher is better", "↓": ", lower is better"}.get(arrow(name), "")
    better += f"; {_BEST}" if runs and better else ""
    return draw(_WIDTH, height, parts, f"{name} {arrow(name)}: {values[-1]:.4f} in {points[-1][0]}{better}")


def _best_so_far(values: Sequence[float], *, highest: bool) -> list[float]:
    """For each value the best of it and of the nine before it."""
    choose = max if highest else min
    return [choose(values[max(0, i - 9) : i + 1]) for i in range(len(values))]


def _runs(rows: Sequence[str]) -> list[list[int]]:
    """The runs of at least two neighbours with the same held-out rows, as indexes."""
    runs: list[list[int]] = []
    for i, held_out in enumerate(rows):
        if i and held_out and held_out == rows[i - 1]:
            runs[-1].append(i)
        else:
            runs.append([i])
    return [run for run in runs if len(run) > 1]


def window_chart(metric: str, windows: Sequence[ShownWindow]) -> Figure | None:
    """The realised metric and its baseline by window, oldest first; None for fewer than two windows with labels."""
    known = [
        (window, value, window.monitoring.accepted[metric])
        for window in windows
        if (value := window.realised(metric)) is not None and metric in window.monitoring.accepted
    ]
    if len(known) < 2:
        return None
    return trend_plot(
        [window.monitoring.until[5:10] for window, _, _ in known],
        [("realised", "after", [value for _, value, _ in known]),
         ("baseline", "before", [value for _, _, value in known])],
        [f"{window.monitoring.version}{_MARKS.get(window.verdict.outcome, '')}" for window, _, _ in known],
        f"{metric} by window with labels, and the baseline of the version; ✗: a monitoring rule failed",
    )  # fmt: skip


def rollout_chart(environments: Sequence[str], found: Sequence[Period], last: int) -> Figure | None:
    """The version in each environment over time.

    ``last`` is the newest event's time in seconds since 1970. Current versions are drawn a fixed part beyond it, so
    that the same tags give the same figure on any day.
    """
    if not found:
        return None
    width, left, row = 860, 110, 34
    begun = min(period.since for period in found)
    span = max((last - begun) * 1.2, 1.0)
    now = begun + span
    names = [name for name in environments if any(p.environment == name for p in found)]
    names += sorted({p.environment for p in found} - set(names))
    height = row * len(names) + 24
    parts = []
    for i, name in enumerate(names):
        parts.append(f'<text x="{left - 10}" y="{i * row + 21}" text-anchor="end">{escape(name)}</text>')
        for k, period in enumerate(p for p in found if p.environment == name):
            x = left + (period.since - begun) / span * (width - left)
            end = left + ((period.until or now) - begun) / span * (width - left)
            wide = max(end - x, 2.0)
            until = when(period.until) if period.until else "now"
            why = period.why or "no reason is recorded"
            said = f"{period.version} in {name}, {when(period.since)} to {until}: {why}"
            tone = "current" if period.until is None else "reference" if k % 2 else "earlier"
            parts.append(
                f'<rect class="{tone}" x="{x:.1f}" y="{i * row + 4}" width="{wide:.1f}" height="{row - 10}" rx="3">'
                f"<title>{escape(said)}</title></rect>"
            )
            if wide > 8 * len(period.version):
                parts.append(f'<text class="on" x="{x + 6:.1f}" y="{i * row + 21}">{escape(period.version)}</text>')
    foot = height - 6
    parts.append(f'<text class="muted" x="{left}" y="{foot}">{when(begun)}</text>')
    parts.append(f'<text class="muted" x="{width}" y="{foot}" text-anchor="end">now</text>')
    return draw(width, height, parts, "Versions by environment over time (UTC)")


def lineage_graph(found: Lineage) -> Figure:
    """Data, code and packages on the left, the version in the middle, its environments on the right."""
    left = [("data", source.path, source.md5[:10]) for source in found.data]
    left.append(("code", found.code[:10], found.subject))
    if found.packages:
        left.append(("packages", f"{len(found.packages)} pinned", ", ".join(found.packages)))
    live = [period for period in found.served if period.until is None]
    right = [("live in", period.environment, when(period.since)) for period in live] or [
        ("live in", "no environment", "")
    ]
    row, width, box = 58, 860, 240
    height = row * max(len(left), len(right), 1) + 10
    middle = (width - box) / 2, height / 2 - 24
    parts = []
    for column, nodes, x in (("left", left, 0), ("right", right, width - box)):
        top = (height - row * len(nodes)) / 2
        for i, (kind, name, detail) in enumerate(nodes):
            y = top + i * row + 5
            one, two = (float(box), y + 24), (middle[0], height / 2)
            if column == "right":
                one, two = (middle[0] + box, height / 2), (width - box, y + 24)
            parts.append(f'<path class="edge" d="M{one[0]:.0f} {one[1]:.0f} L{two[0]:.0f} {two[1]:.0f}"/>')
            parts += _node(x, y, box, kind, name, detail)
    approved = f"approved by {', '.join(found.approved_by)}" if found.approved_by else "no recorded approval"
    people = f"{found.proposed_by or 'unknown'}, {approved}"
    parts += _node(middle[0], middle[1], box, found.model, found.version, people, "main")
    return draw(width, height, parts, f"Lineage of {found.model} {found.version}")


def _node(x: float, y: float, box: float, kind: str, name: str, detail: str, tone: str = "") -> list[str]:
    head, body = _cut(f"{kind}  {name}", 34), _cut(detail, 36)
    return [
        f"<g><title>{escape(f'{kind} {name} {detail}')}</title>"
        f'<rect class="node {tone}" x="{x:.0f}" y="{y:.0f}" width="{box}" height="48" rx="6"/>',
        f'<text x="{x + 12:.0f}" y="{y + 20:.0f}">{escape(head)}</text>',
        f'<text class="muted" x="{x + 12:.0f}" y="{y + 37:.0f}">{escape(body)}</text></g>',
    ]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
