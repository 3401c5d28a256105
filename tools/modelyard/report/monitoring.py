"""A monitored window as people read it: a terminal, and Markdown for an issue."""

from __future__ import annotations

from modelyard.gate.verdict import CheckResult, Verdict
from modelyard.measure.monitoring import Day, Monitoring, Realised
from modelyard.report import safe
from modelyard.report.content import between, check_difference, drift_word, number, share, signed
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
    if monitoring.realised and check.kind == "quality":
        worst = [p for p in monitoring.realised.slices if p.sufficient][:10]
        rows = [
            [safe.text(f"{p.column}={p.level}"), f"{p.rows:,}", number(next(iter(p.metrics)).candidate)]
            for p in worst
            if p.metrics
        ]
        if rows:
            lines += ["", *safe.table(["slice", "outcomes", worst[0].metrics[0].name], rows)]
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
