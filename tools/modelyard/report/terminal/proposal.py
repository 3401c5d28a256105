"""The measurements and the verdict of a candidate, policy backtests and waivers as text."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.evidence.artifact import Artifact
from modelyard.gate.backtest import Backtest
from modelyard.gate.waivers import WaiverState
from modelyard.metrics.drift import Drift
from modelyard.metrics.evaluation import Evaluation
from modelyard.report.content import (
    Report,
    between,
    check_difference,
    drift_sentence,
    drift_word,
    evaluation_sentence,
    flips_sentence,
    metric_difference,
    number,
    outcome_word,
    share,
    signed,
    worst_slices,
)
from modelyard.report.terminal.layout import Layout, Paragraph, Part, Table
from modelyard.report.terminal.text import bold


def render_terminal(report: Report) -> Layout:
    """Headline, next step, checks (failures first), and the sentences of the checks that did not pass."""
    rows = [
        [outcome_word(check), check.id, number(check.champion), number(check.candidate), check_difference(check)]
        for check in report.checks
    ]
    table = Table(["outcome", "check", "champion", "candidate", "difference [95 %]"], rows)
    parts: list[Part] = [Paragraph(bold(report.headline)), Paragraph(report.next_step), "", table]
    for check in report.checks:
        if check.outcome != "pass":
            level = " (advisory)" if check.level == "advisory" else ""
            parts += ["", Paragraph(f"{bold(check.id)}{level}: {check.sentence}", "  ")]
            parts.append(Paragraph(f"  {check.why} ({check.file}:{check.line})", "  "))
    notes = [Paragraph(f"Note: {note}", "  ") for note in report.verdict.notes]
    parts += ["", *notes] if notes else []
    return Layout.of(*parts)


def render_backtest(backtest: Backtest) -> Layout:
    """The verdicts of a changed policy on past versions, then its changes; those that loosen a rule are marked."""
    rows = [
        [f"{one.model} {one.version}", one.before, one.after, "flips" if one.flips else "", ", ".join(one.because)]
        for one in backtest.versions
    ]
    parts: list[Part] = [Paragraph(f"{bold(backtest.policy)}: {backtest.sentence}"), ""]
    parts.append(Table(["version", "verdict then", "verdict now", "", "blocked by"], rows, shrink=("blocked by",)))
    changes = [
        Paragraph(f"  {'LOOSER' if change.loosens else 'change'}  {change.sentence}", "          ")
        for change in backtest.changes
    ]
    parts += ["", *changes] if changes else []
    return Layout.of(*parts)


def render_evaluation(model: str, evaluation: Evaluation) -> Layout:
    """All metrics and the worst slices."""
    rows = [
        [m.name, "↑" if m.higher_is_better else "↓", number(m.champion), number(m.candidate), metric_difference(m)]
        for m in evaluation.metrics
    ]
    parts: list[Part] = [Paragraph(bold(f"{model}: {evaluation_sentence(evaluation)}")), ""]
    parts.append(Table(["metric", "", "champion", "candidate", "difference [95 %]"], rows))
    if evaluation.flips:
        parts += ["", Paragraph(flips_sentence(evaluation.flips))]
    worst = worst_slices(evaluation.slices)
    if worst:
        name = f"worst by {worst[0][1].name}"
        rows = [
            [f"{p.column}={p.level}", f"{p.rows:,}", number(r.champion), number(r.candidate), metric_difference(r)]
            for p, r in worst
        ]
        parts += ["", Table([name, "rows", "champion", "candidate", "difference [95 %]"], rows, shrink=(name,))]
    return Layout.of(*parts)


def render_drift(drift: Drift) -> Layout:
    """All columns, alarms first, then by importance."""
    exact = any(c.exact for c in drift.columns)
    rows = [
        [c.name, drift_word(c), number(c.js), number(c.threshold),
         number(c.exact.ks if c.exact else None) if exact else number(c.psi),
         number(c.exact.wasserstein if c.exact else None) if exact else signed(c.consequence),
         share(c.importance), share(c.missing_current), share(c.new_level_share), c.reason]
        for c in drift.columns
    ]  # fmt: skip
    middle = ["KS", "W/σ"] if exact else ["PSI", "effect"]
    headings = ["column", "state", "JS", "limit", *middle, "importance", "missing", "new", "note"]
    parts: list[Part] = [Paragraph(bold(drift_sentence(drift))), ""]
    parts.append(Table(headings, rows, shrink=("note",)))
    moved = [part for part in drift.slices if part.alarm][:10]
    if moved:
        rows = [[f"{part.column}={part.level}", f"{part.rows:,}", part.name, number(part.js)] for part in moved]
        parts += ["", Table(["slice", "rows", "column", "JS"], rows, shrink=("slice",))]
    if drift.domain:
        domain = drift.domain
        interval = f" {between(domain.interval)}" if domain.interval else ""
        said = f"A classifier separates current rows from reference rows with AUC {number(domain.auc)}{interval}"
        said += " (0.5 means not at all)"
        said += f". Its strongest columns are {', '.join(domain.strongest)}." if domain.strongest else "."
        parts += ["", Paragraph(said)]
    if drift.estimate:
        rows = [[m.name, number(m.value), between(m.interval)] for m in drift.estimate.metrics]
        parts += [
            "",
            Table(["estimated without labels", "value", "[95 %]"], rows),
            Paragraph(drift.estimate.assumption),
        ]
    return Layout.of(*parts)


def render_scan(model: str, found: Artifact) -> Layout:
    """Format, size and speed of the artifact in one line."""
    speed = f", one row in at most {found.row_milliseconds:g} ms" if found.row_milliseconds else ""
    return Layout.of(f"{model}: {found.format or 'unknown format'}, {found.bytes:,} bytes{speed}")


def render_waivers(states: Sequence[WaiverState]) -> Layout:
    """Every waiver: its check, last day, reason, people and artifact."""
    if not states:
        return Layout.of("There is no waiver.")
    parts: list[Part] = []
    for state in states:
        left = "expired" if state.expired else f"{state.days_left} days left"
        parts.append(bold(f"{state.file}: {state.check} of {state.model} until {state.expires} ({left})"))
        approved = f", approved by {state.approved_by}" if state.approved_by else ""
        parts.append(Paragraph(f"    {state.reason} (requested by {state.requested_by}{approved})", "    "))
        parts.append(f"    only for sha256 {state.artifact[:16]}")
    return Layout.of(*parts)
