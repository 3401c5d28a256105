"""The picture that a comment may show: candidate against champion, as one SVG file with its own colours."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.metrics.evaluation import MetricResult
from modelyard.report.content import Report, signed
from modelyard.report.svg import IntervalRow, interval_plot, standalone

CAPTION = "Candidate − champion with 95 % intervals"


def render_picture(report: Report) -> bytes:
    """Intervals of every metric; nothing for a first version, which has no difference to draw."""
    evaluation = report.bundle.evaluation
    if evaluation is None or evaluation.champion is None:
        return b""
    rows = interval_rows(evaluation.metrics)
    return standalone(interval_plot(rows, CAPTION)).encode() if rows else b""


def interval_rows(results: Sequence[MetricResult], names: Sequence[str] | None = None) -> list[IntervalRow]:
    """What is drawn of metrics: better to the right, whichever way the metric goes."""
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
