"""Drift: equal distributions that must not alarm, also where days move them, and moved ones that must."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from modelyard.metrics.drift import measure_drift
from modelyard.metrics.profile import Profile
from modelyard.metrics.scores import Floats
from modelyard.metrics.spreads import window_spreads
from modelyard.metrics.tally import ColumnValues, Tally, number_codes, profile_column, profile_table

from support.honesty.claim import Claim, Trial

DAYS, A_DAY = 180, 60
"""Of the reference."""


def series(rng: np.random.Generator, days: int, per_day: int, tau: float, rho: float = 0.5) -> Floats:
    """Normal values around a level that wanders from day to day, with deviation ``tau`` and correlation ``rho``."""
    drawn = rng.normal(size=days)
    level = np.empty(days)
    level[0] = drawn[0]
    for day in range(1, days):
        level[day] = rho * level[day - 1] + np.sqrt(1 - rho**2) * drawn[day]
    return np.asarray(np.repeat(level * tau, per_day) + rng.normal(size=days * per_day), dtype=np.float64)


def reference(rng: np.random.Generator, columns: int, tau: float, role: str = "input", per_day: int = A_DAY) -> Profile:
    """Half a year of such columns, profiled as a candidate's training rows are."""
    blocks = np.repeat(np.arange(DAYS), per_day)
    found = []
    for i in range(columns):
        values = series(rng, DAYS, per_day, tau)
        column = profile_column(ColumnValues(f"c{i}", "float", values, role))  # type: ignore[arg-type]
        spreads = window_spreads(number_codes(values, column), len(column.bins()[0]), blocks)
        found.append(replace(column, spreads=spreads))
    return Profile(blocks.size, tuple(found))


def alarms(rng: np.random.Generator, base: Profile, days: int, per_day: int, tau: float, shift: float) -> list[bool]:
    """Whether each column alarms in a window of that length, in which the first one is shifted."""
    current = [
        ColumnValues(c.name, "float", series(rng, days, per_day, tau) + shift * (i == 0), c.role)
        for i, c in enumerate(base.columns)
    ]
    drift = measure_drift(base, profile_table(current, base), "ref", blocks=days)
    said = {column.name: column.alarm for column in drift.columns}
    return [said[column.name] for column in base.columns]


def report(days: int, per_day: int, tau: float) -> Trial:
    """Nothing moved, 20 columns: whether the report has an alarm."""
    return lambda rng: [any(alarms(rng, reference(rng, 20, tau), days, per_day, tau, 0.0))]


def columns(days: int, per_day: int, tau: float, known: int = A_DAY) -> Trial:
    """Nothing moved, 20 columns: whether each alarms."""
    return lambda rng: alarms(rng, reference(rng, 20, tau, per_day=known), days, per_day, tau, 0.0)


def shifted(days: int, per_day: int, tau: float, shift: float, known: int = A_DAY) -> Trial:
    """One of 20 columns moved: whether it alarms."""
    return lambda rng: alarms(rng, reference(rng, 20, tau, per_day=known), days, per_day, tau, shift)[:1]


def missing(days: int, per_day: int, tau: float, share: float) -> Trial:
    """In one of 20 columns a share of the values is missing, of which the reference had none: whether it alarms."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        base = reference(rng, 20, tau)
        current = []
        for i, column in enumerate(base.columns):
            values = series(rng, days, per_day, tau)
            values[rng.random(values.size) < share * (i == 0)] = np.nan
            current.append(ColumnValues(column.name, "float", values))
        drift = measure_drift(base, profile_table(current, base), "ref", blocks=days)
        return [column.alarm for column in drift.columns if column.name == "c0"]

    return trial


Draw = Callable[[np.random.Generator, int], ColumnValues]


def normal(shift: float = 0.0, scale: float = 1.0, nulls: float = 0.0) -> Draw:
    """Numbers, some of them missing."""

    def draw(rng: np.random.Generator, rows: int) -> ColumnValues:
        values = rng.normal(shift, scale, rows)
        return ColumnValues("x", "float", np.where(rng.random(rows) < nulls, np.nan, values))

    return draw


def affine(factor: float, offset: float) -> Draw:
    """Temperatures in another unit."""
    return lambda rng, rows: ColumnValues("x", "float", rng.normal(60, 15, rows) * factor + offset)


def stuck() -> Draw:
    """A sensor that says the same for a fifth of the rows."""
    return lambda rng, rows: ColumnValues(
        "x", "float", np.where(rng.random(rows) < 0.2, 60.0, rng.normal(60, 15, rows))
    )


def levels(odds: Floats, new: float = 0.0) -> Draw:
    """Texts of so many levels; a share of the rows has a level that nobody knows."""
    names = np.array([*(f"l{i:05}" for i in range(odds.size)), "unknown"], dtype=object)

    def draw(rng: np.random.Generator, rows: int) -> ColumnValues:
        counts = rng.multinomial(rows, np.append(odds / odds.sum() * (1 - new), new))
        return ColumnValues("x", "string", Tally(names[counts > 0], counts[counts > 0], 0))

    return draw


def pair(before: Draw, after: Draw, known: int, rows: int, count: int = 1) -> Trial:
    """Whether a report on so many alike columns has an alarm."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        firsts = [replace(before(rng, known), name=f"c{i}") for i in range(count)]
        base = profile_table(firsts)
        current = profile_table([replace(after(rng, rows), name=f"c{i}") for i in range(count)], base)
        return [any(column.alarm for column in measure_drift(base, current, "ref").columns)]

    return trial


def many(count: int, shift: float) -> Trial:
    """So many equally important columns, all moved: whether each alarms."""

    def trial(rng: np.random.Generator) -> Sequence[bool]:
        base = profile_table([ColumnValues(f"c{i}", "float", rng.normal(size=2000)) for i in range(count)])
        base = replace(base, columns=tuple(replace(c, importance=round(1 / count, 6)) for c in base.columns))
        moved = profile_table([ColumnValues(f"c{i}", "float", rng.normal(shift, 1, 2000)) for i in range(count)], base)
        return [column.alarm for column in measure_drift(base, moved, "ref").columns]

    return trial


def zipf(count: int) -> Floats:
    """Odds of levels, each as frequent as its place."""
    return np.asarray(1 / np.arange(1, count + 1), dtype=np.float64)


_FAHRENHEIT = affine(1, 0)
CLAIMS = (
    Claim("drift", "20 columns, day effects of 0.5 σ, 7 days at the training traffic: the report has an alarm", "at most", 0.05, report(7, 60, 0.5), 150, 8),
    Claim("drift", "20 columns, day effects of 0.5 σ, 1 day at ten times the traffic: the report has an alarm", "at most", 0.05, report(1, 600, 0.5), 100, 0),
    Claim("drift", "20 columns, day effects of 0.5 σ, 28 days at the training traffic: the report has an alarm", "at most", 0.05, report(28, 60, 0.5), 100, 0),
    Claim("drift", "training a tenth of traffic, 7 days, nothing moved: a column alarms", "at most", 0.01, columns(7, 600, 0.5), 60, 0),
    Claim("drift", "traffic a tenth of training, 7 days, nothing moved: a column alarms", "at most", 0.01, columns(7, 30, 0.5, 300), 20, 0),
    Claim("drift", "traffic a tenth of training, 7 days with effects of 0.2 σ, shift of 1 σ: found", "at least", 0.9, shifted(7, 30, 0.2, 1.0, 300), 40, 2),
    Claim("drift", "training a tenth of traffic, 7 days with effects of 0.2 σ, shift of 1 σ: found", "at least", 0.9, shifted(7, 600, 0.2, 1.0), 60, 0),
    Claim("drift", "7 days with effects of 0.5 σ, shift of 2 σ: found", "at least", 0.9, shifted(7, 60, 0.5, 2.0), 80, 5),
    Claim("drift", "7 days with effects of 1 σ, a twentieth of the values missing, none before: found", "at least", 0.9, missing(7, 60, 1.0, 0.05), 80, 8),
    *(
        Claim("drift", f"reference of {known:,} rows, {rows:,} rows of a text of {name} levels: alarm", "at most", 0.05, pair(levels(odds), levels(odds), known, rows), 150, few)
        for name, odds, known, rows, few in (
            ("700 equal", np.ones(700), 2000, 10_000, 15), ("700 equal", np.ones(700), 50_000, 10_000, 0),
            ("200 equal", np.ones(200), 4000, 10_000, 15), ("90 equal", np.ones(90), 400, 10_000, 0),
            ("5,000 Zipf", zipf(5000), 2000, 10_000, 0), ("450 Zipf", zipf(450), 2000, 10_000, 0),
        )
    ),
    Claim("drift", "50 columns alike, 200 rows against 20,000: the report has an alarm", "at most", 0.05, pair(normal(), normal(), 20_000, 200, 50), 100, 6),
    Claim("drift", "50 columns alike, 2,000 rows against 2,000: the report has an alarm", "at most", 0.05, pair(normal(), normal(), 2000, 2000, 50), 100, 0),
    *(
        Claim("drift", f"{what} at {rows:,} rows: found", "at least", 0.9, pair(before, after, 20_000, rows), 100, few)
        for what, before, after, rows, few in (
            ("mean +0.25 σ", normal(), normal(0.25), 10_000, 8), ("variance × 1.5", normal(), normal(0, 1.5**0.5), 10_000, 8),
            ("missing values 1 → 5 %", normal(nulls=0.01), normal(nulls=0.05), 10_000, 8),
            ("a level of 5 % that nobody knew", levels(zipf(30)), levels(zipf(30), 0.05), 10_000, 8),
            ("°F → °C", _FAHRENHEIT, affine(5 / 9, -160 / 9), 1000, 6), ("× 1000", _FAHRENHEIT, affine(1000, 0), 1000, 6),
            ("a sensor stuck for a fifth of the rows", _FAHRENHEIT, stuck(), 1000, 6),
        )
    ),
    Claim("drift", "201 equally important columns moved by 5 σ: each is found", "at least", 0.99, many(201, 5.0), 4, 1),
)  # fmt: skip
