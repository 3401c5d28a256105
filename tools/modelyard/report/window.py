"""A window of production in words and rows, as every form of its report shows it."""

from __future__ import annotations

from modelyard.evidence.verdict import Verdict
from modelyard.metrics.window import Day, Monitoring, Realised
from modelyard.report.content import between, number, worst_slices

_BARS = "▁▂▃▄▅▆▇█"
_MOST_DAYS = 60
_SAID = {
    "pass": "is doing what it was accepted for",
    "waived": "is doing what it was accepted for, with waivers",
    "fail": "needs attention",
    "inconclusive": "cannot be judged yet",
    "error": "could not be judged",
}


def headline(model: str, monitoring: Monitoring, verdict: Verdict) -> str:
    """The verdict in one sentence."""
    return f"{model} {monitoring.version} in {monitoring.environment} {_SAID[verdict.outcome]}"


def sparkline(days: tuple[Day, ...]) -> str:
    """One character a day; a gap is a day without traffic."""
    shown = days[-_MOST_DAYS:]
    top = max((day.rows for day in shown), default=0)
    return "".join("·" if not day.rows else _BARS[min(7, day.rows * 8 // (top + 1))] for day in shown)


def span(monitoring: Monitoring) -> str:
    """The window, and what of it is measured."""
    return f"{monitoring.since} to {monitoring.until}, {monitoring.rows:,} predictions of {monitoring.version}"


def served_rows(monitoring: Monitoring) -> list[list[str]]:
    """Every version in every part it played: requests, rows, share, errors, latency."""
    return [
        [s.version, s.variant, f"{s.requests:,}", f"{s.rows:,}", f"{s.share:.1%}", _percent(s.errors, s.requests),
         *(f"{q:.3g}" if q is not None else "–" for q in (s.latency.p50, s.latency.p95, s.latency.p99))]
        for s in monitoring.served
    ]  # fmt: skip


def estimate_sentence(monitoring: Monitoring) -> str:
    """What quality would be by the scores alone; '' where that cannot be said."""
    if monitoring.estimate is None:
        return ""
    guesses = ", ".join(f"{m.name} {m.value:.4f} {between(m.interval)}" for m in monitoring.estimate.metrics)
    return f"Estimated without ground truth: {guesses}. {monitoring.estimate.assumption}"


def slice_rows(monitoring: Monitoring, most: int) -> tuple[list[str], list[list[str]]] | None:
    """Headings and rows of the slices that do worst on the first metric: realised, else estimated; None for none."""
    realised = worst_slices(monitoring.realised.slices, most) if monitoring.realised else []
    if realised:
        rows = [
            [f"{part.column}={part.level}", f"{part.rows:,}", number(found.candidate), between(found.interval)]
            for part, found in realised
        ]
        return [f"worst by {realised[0][1].name}", "ground_truth", "realised", "[95 %]"], rows
    if not monitoring.estimated_slices or (monitoring.realised and monitoring.realised.metrics):
        return None
    guesses = sorted(((part, part.metrics[0]) for part in monitoring.estimated_slices), key=lambda one: one[1].value)
    rows = [
        [f"{part.column}={part.level}", f"{part.rows:,}", number(guess.value), between(guess.interval)]
        for part, guess in guesses[:most]
    ]
    return [f"worst by {guesses[0][1].name}", "predictions", "estimated", "[95 %]"], rows


def ground_truth_sentence(realised: Realised) -> str:
    """How many are known, and how many are waited for."""
    waiting = f"{realised.missing:,} of {realised.due:,} due ones have none"
    if realised.oldest_missing_days is not None:
        waiting += f", the oldest for {realised.oldest_missing_days:.1f} days"
    return f"{realised.labelled:,} predictions have an outcome; {waiting}."


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if whole else "–"
