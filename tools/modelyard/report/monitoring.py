"""A monitored window as people read it: a terminal, and Markdown for an issue."""

from __future__ import annotations

from modelyard.evidence.verdict import CheckResult, Verdict
from modelyard.metrics.window import Day, Monitoring, Realised
from modelyard.report import safe
from modelyard.report.content import between, check_difference, drift_word, number, share, signed, worst_slices
from modelyard.report.text import bold, coloured, table, wrapped

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


def render_monitoring(model: str, monitoring: Monitoring, verdict: Verdict) -> str:
    """For a terminal of 80 columns."""
    lines = [bold(headline(model, monitoring, verdict)), wrapped(span(monitoring)), ""]
    headings = ["version", "as", "requests", "rows", "share", "errors", "p50 ms", "p95", "p99"]
    lines.append(table(headings, served_rows(monitoring)))
    if monitoring.days:
        lines += ["", f"rows a day  {sparkline(monitoring.days)}"]
    if verdict.checks:
        rows = [[c.outcome, c.id, number(c.champion), number(c.candidate), check_difference(c)] for c in verdict.checks]
        lines += ["", table(["outcome", "check", "accepted", "now", "difference [95 %]"], rows)]
    for check in verdict.checks:
        if check.outcome != "pass":
            lines += ["", wrapped(f"{coloured(check.outcome)} {check.id}: {check.sentence}", "  ")]
            lines.append(wrapped(f"  {check.why} ({check.file}:{check.line})", "  "))
    if monitoring.realised:
        lines += ["", *_realised(monitoring.realised)]
    elif guess := estimate_sentence(monitoring):
        lines += ["", wrapped(guess)]
    if found := slice_rows(monitoring, 5):
        lines += ["", table(*found)]
    if monitoring.drift:
        moved = [c for c in monitoring.drift.columns if c.state == "drifted" or c.new_level_share > 0.01]
        rows = [
            [c.name, drift_word(c), number(c.js), number(c.threshold), signed(c.consequence), share(c.importance),
             f"{c.missing_current:.1%}", f"{c.new_level_share:.1%}"]
            for c in moved
        ]  # fmt: skip
        if rows:
            lines += ["", table(["column", "state", "JS", "alarm >", "effect", "weight", "missing", "new"], rows)]
    lines += ["", *(wrapped(f"Note: {note}", "  ") for note in verdict.notes)] if verdict.notes else []
    return "\n".join(lines)


def render_cause(model: str, monitoring: Monitoring, check: CheckResult) -> str:
    """One failed check as the body of an issue."""
    lines = [
        f"**{safe.text(check.sentence, 2000)}**",
        "",
        safe.text(check.why, 2000),
        "",
        *safe.table(
            ["", ""],
            [
                ["model", safe.text(f"{model} {monitoring.version}")],
                ["environment", safe.text(monitoring.environment)],
                ["window", f"{monitoring.since} to {monitoring.until}"],
                ["predictions", f"{monitoring.rows:,}"],
                ["rule", f"{safe.text(check.id)} ({safe.text(check.file)}:{check.line}, {check.level})"],
            ],
        ),
    ]
    if monitoring.drift and check.kind in ("inputs", "scores"):
        rows = [
            [
                safe.text(c.name),
                drift_word(c),
                number(c.js),
                number(c.threshold),
                share(c.importance),
                signed(c.consequence),
            ]
            for c in monitoring.drift.columns
            if c.state == "drifted"
        ]
        if rows:
            lines += ["", *safe.table(["column", "state", "JS", "alarm >", "weight", "effect"], rows[:20])]
    if check.kind == "quality" and (found := slice_rows(monitoring, 10)):
        headings, rows = found
        lines += ["", *safe.table(headings, [[safe.text(cell) for cell in row] for row in rows])]
    lines += ["", f"What it does to predictions a day: {sparkline(monitoring.days)}"]
    return "\n".join(lines)


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
    return f"Estimated without outcomes: {guesses}. {monitoring.estimate.assumption}"


def slice_rows(monitoring: Monitoring, most: int) -> tuple[list[str], list[list[str]]] | None:
    """Headings and rows of the slices that do worst on the first metric: realised, else estimated; None for none."""
    realised = worst_slices(monitoring.realised.slices, most) if monitoring.realised else []
    if realised:
        rows = [
            [f"{part.column}={part.level}", f"{part.rows:,}", number(found.candidate), between(found.interval)]
            for part, found in realised
        ]
        return [f"worst by {realised[0][1].name}", "outcomes", "realised", "[95 %]"], rows
    if not monitoring.estimated_slices or (monitoring.realised and monitoring.realised.metrics):
        return None
    guesses = sorted(((part, part.metrics[0]) for part in monitoring.estimated_slices), key=lambda one: one[1].value)
    rows = [
        [f"{part.column}={part.level}", f"{part.rows:,}", number(guess.value), between(guess.interval)]
        for part, guess in guesses[:most]
    ]
    return [f"worst by {guesses[0][1].name}", "predictions", "estimated", "[95 %]"], rows


def outcomes_sentence(realised: Realised) -> str:
    """How many are known, and how many are waited for."""
    waiting = f"{realised.missing:,} of {realised.due:,} due ones have none"
    if realised.oldest_missing_days is not None:
        waiting += f", the oldest for {realised.oldest_missing_days:.1f} days"
    return f"{realised.labelled:,} predictions have an outcome; {waiting}."


def _realised(realised: Realised) -> list[str]:
    lines = [wrapped(outcomes_sentence(realised))]
    if realised.metrics:
        rows = [
            [m.name, "↑" if m.higher_is_better else "↓", number(m.champion), number(m.candidate), between(m.interval)]
            for m in realised.metrics
        ]
        lines += ["", table(["realised", "", "accepted", "now", "[95 %]"], rows)]
    return lines


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if whole else "–"
