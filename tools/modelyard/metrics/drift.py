"""Data drift: current data compared with a reference, column by column.

An alarm needs an effect above the margin, significance after Benjamini–Hochberg over all columns, enough rows, and a
column that the model uses. Significant is what neither the chance of so many rows nor the time of so long a window
explains. A fixed threshold alone alarms falsely on small windows; a p-value alone alarms on large ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from modelyard.metrics.distances import chi_square_p, hellinger, psi, total_variation, unbiased_js
from modelyard.metrics.estimate import Estimate
from modelyard.metrics.intervals import Interval
from modelyard.metrics.profile import ColumnProfile, Profile, Role, WindowSpread
from modelyard.metrics.scores import Floats
from modelyard.metrics.slices import SliceDrift
from modelyard.metrics.spreads import RARE, blocks_of, needed_js, rare_p, window_p

EFFECT_MARGIN = 0.07
"""Jensen–Shannon distance (natural logarithm, 0 to 0.83) above which a difference matters: a mean moved by a fifth of a
standard deviation, a variance by a third, or missing values from 1 to 4 %."""

RARE_MARGIN = 0.1
"""The same for rows in bins that the reference hardly ever has: 3 % of them where there were none."""
FALSE_DISCOVERY_RATE = 0.05
MINIMUM_ROWS = 200
_SLICES = 50
MINIMUM_IMPORTANCE = 0.005
"""Share of gain below which drift of an input is information and no alarm; with more than 20 inputs, a tenth of the
share that each of them would have if all were equal.
"""

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
    """Jensen–Shannon distance over the bins, nulls and new levels included, less what chance adds."""
    threshold: float | None
    """What ``js`` had to exceed: the margin, or what one in a hundred windows of these rows and this length exceeds."""
    psi: float | None
    """Population stability index over the same bins, with half a row added to each."""
    hellinger: float | None
    total_variation: float | None
    p_value: float | None
    """Of two-sample chi-square or of the window's time, whichever is larger."""
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
    blocks: float | None = None,
) -> Drift:
    """The drift of a profile that was made in the reference's bins.

    ``faults`` says why a column is not in the current one, ``no_alarm`` why drift of a column is to be expected.
    ``slices`` are judged together with the columns: one false discovery rate covers them all. ``blocks`` is the current
    data's length in blocks of time (days); where it is unknown, their rows say it.
    """
    compared = [
        _column(
            column, current.column(column.name), (exact or {}).get(column.name), (faults or {}).get(column.name), blocks
        )
        for column in reference.columns
    ]
    least = min(MINIMUM_IMPORTANCE, 0.1 / max(sum(column.role == "input" for column in reference.columns), 1))
    slices = [_timed_slice(part, reference, current, blocks) for part in slices]
    p_values = [column.p_value for column in compared] + [part.p_value for part in slices]
    significant = benjamini_hochberg(p_values, FALSE_DISCOVERY_RATE)
    expected = no_alarm or {}
    columns = [
        _judged(c, found, expected.get(c.name, ""), least) for c, found in zip(compared, significant, strict=False)
    ]
    columns.sort(key=lambda c: (not c.alarm, c.state != "drifted", -(c.importance or 0), -(c.js or 0), c.name))
    parts = [
        _judged_slice(part, found, reference, least)
        for part, found in zip(slices, significant[len(compared) :], strict=True)
    ]
    parts.sort(key=lambda part: (not part.alarm, -part.js, part.column, part.level, part.name))
    return Drift(reference_name, reference.rows, current.rows, tuple(columns), slices=tuple(parts[:_SLICES]))


def benjamini_hochberg(p_values: list[float | None], rate: float) -> list[bool]:
    """Whether each hypothesis is rejected at a false discovery rate (Benjamini & Hochberg 1995); None never is."""
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    cut = max((p for k, (p, _) in enumerate(known, start=1) if p <= rate * k / len(known)), default=-1.0)
    return [p is not None and p <= cut for p in p_values]


def _timed_slice(part: SliceDrift, reference: Profile, current: Profile, blocks: float | None) -> SliceDrift:
    """The slice with a p-value that knows the window's time, which moves a column inside slices as it does outside."""
    column = reference.column(part.name)
    if column is None or not column.spreads:
        return part
    length = blocks if blocks is not None else blocks_of(current.rows, column.rows, column.spreads)
    bins = np.unique(column.comparable()).size
    p = window_p(part.js, (part.rows, part.reference_rows), bins, column.spreads, length)
    return replace(part, p_value=max(part.p_value, p))


def _judged_slice(part: SliceDrift, significant: bool, reference: Profile, least: float) -> SliceDrift:
    column = reference.column(part.name)
    used = column is None or column.importance is None or column.importance >= least
    return replace(part, alarm=significant and used and part.js >= EFFECT_MARGIN)


def _judged(column: ColumnDrift, significant: bool, expected: str, least: float) -> ColumnDrift:
    if column.state == "insufficient" or column.js is None or column.threshold is None:
        return replace(column, significant=significant)
    drifted = significant and column.js >= EFFECT_MARGIN
    used = column.importance is None or column.importance >= least
    reason = column.reason
    if drifted and (expected or not used):
        reason, used = expected or "the model hardly uses it", False
    return replace(
        column, state="drifted" if drifted else "stable", significant=significant, alarm=drifted and used, reason=reason
    )


def _column(
    reference: ColumnProfile,
    current: ColumnProfile | None,
    exact: Exact | None,
    fault: str | None,
    blocks: float | None,
) -> ColumnDrift:
    if current is None:
        return _unmeasured(reference, fault or "the column is missing from the current data")
    names, before, after = _counts(reference, current)
    bins = tuple(
        DriftBin(name, _share(b, reference.rows), _share(a, current.rows))
        for name, b, a in zip(names, before, after, strict=True)
        if a or b
    )
    thin = _unmeasured(reference, "", current, bins)
    rows = min(reference.rows, current.rows)
    if rows < MINIMUM_ROWS:
        return replace(thin, reason=f"{rows} rows; {MINIMUM_ROWS} are needed")
    if not reference.rows - reference.nulls and not current.rows - current.nulls:
        return replace(thin, reason="no values on either side")
    new = _share(current.levels.new, current.rows) if current.levels else 0.0
    places = reference.comparable(new) if len(before) == len(reference.bins()[0]) else np.arange(len(before))
    b, a = (np.bincount(places, weights=side).astype(np.float64) for side in (before, after))
    b, a = b[(b + a) > 0], a[(b + a) > 0]
    length = blocks if blocks is not None else blocks_of(current.rows, reference.rows, reference.spreads)
    js, of = unbiased_js(b, a), ((current.rows, reference.rows), int(b.size), reference.spreads, length)
    return replace(
        thin,
        state="stable",
        js=js,
        threshold=max(EFFECT_MARGIN, needed_js(0.01, *of)),
        psi=psi(b, a),
        hellinger=hellinger(b, a),
        total_variation=total_variation(b, a),
        p_value=_p_value(js, b, a, reference.spreads, length),
        exact=exact,
        shift=_shift(reference, current),
        consequence=_consequence(reference, before, after),
    )


def _p_value(js: float, before: Floats, after: Floats, spreads: tuple[WindowSpread, ...], length: float) -> float:
    """By chance and by time, the larger: of all bins, or twice that of those that the reference hardly ever has."""
    rows = int(after.sum()), int(before.sum())
    whole = max(chi_square_p(before, after), window_p(js, rows, int(before.size), spreads, length))
    rare = before < RARE * before.sum()
    if not spreads or not rare.any() or rare.all():
        return whole
    parts = [np.array([side[rare].sum(), side[~rare].sum()]) for side in (before, after)]
    if unbiased_js(*parts) < RARE_MARGIN:
        return whole
    alone = rare_p((float(parts[1][0]) / rows[0], float(parts[0][0]) / rows[1]), rows, spreads, length)
    return min(2 * min(whole, alone), 1.0)


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
