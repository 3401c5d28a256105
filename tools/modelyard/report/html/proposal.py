"""The full report on a candidate as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelyard.evidence.training import NOT_APPLICABLE
from modelyard.evidence.verdict import CheckResult
from modelyard.gate.backtest import Backtest
from modelyard.metrics.curves import Calibration
from modelyard.metrics.drift import ColumnDrift, Drift
from modelyard.metrics.evaluation import Evaluation
from modelyard.metrics.fairness import GroupFairness
from modelyard.metrics.flips import Flips
from modelyard.metrics.folds import Stability
from modelyard.report.content import (
    EFFECT,
    Report,
    between,
    change_of,
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
from modelyard.report.html.custom import custom_view
from modelyard.report.html.figure import Figure
from modelyard.report.html.page import Table, render
from modelyard.report.html.pictures import (
    CAPTION,
    distribution_plot,
    interval_plot,
    interval_rows,
    reliability_plot,
)


def render_html(report: Report) -> str:
    """The page. Every number in it stands in the evidence."""
    verdict, evaluation = report.verdict, report.bundle.evaluation
    numbering = report.numbering
    return render(
        "proposal.html.j2",
        title=f"{report.bundle.model}: {verdict.outcome}",
        outcome=verdict.outcome,
        headline=report.plain_headline,
        next_step=report.next_step,
        numbering=f"{numbering.version} because of {'; '.join(numbering.reasons)}" if numbering else "",
        notes=verdict.notes,
        policy=verdict.policy,
        commit=report.commit[:12],
        artifact=report.bundle.artifact[:16],
        checks=checks(report.checks, "champion", "candidate"),
        backtest=_backtest(report.backtest) if report.backtest else None,
        custom=custom_view(report),
        evaluation=_evaluation(evaluation) if evaluation else None,
        flips=_flips(evaluation.flips) if evaluation and evaluation.flips else None,
        stability=_stability(evaluation.stability) if evaluation and evaluation.stability else None,
        slices=_slices(evaluation) if evaluation else None,
        fairness=[_groups(found) for found in evaluation.fairness] if evaluation else [],
        drift=drift(report.bundle.drift) if report.bundle.drift else None,
        lineage=_lineage(report),
        commands=report.reproduce(),
    )


def checks(results: Sequence[CheckResult], before: str, after: str) -> dict[str, Any]:
    """A table with a row per check, and the checks that did not pass. ``before`` and ``after`` are headings."""
    rows = [
        [outcome_word(check), check.id, check.level, number(check.champion), number(check.candidate),
         check.limit, check_difference(check), f"{check.file}:{check.line}"]
        for check in results
    ]  # fmt: skip
    headings = ["outcome", "check", "level", before, after, "limit", "difference [95 %]", "rule"]
    return {"table": Table(headings, rows), "not_passed": [check for check in results if check.outcome != "pass"]}


def drift(found: Drift) -> dict[str, Any]:
    """A table of all columns, the distributions of the first nine, and the slices that drifted."""
    exact = any(c.exact for c in found.columns)
    rows = [
        [c.name, drift_word(c), number(c.js), number(c.threshold), number(c.psi), *(_exact(c) if exact else ()),
         signed(c.shift), share(c.importance), signed(c.consequence),
         f"{share(c.missing_reference)} → {share(c.missing_current)}", share(c.new_level_share), c.reason]
        for c in found.columns
    ]  # fmt: skip
    headings = ["column", "state", "JS distance", "limit", "PSI", *(("KS", "Wasserstein / σ") if exact else ()),
                "mean shift / σ", "importance", "effect", "missing", "new levels", "note"]  # fmt: skip
    figures = [
        distribution_plot([(b.name, b.reference, b.current) for b in c.bins],
                          f"{c.name}: JS distance {number(c.js)} (grey: {found.reference}, blue: current)")
        for c in found.columns[:9] if c.bins
    ]  # fmt: skip
    alarms = [[f"{s.column} = {s.level}", f"{s.rows:,}", s.name, number(s.js)] for s in found.slices if s.alarm]
    return {
        "sentence": drift_sentence(found),
        "figures": figures,
        "columns": Table(headings, rows),
        "effect": EFFECT,
        "slices": Table(["slice", "rows", "column", "JS distance"], alarms) if alarms else None,
    }


def _backtest(backtest: Backtest) -> dict[str, Any]:
    rows = [
        [f"{one.model} {one.version}", one.before, one.after, "flips" if one.flips else "", ", ".join(one.because)]
        for one in backtest.versions
    ]
    changes = [["looser" if change.loosens else "", change.sentence] for change in backtest.changes]
    return {
        "sentence": backtest.sentence,
        "versions": Table(["version", "verdict then", "by the proposed policy", "", "blocked by"], rows),
        "changes": Table(["", "change"], changes) if changes else None,
    }


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    rows = [
        [m.name, "higher" if m.higher_is_better else "lower", number(m.champion), number(m.candidate),
         metric_difference(m), m.method]
        for m in evaluation.metrics
    ]  # fmt: skip
    compared = interval_plot(interval_rows(evaluation.metrics), CAPTION) if evaluation.champion else None
    return {
        "sentence": evaluation_sentence(evaluation),
        "metrics": Table(["metric", "better", "champion", "candidate", "difference [95 %]", "interval method"], rows),
        "figures": [figure for figure in (compared, _reliability(evaluation)) if figure],
        "calibration": _calibration(evaluation),
    }


def _reliability(evaluation: Evaluation) -> Figure | None:
    if evaluation.calibration is None:
        return None
    series = [("candidate", "after", evaluation.calibration)]
    if evaluation.champion_calibration:
        series.insert(0, ("champion", "before", evaluation.champion_calibration))
    lines = [(n, tone, [(b.mean_prediction, b.observed_rate) for b in c.bins]) for n, tone, c in series]
    return reliability_plot(lines, "Calibration: observed rate by mean prediction, in bins of equal size")


def _calibration(evaluation: Evaluation) -> Table | None:
    rows = [
        [who, number(c.expected_error), between(c.interval), number(c.mean_prediction), number(c.base_rate),
         *(number(part) for part in _brier(c))]
        for who, c in (("champion", evaluation.champion_calibration), ("candidate", evaluation.calibration)) if c
    ]  # fmt: skip
    headings = ["", "calibration error", "[95 %]", "mean prediction", "base rate", "reliability", "resolution",
                "uncertainty"]  # fmt: skip
    return Table(headings, rows) if rows else None


def _brier(found: Calibration) -> tuple[float | None, ...]:
    parts = found.brier
    return (parts.reliability, parts.resolution, parts.uncertainty) if parts else (None, None, None)


def _flips(flips: Flips) -> dict[str, Any]:
    slices = [
        [f"{s.column} = {s.level}", f"{s.rows:,}", f"{s.to_positive:,}", f"{s.to_negative:,}"] for s in flips.slices
    ]
    rows = [[row.id, f"{row.label:g}", number(row.champion), number(row.candidate),
             ", ".join(f"{d.input} {signed(d.change)}" for d in row.drivers)] for row in flips.rows]  # fmt: skip
    return {
        "sentence": flips_sentence(flips),
        "slices": Table(["slice", "rows", "to positive", "to negative"], slices) if slices else None,
        "rows": Table(["row", "label", "champion", "candidate", "moved by (raw score)"], rows) if rows else None,
    }


def _stability(found: Stability) -> Table:
    rows = [[m.name, number(m.mean), number(m.deviation), *(number(v) for v in m.values)] for m in found.metrics]
    if found.trained_rows:
        rows.insert(0, ["training rows", "", "", *(f"{n:,}" for n in found.trained_rows)])
    return Table(["metric", "mean", "deviation", *found.folds], rows)


def _slices(evaluation: Evaluation) -> dict[str, Any] | None:
    worst = worst_slices(evaluation.slices, 20)
    if not worst:
        return None
    figure, table = None, None
    if evaluation.champion:
        names = [f"{part.column} = {part.level}" for part, _ in worst]
        caption = "Candidate − champion by slice; the intervals hold for all slices together"
        figure = interval_plot(interval_rows([result for _, result in worst], names), caption)
    else:
        rows = [[f"{p.column} = {p.level}", f"{p.rows:,}", number(r.candidate)] for p, r in worst]
        table = Table(["slice", "rows", "candidate"], rows)
    return {"metric": worst[0][1].name, "figure": figure, "table": table}


def _groups(fairness: GroupFairness) -> dict[str, Any]:
    rates = [[g.level, f"{g.rows:,}", number(g.selection_rate), number(g.true_positive_rate),
              number(g.false_positive_rate)] for g in fairness.groups]  # fmt: skip
    gaps = [[g.measure.replace("_", " "), number(g.champion), number(g.candidate), between(g.interval),
             change_of(g)] for g in fairness.gaps]  # fmt: skip
    return {
        "column": fairness.column,
        "rates": Table(["group", "rows", "selection rate", "true positive rate", "false positive rate"], rates),
        "gaps": Table(["gap", "champion", "candidate", "[95 %]", "change [95 %]"], gaps),
    }


def _lineage(report: Report) -> Table | None:
    training = report.bundle.training
    if training is None:
        return None
    rows = [["training", "not applicable", NOT_APPLICABLE]] if training.elsewhere else []
    rows += [[entry.path, "data", entry.md5] for entry in training.inputs]
    rows += [[str(name), "package", version] for name, version in training.packages.items()]
    rows.append(["dvc.lock", "lock", training.lock_sha256[:32]])
    rows.append([report.bundle.model, "artifact", f"{report.bundle.artifact[:32]} ({training.artifact_bytes:,} bytes)"])
    return Table(["what", "kind", "version or digest"], rows)


def _exact(column: ColumnDrift) -> tuple[str, str]:
    found = column.exact
    return number(found.ks if found else None), number(found.wasserstein if found else None)
