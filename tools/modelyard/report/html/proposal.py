"""The full report as one HTML file that opens offline: tables by Great Tables, pictures as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from modelyard.evidence.verdict import CheckResult
from modelyard.metrics.curves import Calibration
from modelyard.metrics.drift import ColumnDrift, Drift
from modelyard.metrics.evaluation import Evaluation
from modelyard.report.content import (
    Report,
    between,
    change_of,
    check_difference,
    drift_word,
    flips_sentence,
    metric_difference,
    number,
    share,
    signed,
    worst_slices,
)
from modelyard.report.html.page import html_table, page
from modelyard.report.html.pictures import (
    CAPTION,
    distribution_plot,
    interval_plot,
    interval_rows,
    reliability_plot,
)


def render_html(report: Report) -> str:
    """One page. Every number in it stands in the evidence."""
    verdict = report.verdict
    notes = "".join(f"<p>⚠️ {escape(note)}</p>" for note in verdict.notes)
    parts = [
        f'<div class="banner {verdict.outcome}"><h1>{escape(report.plain_headline)}</h1>'
        f"<p>{escape(report.next_step)}</p>{_numbering(report)}{notes}",
        f'<p class="soft">policy {escape(verdict.policy)} · commit {escape(report.commit[:12])}'
        f" · artifact sha256 {escape(report.bundle.artifact[:16])}</p></div>",
        *checks(report.checks, "champion", "candidate"),
        *_backtest(report),
        *_evaluation(report),
        *(drift(report.bundle.drift) if report.bundle.drift else ()),
        *_lineage(report),
        "<h2>How to reproduce</h2><pre>" + escape("\n".join(report.reproduce())) + "</pre>",
    ]
    return page(f"{report.bundle.model}: {verdict.outcome}", parts)


def checks(results: Sequence[CheckResult], before: str, after: str) -> list[str]:
    """A row a check, then why those that did not pass did not; ``before`` and ``after`` head what was compared."""
    rows = [
        [check.outcome, check.id, check.level, number(check.champion), number(check.candidate),
         check_difference(check), f"{check.file}:{check.line}"]
        for check in results
    ]  # fmt: skip
    headings = ["outcome", "check", "level", before, after, "difference [95 %]", "rule"]
    reasons = [
        f'<div class="why {_tone(check)}"><b>{escape(check.outcome)}</b> {escape(check.id)}'
        f"{' (advisory)' if check.level == 'advisory' else ''}: {escape(check.sentence)}"
        f' <span class="soft">{escape(check.why)}</span></div>'
        for check in results
        if check.outcome != "pass"
    ]
    return ["<h2>Checks</h2>", html_table(headings, rows), *reasons]


def drift(found: Drift) -> list[str]:
    """Every column with its distances, the first nine as pictures."""
    exact = any(c.exact for c in found.columns)
    rows = [
        [c.name, drift_word(c), number(c.js), number(c.threshold), number(c.psi), *(_exact(c) if exact else ()),
         signed(c.shift), share(c.importance), signed(c.consequence),
         f"{c.missing_reference:.1%} → {c.missing_current:.1%}", f"{c.new_level_share:.1%}", c.reason]
        for c in found.columns
    ]  # fmt: skip
    headings = ["column", "state", "JS distance", "alarm above", "PSI", *(("KS", "Wasserstein / σ") if exact else ()),
                "mean shift / σ", "importance", "consequence", "missing", "new levels", "note"]  # fmt: skip
    figures = [
        distribution_plot([(b.name, b.reference, b.current) for b in c.bins],
                          f"{c.name}: JS {number(c.js)}, grey {found.reference}, blue current")
        for c in found.columns[:9] if c.bins
    ]  # fmt: skip
    said = f"{found.current_rows:,} rows against {found.reference_rows:,} of {found.reference}."
    return [
        "<h2>Drift</h2>",
        f"<p>{escape(said)}</p>",
        f'<div class="figures">{"".join(figures)}</div>',
        html_table(headings, rows),
        *_slices(found),
        '<p class="soft">Consequence: by how much the mean prediction would move, were this the only change.</p>',
    ]


def _numbering(report: Report) -> str:
    if report.numbering is None:
        return ""
    said = f"{report.numbering.version} because of {'; '.join(report.numbering.reasons)}"
    return f'<p class="soft">{escape(said)}</p>'


def _backtest(report: Report) -> list[str]:
    backtest = report.backtest
    if backtest is None:
        return []
    rows = [
        [f"{one.model} {one.version}", one.before, one.after, "flips" if one.flips else "", ", ".join(one.because)]
        for one in backtest.versions
    ]
    changes = [["looser" if change.loosens else "", change.sentence] for change in backtest.changes]
    return [
        "<h2>The proposed policy on past versions</h2>",
        f"<p>{escape(backtest.sentence)}</p>",
        html_table(["version", "then", "by the proposed policy", "flips", "because of"], rows),
        html_table(["", "what it changes"], changes) if changes else "",
    ]


def _evaluation(report: Report) -> list[str]:
    evaluation = report.bundle.evaluation
    if evaluation is None:
        return []
    against = f"against {evaluation.champion}" if evaluation.champion else "a first version, without a champion"
    rows = [
        [m.name, "higher" if m.higher_is_better else "lower", number(m.champion), number(m.candidate),
         metric_difference(m), m.method]
        for m in evaluation.metrics
    ]  # fmt: skip
    parts = [
        "<h2>Evaluation</h2>",
        f"<p>{evaluation.rows:,} held-out rows, {escape(against)}.</p>",
        html_table(["metric", "better", "champion", "candidate", "difference [95 %]", "interval by"], rows),
    ]
    figures = []
    if evaluation.champion:
        figures.append(interval_plot(interval_rows(evaluation.metrics), CAPTION))
    if evaluation.calibration:
        series = [("candidate", "after", evaluation.calibration)]
        if evaluation.champion_calibration:
            series.insert(0, ("champion", "before", evaluation.champion_calibration))
        lines = [(n, tone, [(b.mean_prediction, b.observed_rate) for b in c.bins]) for n, tone, c in series]
        figures.append(reliability_plot(lines, "Observed rate over mean prediction, bins of equal size"))
    parts.append(f'<div class="figures">{"".join(figures)}</div>')
    parts += [*_calibration(evaluation), *_flips(evaluation), *_stability(evaluation)]
    worst = worst_slices(evaluation.slices, 20)
    if worst:
        name = worst[0][1].name
        parts.append(f"<h2>Slices by {escape(name)}</h2>")
        if evaluation.champion:
            names = [f"{part.column} = {part.level}" for part, _ in worst]
            caption = "Candidate − champion by slice; intervals hold for all slices at once"
            parts.append(interval_plot(interval_rows([result for _, result in worst], names), caption))
        else:
            rows = [[f"{p.column} = {p.level}", f"{p.rows:,}", number(r.candidate)] for p, r in worst]
            parts.append(html_table(["slice", "rows", "candidate"], rows))
    for fairness in evaluation.fairness:
        rows = [[g.level, f"{g.rows:,}", number(g.selection_rate), number(g.true_positive_rate),
                 number(g.false_positive_rate)] for g in fairness.groups]  # fmt: skip
        parts += [f"<h2>Groups of {escape(fairness.column)}</h2>"]
        parts.append(html_table(["group", "rows", "selection rate", "true positive rate", "false positive rate"], rows))
        gaps = [[g.measure.replace("_", " "), number(g.champion), number(g.candidate), between(g.interval),
                 change_of(g)] for g in fairness.gaps]  # fmt: skip
        parts.append(html_table(["gap", "champion", "candidate", "95 %", "change [95 %]"], gaps))
    return parts


def _calibration(evaluation: Evaluation) -> list[str]:
    rows = [
        [who, number(c.expected_error), between(c.interval), number(c.mean_prediction), number(c.base_rate),
         *(number(part) for part in _brier(c))]
        for who, c in (("champion", evaluation.champion_calibration), ("candidate", evaluation.calibration)) if c
    ]  # fmt: skip
    headings = ["", "calibration error", "95 %", "mean prediction", "base rate", "reliability", "resolution",
                "uncertainty"]  # fmt: skip
    return [html_table(headings, rows)] if rows else []


def _brier(found: Calibration) -> tuple[float | None, ...]:
    parts = found.brier
    return (parts.reliability, parts.resolution, parts.uncertainty) if parts else (None, None, None)


def _flips(evaluation: Evaluation) -> list[str]:
    flips = evaluation.flips
    if flips is None:
        return []
    parts = ["<h2>Decisions that flip</h2>", f"<p>{escape(flips_sentence(flips))}</p>"]
    rows = [
        [f"{s.column} = {s.level}", f"{s.rows:,}", f"{s.to_positive:,}", f"{s.to_negative:,}"] for s in flips.slices
    ]
    parts += [html_table(["slice", "rows", "to positive", "to negative"], rows)] if rows else []
    rows = [[row.id, f"{row.label:g}", number(row.champion), number(row.candidate),
             ", ".join(f"{d.input} {signed(d.change)}" for d in row.drivers)] for row in flips.rows]  # fmt: skip
    parts += [html_table(["row", "outcome", "champion", "candidate", "moved by (raw score)"], rows)] if rows else []
    return parts


def _stability(evaluation: Evaluation) -> list[str]:
    found = evaluation.stability
    if found is None:
        return []
    rows = [[m.name, number(m.mean), number(m.deviation), *(number(v) for v in m.values)] for m in found.metrics]
    if found.trained_rows:
        rows.insert(0, ["training rows", "", "", *(f"{n:,}" for n in found.trained_rows)])
    return ["<h2>Cross-validation</h2>", html_table(["metric", "mean", "deviation", *found.folds], rows)]


def _lineage(report: Report) -> list[str]:
    training = report.bundle.training
    if training is None:
        return []
    rows = [[entry.path, "data", entry.md5] for entry in training.inputs]
    rows += [[str(name), "package", version] for name, version in training.packages.items()]
    rows.append(["dvc.lock", "lock", training.lock_sha256[:32]])
    rows.append([report.bundle.model, "artifact", f"{report.bundle.artifact[:32]} ({training.artifact_bytes:,} bytes)"])
    return ["<h2>Lineage</h2>", html_table(["what", "kind", "version or digest"], rows)]


def _slices(found: Drift) -> list[str]:
    rows = [[f"{s.column} = {s.level}", f"{s.rows:,}", s.name, number(s.js)] for s in found.slices if s.alarm]
    return ["<p>Inside slices:</p>", html_table(["slice", "rows", "column", "JS distance"], rows)] if rows else []


def _exact(column: ColumnDrift) -> tuple[str, str]:
    found = column.exact
    return number(found.ks if found else None), number(found.wasserstein if found else None)


def _tone(check: CheckResult) -> str:
    return "waived" if check.level == "advisory" else check.outcome
