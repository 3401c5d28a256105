"""Current data against a reference profile, column by column.

An alarm needs three things: an effect above the margin, significance after Benjamini–Hochberg over all columns, and
enough rows. A fixed threshold alone alarms falsely on small windows; a p-value alone alarms on large ones.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from modelyard.measure.profile import ColumnProfile, Profile
from modelyard.measure.scores import Floats

EFFECT_MARGIN = 0.1
"""Jensen–Shannon distance (natural logarithm, 0 to 0.83) above which a difference matters."""
FALSE_DISCOVERY_RATE = 0.05
MINIMUM_ROWS = 200

State = Literal["stable", "drifted", "insufficient"]


@dataclass(frozen=True)
class DriftBin:
    """Share of the reference and of the current rows in one bin."""

    name: str
    reference: float
    current: float


@dataclass(frozen=True)
class ColumnDrift:
    """One column. ``state`` is a measurement against fixed margins, not a judgement: policies judge."""

    name: str
    type: str
    state: State
    js: float | None
    """Jensen–Shannon distance over the bins, nulls and new levels included."""
    psi: float | None
    """Population stability index over the same bins, half a row added to each."""
    p_value: float | None
    """Two-sample chi-square over the same bins."""
    significant: bool
    missing_reference: float
    missing_current: float
    new_level_share: float
    bins: tuple[DriftBin, ...]
    reason: str = ""


@dataclass(frozen=True)
class Drift:
    """All columns, most drifted first."""

    reference: str
    """What the reference profile belongs to, such as a version."""
    reference_rows: int
    current_rows: int
    columns: tuple[ColumnDrift, ...]


def measure_drift(reference: Profile, current: Profile, reference_name: str) -> Drift:
    """Compares a profile with one made in its own bins."""
    compared = [_column(column, current.column(column.name)) for column in reference.columns]
    significant = benjamini_hochberg([column.p_value for column in compared], FALSE_DISCOVERY_RATE)
    columns = []
    for column, is_significant in zip(compared, significant, strict=True):
        state: State = column.state
        if state != "insufficient":
            drifted = is_significant and column.js is not None and column.js >= EFFECT_MARGIN
            state = "drifted" if drifted else "stable"
        columns.append(replace(column, state=state, significant=is_significant))
    columns.sort(key=lambda c: (c.state != "drifted", -(c.js or 0), c.name))
    return Drift(reference_name, reference.rows, current.rows, tuple(columns))


def benjamini_hochberg(p_values: list[float | None], rate: float) -> list[bool]:
    """Which hypotheses are rejected at a false discovery rate (Benjamini & Hochberg 1995); None is never."""
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    cut = max((p for k, (p, _) in enumerate(known, start=1) if p <= rate * k / len(known)), default=-1.0)
    return [p is not None and p <= cut for p in p_values]


def _column(reference: ColumnProfile, current: ColumnProfile | None) -> ColumnDrift:
    if current is None:
        return _unmeasured(reference, "the column is missing from the current data")
    names, before, after = _counts(reference, current)
    missing = (_share(reference.nulls, reference.rows), _share(current.nulls, current.rows))
    new = _share(current.levels.other if current.levels else 0, current.rows)
    bins = tuple(
        DriftBin(name, _share(b, reference.rows), _share(a, current.rows))
        for name, b, a in zip(names, before, after, strict=True)
    )
    rows = min(reference.rows, current.rows)
    if rows < MINIMUM_ROWS:
        return _unmeasured(reference, f"{rows} rows; {MINIMUM_ROWS} are needed", missing, new, bins)
    b, a = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    return ColumnDrift(
        reference.name, reference.type, "stable", js_distance(b, a), psi(b, a), chi_square_p(b, a), False,
        *missing, new, bins,
    )  # fmt: skip


def _counts(reference: ColumnProfile, current: ColumnProfile) -> tuple[list[str], list[int], list[int]]:
    """Bin names and both sides' counts: the values' bins, then nulls, then what was never seen."""
    if reference.numeric and current.numeric:
        edges = [f"{edge:.6g}" for edge in reference.numeric.edges]
        names = [f"< {edges[0]}", *(f"{low} to {high}" for low, high in itertools.pairwise(edges)),
                 f"≥ {edges[-1]}"] if edges else ["any"]  # fmt: skip
        before, after = list(reference.numeric.counts), list(current.numeric.counts)
        rest = [("infinite", reference.infinities, current.infinities)]
    elif reference.levels and current.levels:
        names, before, after = list(reference.levels.levels), list(reference.levels.counts), list(current.levels.counts)
        rest = [("(other)", reference.levels.other, current.levels.other)]
    else:
        names, before, after, rest = [], [], [], []
    for name, b, a in [*rest, ("(missing)", reference.nulls, current.nulls)]:
        if b or a:
            names, before, after = [*names, name], [*before, b], [*after, a]
    return names, before, after


def js_distance(before: Floats, after: Floats) -> float:
    """Square root of the Jensen–Shannon divergence of two counts, in nats (as scipy.spatial.distance)."""
    p, q = before / before.sum(), after / after.sum()
    middle = (p + q) / 2

    def divergence(x: Floats) -> float:
        seen = x > 0
        return float((x[seen] * np.log(x[seen] / middle[seen])).sum())

    return float(np.sqrt(max((divergence(p) + divergence(q)) / 2, 0.0)))


def psi(before: Floats, after: Floats) -> float:
    """Population stability index of two counts; half a row is added to each bin so that none is empty."""
    p = (before + 0.5) / (before + 0.5).sum()
    q = (after + 0.5) / (after + 0.5).sum()
    return float(((q - p) * np.log(q / p)).sum())


def chi_square_p(before: Floats, after: Floats) -> float:
    """p-value of the two-sample chi-square test of homogeneity, without continuity correction.

    Bins in which either side expects fewer than five rows are pooled (Cochran 1954), with the next smallest where the
    pool is still too thin: one row beyond the reference's range would else be proof of drift.
    """
    from scipy.special import chdtrc

    table = np.vstack([before, after])
    table = table[:, np.argsort(table.sum(axis=0), kind="stable")]
    while table.shape[1] > 1 and _expected(table)[:, 0].min() < 5:
        table = np.column_stack([table[:, 0] + table[:, 1], table[:, 2:]])
    expected = _expected(table)
    if table.shape[1] < 2:
        return 1.0
    return float(chdtrc(table.shape[1] - 1, ((table - expected) ** 2 / expected).sum()))


def _expected(table: Floats) -> Floats:
    result: Floats = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    return result


def _unmeasured(
    reference: ColumnProfile,
    reason: str,
    missing: tuple[float, float] = (0.0, 0.0),
    new: float = 0.0,
    bins: tuple[DriftBin, ...] = (),
) -> ColumnDrift:
    return ColumnDrift(
        reference.name, reference.type, "insufficient", None, None, None, False, *missing, new, bins, reason
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
