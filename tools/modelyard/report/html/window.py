"""A monitored window as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from modelyard.evidence.verdict import Verdict
from modelyard.metrics.evaluation import MetricResult
from modelyard.metrics.intervals import Interval
from modelyard.metrics.window import Burn, Monitoring, Realised
from modelyard.report.content import between, number, share
from modelyard.report.headline import failures_first
from modelyard.report.html.figure import Figure
from modelyard.report.html.page import Table, render
from modelyard.report.html.pictures import day_plot, interval_plot, interval_rows
from modelyard.report.html.proposal import checks, drift
from modelyard.report.terminal.text import when
from modelyard.report.window import estimate_sentence, ground_truth_sentence, headline, served_rows, slice_rows, span

_MOST_SLICES = 20


def render_monitoring_html(model: str, monitoring: Monitoring, verdict: Verdict) -> str:
    """The page. Every number in it stands in the window's evidence."""
    said = headline(model, monitoring, verdict)
    slices = slice_rows(monitoring, _MOST_SLICES)
    return render(
        "window.html.j2",
        title=f"{said}: {verdict.outcome}",
        outcome=verdict.outcome,
        headline=said,
        span=span(monitoring),
        notes=verdict.notes,
        policy=verdict.policy,
        checks=checks(failures_first(verdict.checks), "baseline", "now"),
        days=_days(monitoring),
        served=Table(["version", "as", "requests", "rows", "share", "errors", "p50 ms", "p95 ms", "p99 ms"],
                     served_rows(monitoring)),
        burns=_burns(monitoring.burns),
        quality=_quality(monitoring),
        slices=Table(*slices) if slices else None,
        rows=_rows(monitoring),
        drift=drift(monitoring.drift) if monitoring.drift else None,
    )  # fmt: skip


def _days(monitoring: Monitoring) -> Figure | None:
    days = [(day.day, (day.rows, day.others, day.errors)) for day in monitoring.days]
    caption = f"Predictions per day (UTC): {monitoring.version} blue, other versions grey, failed requests red"
    return day_plot(days, ("current", "reference", "bad"), caption) if days else None


def _burns(burns: Sequence[Burn]) -> Table | None:
    rows = [
        [b.id, f"{b.requests:,}", f"{b.bad:,}", _times(b.long), _times(b.short), _times(b.worst),
         when(int(b.worst_at)) if b.worst_at is not None else "–"]
        for b in burns
    ]  # fmt: skip
    headings = ["SLO", "requests", "bad", "burn rate, long", "burn rate, short", "worst burn rate", "at (UTC)"]
    return Table(headings, rows) if rows else None


def _quality(monitoring: Monitoring) -> dict[str, Any]:
    lines = []
    if (guess := estimate_sentence(monitoring)) and not (monitoring.realised and monitoring.realised.metrics):
        lines.append(guess)
    realised = monitoring.realised
    lines.append(ground_truth_sentence(realised) if realised else "There is no ground truth.")
    shown = realised if realised and realised.metrics else None
    return {
        "lines": lines,
        "metrics": _metrics(shown) if shown else None,
        "figure": _differences(shown) if shown else None,
    }


def _metrics(found: Realised) -> Table:
    rows = [
        [m.name, "higher" if m.higher_is_better else "lower", number(m.champion), number(m.candidate),
         between(m.interval)]
        for m in found.metrics
    ]  # fmt: skip
    return Table(["metric", "better", "baseline", "realised", "[95 %]"], rows)


def _differences(found: Realised) -> Figure | None:
    rows = interval_rows([_from_baseline(metric) for metric in found.metrics])
    return interval_plot(rows, "Realised − baseline, with the 95 % interval of the realised value")


def _from_baseline(metric: MetricResult) -> MetricResult:
    if metric.champion is None or metric.interval is None:
        return replace(metric, difference=None)
    return replace(
        metric, interval=Interval(metric.interval.low - metric.champion, metric.interval.high - metric.champion)
    )


def _rows(monitoring: Monitoring) -> list[str]:
    said = []
    if outliers := monitoring.outliers:
        usual = f"held-out rows {share(outliers.reference_rate)}"
        said.append(f"{share(outliers.rate)} of {outliers.rows:,} rows are outliers ({usual}).")
    if confidence := monitoring.confidence:
        held_out = f"held-out rows {confidence.reference:.3f}"
        said.append(f"Mean confidence is {confidence.current:.3f} ({held_out}).")
    return said


def _times(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.2f} ×"
