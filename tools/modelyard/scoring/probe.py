"""The choice of a version's probe rows, and their check on a loaded version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import ModelyardError
from modelyard.flavors.probe import Probe, cells_of
from modelyard.flavors.signature import Input
from modelyard.flavors.values import Column, Columns, Floats, breaches
from modelyard.manifests.model import Column as Declared
from modelyard.manifests.model import Model
from modelyard.scoring.scorer import LoadedArtifact
from modelyard.scoring.signature import signature_of

ROWS = 100
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Probed:
    """The result of scoring the probe rows with a loaded version."""

    rows: int
    same: int
    largest: float
    """The largest difference, relative to max(1, |score|)."""

    def __str__(self) -> str:
        return f"probe {self.same}/{self.rows}"


def choose_probe(model: Model, columns: Columns, scores: Floats, loaded: LoadedArtifact) -> Probe:
    """At most 100 of the held-out rows, scored.

    For each input: the rows with the smallest and the largest value, one with null and one for every level, as far as
    they fit. Then the rows with the smallest and the largest score, and evenly spaced ones. Rows that the contract does
    not allow are left out, because no server scores them. A personal column has one common value in all rows: its
    median, or its most frequent level. So has a cell whose level is rarer than the contract's ``rare_below``.
    """
    signature = signature_of(model)
    allowed = np.flatnonzero(_allowed(columns, signature.inputs, len(scores)))
    declared = {column.name: column for column in model.contract.inputs}
    plain = {c.name: _without_persons(c, declared[c.name], columns[c.name]) for c in signature.inputs}
    chosen = _chosen(plain, signature.inputs, scores, allowed)
    few = {name: _taken(values, chosen) for name, values in plain.items()}
    found = loaded.score(few)
    cells = {c.name: cells_of(c, few[c.name]) for c in signature.inputs}
    rows = found.tolist() if found.ndim == 1 else [tuple(row) for row in found.tolist()]
    return Probe(cells, tuple(rows), loaded.flavor.tolerance)


def ask(loaded: LoadedArtifact, probe: Probe) -> Probed:
    """The result of the probe rows for a loaded version."""
    found = loaded.score(probe.columns(loaded.signature))
    return compared(probe, found)


def compared(probe: Probe, found: Floats) -> Probed:
    """The result for scores of the probe rows from elsewhere."""
    expected = np.asarray(probe.scores, dtype=np.float64)
    wrong = probe.differing(found)
    largest = float("inf")
    if found.shape == expected.shape:
        largest = float((np.abs(found - expected) / np.maximum(1.0, np.abs(expected))).max(initial=0.0))
    return Probed(probe.rows, probe.rows - len(wrong), largest)


def require_same(found: Probed, what: str) -> None:
    """Raises unless every probe row got its registered score; ``what`` names the version and its place."""
    if found.same < found.rows:
        raise ModelyardError(
            f"{what} does not give the registered scores for {found.rows - found.same} of {found.rows} probe rows"
            f" (largest difference {found.largest:.3g}).",
            "Compare the library versions here with the recorded ones: modelyard show MODEL VERSION",
        )


def _allowed(columns: Columns, inputs: tuple[Input, ...], rows: int) -> NDArray[np.bool_]:
    good = np.ones(rows, dtype=bool)
    for column in inputs:
        # An unknown category is missing, and null may not be sent in its place where the contract allows no null.
        unlisted = replace(column, categories=())
        for _, bad in breaches(unlisted, columns[column.name]):
            good &= ~bad
    return good


def _without_persons(column: Input, declared: Declared, values: Column) -> Column:
    """The values, with a common value in place of those that must not be stored."""
    if declared.personal != "no":
        common = _common(column, values)
        if column.is_text:
            return [common] * len(values)  # type: ignore[list-item]
        return np.broadcast_to(np.asarray(common, dtype=np.float64), np.asarray(values).shape).copy()
    if column.is_text and declared.rare_below:
        counts: dict[object, int] = {}
        for value in values:
            counts[value] = counts.get(value, 0) + 1
        common = _common(column, values)
        return [v if v is None or counts[v] >= declared.rare_below else common for v in values]  # type: ignore[misc]
    return values


def _common(column: Input, values: Column) -> object:
    if column.is_text:
        known = [value for value in values if value is not None]
        return max(sorted(set(known)), key=known.count) if known else None
    numbers = np.asarray(values, dtype=np.float64)
    if column.kind in ("boolean", "integer", "date") or column.categories:
        known_numbers = np.sort(numbers[~np.isnan(numbers)])
        return known_numbers[known_numbers.size // 2] if known_numbers.size else np.nan
    if np.isnan(numbers).all():
        return np.nan
    return np.nanmedian(numbers, axis=0)


def _chosen(columns: Mapping[str, Column], inputs: tuple[Input, ...], scores: Floats, allowed: Integers) -> Integers:
    found: dict[int, None] = {}
    firsts = scores if scores.ndim == 1 else scores.max(axis=1)
    if allowed.size:
        found[int(allowed[firsts[allowed].argmin()])] = None
        found[int(allowed[firsts[allowed].argmax()])] = None
    # In turns, so that an input with many levels does not use all rows.
    waiting = [_telling(column, _taken(columns[column.name], allowed)) for column in inputs]
    while waiting and len(found) < ROWS:
        still = []
        for rows in waiting:
            place = next(rows, None)
            if place is not None:
                found[int(allowed[place])] = None
                still.append(rows)
            if len(found) >= ROWS:
                break
        waiting = still
    spread = allowed[np.linspace(0, allowed.size - 1, min(ROWS, allowed.size)).astype(np.int64)]
    for row in spread.tolist():
        if len(found) >= ROWS:
            break
        found[row] = None
    return np.array(sorted(found), dtype=np.int64)


def _telling(column: Input, values: Column) -> Iterator[int]:
    """The most informative rows of an input: null, extremes, then one for each level, the most frequent first."""
    if column.is_text:
        firsts: dict[str | None, int] = {}
        counts: dict[str | None, int] = {}
        for row, value in enumerate(values):
            firsts.setdefault(value, row)
            counts[value] = counts.get(value, 0) + 1
        yield from (firsts[value] for value in sorted(counts, key=lambda v: (v is not None, -counts[v], v or "")))
        return
    numbers = np.asarray(values, dtype=np.float64)
    flat = numbers if numbers.ndim == 1 else np.linalg.norm(numbers, axis=1)
    missing = np.isnan(flat)
    if missing.any():
        yield int(missing.argmax())
    if missing.all():
        return
    yield int(np.nanargmin(flat))
    yield int(np.nanargmax(flat))
    if column.categories or column.kind == "boolean":
        _, places = np.unique(flat[~missing], return_index=True)
        yield from np.flatnonzero(~missing)[places].tolist()


def _taken(values: Column, rows: Integers) -> Column:
    if isinstance(values, np.ndarray):
        return np.asarray(values[rows])
    return [values[row] for row in rows.tolist()]
