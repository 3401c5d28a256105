"""The sentences and table rows of a monitored window that every form of its report shows."""

from __future__ import annotations

from modelyard.evidence.verdict import Verdict
from modelyard.metrics.window import Day, Monitoring, Realised
from modelyard.report.content import between, number, share, worst_slices

_BARS = "▁▂▃▄▅▆▇█"
_MOST_DAYS = 60
_SAID = {
    "pass": "meets its monitoring rules",
    "waived": "meets its monitoring rules, with waivers",
    "fail": "needs attention",
    "inconclusive": "needs more data",
    "error": "could not be judged",
}


def headline(model: str, monitoring: Monitoring, verdict: Verdict) -> str:
    """The verdict in one sentence."""
    return f"{model} {monitoring.version} in {monitoring.environment} {_SAID[verdict.outcome]}"


def sparkline(days: tuple[Day, ...]) -> str:
    """The rows of the last 60 days, one character a day; a dot is a day without traffic."""
    shown = days[-_MOST_DAYS:]
    top = max((day.rows for day in shown), default=0)
    return "".join("·" if not day.rows else _BARS[min(7, day.rows * 8 // (top + 1))] for day in shown)


def span(monitoring: Monitoring) -> str:
    """The window and the number of predictions in it."""
    return f"{monitoring.since} to {monitoring.until}, {monitoring.rows:,} predictions of {monitoring.version}"


def served_rows(monitoring: Monitoring) -> list[list[str]]:
    """Rows of a table: requests, rows, share, errors and latency of every version and variant."""
    return [
        [s.version, s.variant, f"{s.requests:,}", f"{s.rows:,}", share(s.share), _percent(s.errors, s.requests),
         *(f"{q:.3g}" if q is not None else "–" for q in (s.latency.p50, s.latency.p95, s.latency.p99))]
        for s in monitoring.served
    ]  # fmt: skip


def estimate_sentence(monitoring: Monitoring) -> str:
    """The quality estimated from the scores alone; '' without an estimate."""
    if monitoring.estimate is None:
        return ""
    guesses = ", ".join(f"{m.name} {m.value:.4f} {between(m.interval)}" for m in monitoring.estimate.metrics)
    return f"Estimated without labels: {guesses}. {monitoring.estimate.assumption}"


def slice_rows(monitoring: Monitoring, most: int) -> tuple[list[str], list[list[str]]] | None:
    """Headings and rows of the worst slices by the first metric, realised or else estimated; None without slices."""
    realised = worst_slices(monitoring.realised.slices, most) if monitoring.realised else []
    if realised:
        rows = [
            [f"{part.column}={part.level}", f"{part.rows:,}", number(found.candidate), between(found.interval)]
            for part, found in realised
        ]
        return [f"worst by {realised[0][1].name}", "labels", "realised", "[95 %]"], rows
    if not monitoring.estimated_slices or (monitoring.realised and monitoring.realised.metrics):
        return None
    guesses = sorted(((part, part.metrics[0]) for part in monitoring.estimated_slices), key=lambda one: one[1].value)
    rows = [
        [f"{part.column}={part.level}", f"{part.rows:,}", number(guess.value), between(guess.interval)]
        for part, guess in guesses[:most]
    ]
    return [f"worst by {guesses[0][1].name}", "predictions", "estimated", "[95 %]"], rows


def ground_truth_sentence(realised: Realised) -> str:
    """The number of labels, and of labels that are missing."""
    said = f"{realised.labelled:,} {'prediction has' if realised.labelled == 1 else 'predictions have'} a label."
    if not realised.due:
        return f"{said} No label is due yet."
    said += f" {realised.missing:,} of {realised.due:,} due labels {'is' if realised.missing == 1 else 'are'} missing"
    if realised.oldest_missing_days is not None:
        said += f"; the oldest prediction without one is {realised.oldest_missing_days:.1f} days old"
    return f"{said}."


def _percent(part: int, whole: int) -> str:
    return share(part / whole if whole else None, 2)
