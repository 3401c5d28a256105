"""Passages of HTML that the report of a proposal and that of a window of production share."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from modelyard.evidence.verdict import CheckResult
from modelyard.metrics.drift import ColumnDrift, Drift
from modelyard.report.content import check_difference, drift_word, number, share, signed
from modelyard.report.page import html_table
from modelyard.report.svg import distribution_plot


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


def _slices(found: Drift) -> list[str]:
    rows = [[f"{s.column} = {s.level}", f"{s.rows:,}", s.name, number(s.js)] for s in found.slices if s.alarm]
    return ["<p>Inside slices:</p>", html_table(["slice", "rows", "column", "JS distance"], rows)] if rows else []


def _exact(column: ColumnDrift) -> tuple[str, str]:
    found = column.exact
    return number(found.ks if found else None), number(found.wasserstein if found else None)


def _tone(check: CheckResult) -> str:
    return "waived" if check.level == "advisory" else check.outcome
