"""The report as a person at a terminal reads it."""

from __future__ import annotations

from modelyard.evidence.artifact import Artifact
from modelyard.measure.drift import Drift
from modelyard.measure.evaluation import Evaluation
from modelyard.report.content import Report, check_difference, metric_difference, number, worst_slices
from modelyard.report.text import bold, table, wrapped


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


def render_evaluation(model: str, evaluation: Evaluation) -> str:
    """All metrics and the worst slices."""
    against = f"against {evaluation.champion}" if evaluation.champion else "a first version, without a champion"
    lines = [bold(f"{model} on {evaluation.rows:,} held-out rows, {against}"), ""]
    rows = [
        [m.name, "↑" if m.higher_is_better else "↓", number(m.champion), number(m.candidate), metric_difference(m)]
        for m in evaluation.metrics
    ]
    lines.append(table(["metric", "", "champion", "candidate", "difference [95 %]"], rows))
    worst = worst_slices(evaluation)
    if worst:
        rows = [
            [f"{p.column}={p.level}", f"{p.rows:,}", number(r.champion), number(r.candidate), metric_difference(r)]
            for p, r in worst
        ]
        lines += ["", table([f"worst by {worst[0][1].name}", "rows", "champion", "candidate", "difference"], rows)]
    return "\n".join(lines)


def render_drift(drift: Drift) -> str:
    """All columns, most drifted first."""
    lines = [bold(f"{drift.current_rows:,} rows against {drift.reference_rows:,} of {drift.reference}"), ""]
    rows = [
        [c.name, c.state, number(c.js), number(c.psi), f"{c.missing_current:.1%}", f"{c.new_level_share:.1%}", c.reason]
        for c in drift.columns
    ]
    lines.append(table(["column", "state", "JS", "PSI", "missing", "new", "note"], rows))
    return "\n".join(lines)


def render_scan(model: str, found: Artifact) -> str:
    """What the artifact is, in one line."""
    speed = f", one row in at most {found.row_milliseconds:g} ms" if found.row_milliseconds else ""
    return f"{model}: {found.format or 'no known format'}, {found.bytes:,} bytes{speed}"
