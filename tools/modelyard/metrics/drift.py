"""Data drift: current data compared with a reference, column by column.

An alarm needs four things: an effect above the margin and above that of windows of this size inside the reference;
significance after Benjamini–Hochberg over all columns; enough rows; and a column that the model uses. A fixed threshold
alone gives false alarms on small windows, and a p-value alone gives them on large ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from modelyard.metrics.distances import chi_square_p, hellinger, js_distance, psi, total_variation
from modelyard.metrics.estimate import Estimate
from modelyard.metrics.intervals import Interval
from modelyard.metrics.profile import ColumnProfile, Profile, Role
from modelyard.metrics.scores import Floats
from modelyard.metrics.slices import SliceDrift
from modelyard.metrics.thresholds import threshold_at

EFFECT_MARGIN = 0.1
"""Jensen–Shannon distance (natural logarithm, 0 to 0.83) above which a difference matters."""

FALSE_DISCOVERY_RATE = 0.05
MINIMUM_ROWS = 200
_SLICES = 50
MINIMUM_IMPORTANCE = 0.005
"""Share of gain below which drift of an input raises no alarm."""

State = Literal["stable", "drifted", "insufficient"]


@dataclass(frozen=True)
class DriftBin:
    """Share of the reference and of the current rows in one bin."""

    name: str
    reference: float
    current: float


@dataclass(frozen=True)
class Exact:
    """Statistics of all values of a numeric column in both tables."""

    ks: float
    ks_p: float
    wasserstein: float
    """In standard deviations of the reference."""


@dataclass(frozen=True)
class ColumnDrift:
    """The drift of one column. ``state`` follows from fixed margins; only policies judge."""

    name: str
    type: str
    state: State
    role: Role
    alarm: bool
    """Whether it drifted, and the model uses it."""
    js: float | None
    """Jensen–Shannon distance over the bins, nulls and new levels included."""
    threshold: float | None
    """The threshold of ``js`` for this number of rows."""
    psi: float | None
    """Population stability index over the same bins, with half a row added to each."""
    hellinger: float | None
    total_variation: float | None
    p_value: float | None
    """p-value of the two-sample chi-square test."""
    significant: bool
    exact: Exact | None
    """None in profile mode."""
    shift: float | None
    """Current mean − reference mean, in standard deviations of the reference."""
    importance: float | None
    consequence: float | None
    """The change of the mean prediction if only this column had changed."""
    missing_reference: float
    missing_current: float
    new_level_share: float
    out_of_range_share: float
    """Rows below the reference's smallest or above its largest value."""
    bins: tuple[DriftBin, ...]
    reason: str = ""


@dataclass(frozen=True)
class DomainShift:
    """A cross-fitted classifier of current against reference rows; an AUC of 0.5 means that it cannot separate them."""

    auc: float
    interval: Interval | None
    rows: int
    strongest: tuple[str, ...]


@dataclass(frozen=True)
class Drift:
    """All columns: alarms first, then by importance and effect."""

    reference: str
    """The origin of the reference, such as a version."""
    reference_rows: int
    current_rows: int
    columns: tuple[ColumnDrift, ...]
    estimate: Estimate | None = None
    domain: DomainShift | None = None
    slices: tuple[SliceDrift, ...] = ()
    """Columns inside slices, alarms first, at most 50. Empty unless every value of both tables was compared."""


def measure_drift(
    reference: Profile,
    current: Profile,
    reference_name: str,
    exact: Mapping[str, Exact] | None = None,
    faults: Mapping[str, str] | None = None,
    no_alarm: Mapping[str, str] | None = None,
    slices: Sequence[SliceDrift] = (),
) -> Drift:
    """The drift of a profile that was made in the reference's bins.

    ``faults`` has the reason that a column is missing, ``no_alarm`` the reason that its drift is expected.
    ``slices`` are judged together with the columns: one false discovery rate covers them all.
    """
    compared = [
        _column(column, current.column(column.name), (exact or {}).get(column.name), (faults or {}).get(column.name))
        for column in reference.columns
    ]
    p_values = [column.p_value for column in compared] + [part.p_value for part in slices]
    significant = benjamini_hochberg(p_values, FALSE_DISCOVERY_RATE)
    expected = no_alarm or {}
    columns = [_judged(c, found, expected.get(c.name, "")) for c, found in zip(compared, significant, strict=False)]
    columns.sort(key=lambda c: (not c.alarm, c.state != "drifted", -(c.importance or 0), -(c.js or 0), c.name))
    parts = [
        _judged_slice(part, found, reference) for part, found in zip(slices, significant[len(compared) :], strict=True)
    ]
    parts.sort(key=lambda part: (not part.alarm, -part.js, part.column, part.level, part.name))
    return Drift(reference_name, reference.rows, current.rows, tuple(columns), slices=tuple(parts[:_SLICES]))


def benjamini_hochberg(p_values: list[float | None], rate: float) -> list[bool]:
    """Whether each hypothesis is rejected at a false discovery rate (Benjamini & Hochberg 1995); None never is."""
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    cut = max((p for k, (p, _) in enumerate(known, start=1) if p <= rate * k / len(known)), default=-1.0)
    return [p is not None and p <= cut for p in p_values]


def _judged_slice(part: SliceDrift, significant: bool, reference: Profile) -> SliceDrift:
    column = reference.column(part.name)
    bins = len(column.bins()[0]) if column else 2
    chance = threshold_at(column.thresholds if column else (), part.rows, part.reference_rows, bins)
    used = column is None or column.importance is None or column.importance >= MINIMUM_IMPORTANCE
    return replace(part, alarm=significant and used and part.js >= max(EFFECT_MARGIN, chance))


def _judged(column: ColumnDrift, significant: bool, expected: str) -> ColumnDrift:
    if column.state == "insufficient" or column.js is None or column.threshold is None:
        return replace(column, significant=significant)
    drifted = significant and column.js >= column.threshold
    used = column.importance is None or column.importance >= MINIMUM_IMPORTANCE
    reason = column.reason
    if drifted and (expected or not used):
        reason, used = expected or "the model hardly uses it", False
    return replace(
        column, state="drifted" if drifted else "stable", significant=significant, alarm=drifted and used, reason=reason
    )


def _column(
    reference: ColumnProfile, current: ColumnProfile | None, exact: Exact | None, fault: str | None
) -> ColumnDrift:
    if current is None:
        return _unmeasured(reference, fault or "the column is missing from the current data")
    names, before, after = _counts(reference, current)
    bins = tuple(
        DriftBin(name, _share(b, reference.rows), _share(a, current.rows))
        for name, b, a in zip(names, before, after, strict=True)
        if a or b
    )
    seen = np.array([bool(a or b) for a, b in zip(after, before, strict=True)])
    thin = _unmeasured(reference, "", current, bins)
    rows = min(reference.rows, current.rows)
    if rows < MINIMUM_ROWS:
        return replace(thin, reason=f"{rows} rows; {MINIMUM_ROWS} are needed")
    if not reference.rows - reference.nulls and not current.rows - current.nulls:
        return replace(thin, reason="no values on either side")
    b, a = np.asarray(before, dtype=np.float64)[seen], np.asarray(after, dtype=np.float64)[seen]
    threshold = max(EFFECT_MARGIN, threshold_at(reference.thresholds, current.rows, reference.rows, b.size))
    return replace(
        thin,
        state="stable",
        js=js_distance(b, a),
        threshold=threshold,
        psi=psi(b, a),
        hellinger=hellinger(b, a),
        total_variation=total_variation(b, a),
        p_value=chi_square_p(b, a),
        exact=exact,
        shift=_shift(reference, current),
        consequence=_consequence(reference, before, after),
    )


def _unmeasured(
    reference: ColumnProfile,
    reason: str,
    current: ColumnProfile | None = None,
    bins: tuple[DriftBin, ...] = (),
) -> ColumnDrift:
    levels = current.levels if current else None
    outside = (
        current.numeric.counts[0] + current.numeric.counts[-1]
        if current and current.numeric and current.numeric.edges
        else 0
    )
    return ColumnDrift(
        name=reference.name,
        type=reference.type,
        state="insufficient",
        role=reference.role,
        alarm=False,
        js=None,
        threshold=None,
        psi=None,
        hellinger=None,
        total_variation=None,
        p_value=None,
        significant=False,
        exact=None,
        shift=None,
        importance=reference.importance,
        consequence=None,
        missing_reference=_share(reference.nulls, reference.rows),
        missing_current=_share(current.nulls, current.rows) if current else 0.0,
        new_level_share=_share(levels.new, current.rows) if levels and current else 0.0,
        out_of_range_share=_share(outside, current.rows) if current else 0.0,
        bins=bins,
        reason=reason,
    )


def _counts(reference: ColumnProfile, current: ColumnProfile) -> tuple[list[str], list[int], list[int]]:
    names, before = reference.bins()
    _, after = current.bins()
    if len(after) != len(before):  # a column that changed its kind has no common bins
        return ["(as before)", "(another kind)"], [reference.rows, 0], [0, current.rows]
    return names, before, after


def _shift(reference: ColumnProfile, current: ColumnProfile) -> float | None:
    if not (reference.moments and current.moments):
        return None
    before, after = reference.moments.mean(reference.finite), current.moments.mean(current.finite)
    spread = reference.moments.deviation(reference.finite)
    return (after - before) / spread if before is not None and after is not None and spread else None


def _consequence(reference: ColumnProfile, before: list[int], after: list[int]) -> float | None:
    """Σ over bins of (share now − share before) · mean prediction in the bin, or the overall mean without a score."""
    if len(reference.scores) != len(before):
        return None
    p = np.asarray(before, dtype=np.float64) / max(sum(before), 1)
    q = np.asarray(after, dtype=np.float64) / max(sum(after), 1)
    scores: Floats = np.array([np.nan if s is None else s for s in reference.scores])
    known = np.isfinite(scores)
    if not known.any() or not p[known].sum():
        return None
    middle = float(scores[known] @ p[known] / p[known].sum())
    return float((q - p) @ np.where(known, scores, middle))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
