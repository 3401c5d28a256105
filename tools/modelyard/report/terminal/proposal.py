"""A proposal at a terminal: measured, judged, and the waivers that count."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.evidence.artifact import Artifact
from modelyard.gate.backtest import Backtest
from modelyard.gate.waivers import WaiverState
from modelyard.metrics.drift import Drift
from modelyard.metrics.evaluation import Evaluation
from modelyard.report.content import (
    Report,
    check_difference,
    drift_word,
    flips_sentence,
    metric_difference,
    number,
    share,
    signed,
    worst_slices,
)
from modelyard.report.terminal.text import bold, table, wrapped


def render_terminal(report: Report) -> str:
    """Headline, who must do what, the checks (failures first), and why those that did not pass did not."""
    rows = [
        [check.outcome, check.id, number(check.champion), number(check.candidate), check_difference(check)]
        for check in report.checks
    ]
    lines = [bold(report.headline), wrapped(report.next_step), ""]
    lines.append(table(["outcome", "check", "champion", "candidate", "difference [95 %]"], rows))
    for check in report.checks:
        if check.outcome != "pass":
            level = " (advisory)" if check.level == "advisory" else ""
            lines += ["", wrapped(f"{check.id}{level}: {check.sentence}", "  ").replace(check.id, bold(check.id), 1)]
            lines.append(wrapped(f"  {check.why} ({check.file}:{check.line})", "  "))
    lines += ["", *(wrapped(f"Note: {note}", "  ") for note in report.verdict.notes)] if report.verdict.notes else []
    return "\n".join(lines)


def render_backtest(backtest: Backtest) -> str:
    """A changed policy on past versions, and what it loosens."""
    rows = [
        [f"{one.model} {one.version}", one.before, one.after, "flips" if one.flips else "", ", ".join(one.because)]
        for one in backtest.versions
    ]
    lines = [bold(f"{backtest.policy}: {backtest.sentence}"), ""]
    lines.append(table(["version", "then", "now", "", "because of"], rows))
    for change in backtest.changes:
        word = "LOOSER" if change.loosens else "change"
        lines += [] if rows and lines[-1].startswith("  ") else [""]
        lines.append(wrapped(f"  {word}  {change.sentence}", "          "))
    return "\n".join(lines)


def render_evaluation(model: str, evaluation: Evaluation) -> str:
    """All metrics and the worst slices."""
    against = f"against {evaluation.champion}" if evaluation.champion else "a first version, without a champion"
    lines = [bold(f"{model} on {evaluation.rows:,} held-out rows, {against}"), ""]
    rows = [
        [m.name, "↑" if m.higher_is_better else "↓", number(m.champion), number(m.candidate), metric_difference(m)]
        for m in evaluation.metrics
    ]
    lines.append(table(["metric", "", "champion", "candidate", "difference [95 %]"], rows))
    if evaluation.flips:
        lines += ["", wrapped(flips_sentence(evaluation.flips))]
    worst = worst_slices(evaluation.slices)
    if worst:
        rows = [
            [f"{p.column}={p.level}", f"{p.rows:,}", number(r.champion), number(r.candidate), metric_difference(r)]
            for p, r in worst
        ]
        lines += ["", table([f"worst by {worst[0][1].name}", "rows", "champion", "candidate", "difference"], rows)]
    return "\n".join(lines)


def render_drift(drift: Drift) -> str:
    """All columns, alarms first, then by importance."""
    lines = [bold(f"{drift.current_rows:,} rows against {drift.reference_rows:,} of {drift.reference}"), ""]
    exact = any(c.exact for c in drift.columns)
    rows = [
        [c.name, drift_word(c), number(c.js), number(c.threshold),
         number(c.exact.ks if c.exact else None) if exact else number(c.psi),
         number(c.exact.wasserstein if c.exact else None) if exact else signed(c.consequence),
         share(c.importance), f"{c.missing_current:.1%}", f"{c.new_level_share:.1%}", c.reason]
        for c in drift.columns
    ]  # fmt: skip
    middle = ["KS", "W/σ"] if exact else ["PSI", "effect"]
    lines.append(table(["column", "state", "JS", "alarm >", *middle, "weight", "missing", "new", "note"], rows))
    moved = [part for part in drift.slices if part.alarm][:10]
    if moved:
        rows = [[f"{part.column}={part.level}", f"{part.rows:,}", part.name, number(part.js)] for part in moved]
        lines += ["", table(["inside a slice", "rows", "column", "JS"], rows)]
    if drift.domain:
        domain = drift.domain
        interval = f" [{number(domain.interval.low)}, {number(domain.interval.high)}]" if domain.interval else ""
        strongest = ", ".join(domain.strongest) or "nothing"
        said = f"A classifier tells both apart with AUC {number(domain.auc)}{interval} (0.5: not at all)"
        lines += ["", wrapped(f"{said}; it looks at {strongest}.")]
    if drift.estimate:
        rows = [[m.name, number(m.value), f"[{number(m.interval.low)}, {number(m.interval.high)}]"]
                for m in drift.estimate.metrics]  # fmt: skip
        lines += ["", table(["expected without labels", "value", "95 %"], rows), wrapped(drift.estimate.assumption)]
    return "\n".join(lines)


def render_scan(model: str, found: Artifact) -> str:
    """What the artifact is, in one line."""
    speed = f", one row in at most {found.row_milliseconds:g} ms" if found.row_milliseconds else ""
    return f"{model}: {found.format or 'no known format'}, {found.bytes:,} bytes{speed}"


def render_waivers(states: Sequence[WaiverState]) -> str:
    """Who let what pass, why, and until when."""
    if not states:
        return "There is no waiver."
    lines = []
    for state in states:
        left = "expired" if state.expired else f"{state.days_left} days left"
        lines.append(bold(f"{state.file}: {state.check} of {state.model} until {state.expires} ({left})"))
        approved = f", approved by {state.approved_by}" if state.approved_by else ""
        lines.append(wrapped(f"    {state.reason} (asked by {state.requested_by}{approved})", "    "))
        lines.append(f"    only for sha256 {state.artifact[:16]}")
    return "\n".join(lines)
