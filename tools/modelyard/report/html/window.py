"""A monitored window as one HTML page that opens offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

from modelyard.evidence.verdict import Verdict
from modelyard.metrics.evaluation import MetricResult
from modelyard.metrics.intervals import Interval
from modelyard.metrics.window import Burn, Monitoring, Realised
from modelyard.report.content import between, failures_first, number
from modelyard.report.html.page import html_table, page
from modelyard.report.html.pictures import day_plot, interval_plot, interval_rows
from modelyard.report.html.proposal import checks, drift
from modelyard.report.terminal.text import when
from modelyard.report.window import estimate_sentence, ground_truth_sentence, headline, served_rows, slice_rows, span

_MOST_SLICES = 20


def render_monitoring_html(model: str, monitoring: Monitoring, verdict: Verdict) -> str:
    """Every number in it stands in the window's evidence."""
    notes = "".join(f"<p>⚠️ {escape(note)}</p>" for note in verdict.notes)
    said = headline(model, monitoring, verdict)
    days = [(day.day, (day.rows, day.others, day.errors)) for day in monitoring.days]
    caption = f"A day (UTC): predictions of {monitoring.version}, grey: other versions', red: requests that failed"
    parts = [
        f'<div class="banner {verdict.outcome}"><h1>{escape(said)}</h1><p>{escape(span(monitoring))}</p>{notes}'
        f'<p class="soft">policy {escape(verdict.policy)}</p></div>',
        *checks(failures_first(verdict.checks), "accepted", "now"),
        "<h2>Traffic</h2>",
        day_plot(days, ("current", "reference", "bad"), caption) if days else "",
        html_table(["version", "as", "requests", "rows", "share", "errors", "p50 ms", "p95 ms", "p99 ms"],
                   served_rows(monitoring)),
        *_burns(monitoring.burns),
        *_quality(monitoring),
        *_rows(monitoring),
        *(drift(monitoring.drift) if monitoring.drift else ()),
    ]  # fmt: skip
    return page(f"{said}: {verdict.outcome}", parts)


def _burns(burns: Sequence[Burn]) -> list[str]:
    rows = [
        [b.id, f"{b.requests:,}", f"{b.bad:,}", _times(b.long), _times(b.short), _times(b.worst),
         when(int(b.worst_at)) if b.worst_at is not None else "–"]
        for b in burns
    ]  # fmt: skip
    headings = ["error budget of", "requests", "bad", "long window now", "short window now", "worst moment", "at"]
    note = '<p class="soft">How many times faster than allowed the budget burns; 1 uses it up exactly.</p>'
    return [html_table(headings, rows), note] if rows else []


def _quality(monitoring: Monitoring) -> list[str]:
    parts = ["<h2>Quality</h2>"]
    if (guess := estimate_sentence(monitoring)) and not (monitoring.realised and monitoring.realised.metrics):
        parts.append(f"<p>{escape(guess)}</p>")
    if monitoring.realised is None:
        parts.append("<p>Nobody said what happened.</p>")
    else:
        parts += [f"<p>{escape(ground_truth_sentence(monitoring.realised))}</p>", *_realised(monitoring.realised)]
    if slices := slice_rows(monitoring, _MOST_SLICES):
        parts += ["<h2>Slices</h2>", html_table(*slices)]
    return parts


def _realised(found: Realised) -> list[str]:
    if not found.metrics:
        return []
    rows = [
        [m.name, "higher" if m.higher_is_better else "lower", number(m.champion), number(m.candidate),
         between(m.interval)]
        for m in found.metrics
    ]  # fmt: skip
    parts = [html_table(["metric", "better", "accepted", "realised", "95 %"], rows)]
    moved = [_from_accepted(m) for m in found.metrics]
    parts.append(interval_plot(interval_rows(moved), "Realised − accepted, with the realised value's 95 % interval"))
    return parts


def _from_accepted(metric: MetricResult) -> MetricResult:
    if metric.champion is None or metric.interval is None:
        return replace(metric, difference=None)
    return replace(
        metric, interval=Interval(metric.interval.low - metric.champion, metric.interval.high - metric.champion)
    )


def _rows(monitoring: Monitoring) -> list[str]:
    said = []
    if monitoring.outliers:
        found = monitoring.outliers
        said.append(
            f"{found.found:,} of {found.rows:,} rows ({found.rate:.2%}) are unlike what the version learnt from; of"
            f" its training rows {found.reference_rate:.0%} were."
        )
    if monitoring.confidence:
        sure = monitoring.confidence
        said.append(f"Mean confidence {sure.current:.3f}; on the held-out rows {sure.reference:.3f}.")
    return ["<h2>Rows and scores</h2>", *(f"<p>{escape(line)}</p>" for line in said)] if said else []


def _times(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.2f} ×"
