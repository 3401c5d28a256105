"""The artifact's scores compared with the pipeline's predictions, and likely causes of a difference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modelyard.errors import ModelyardError
from modelyard.flavors.probe import differing_rows
from modelyard.flavors.signature import Input
from modelyard.flavors.values import Column, Columns, Floats
from modelyard.metrics.scores import auc

_SHOWN = 3
_SEPARATES = 0.95
"""The AUC from which an input is named as a likely cause."""


@dataclass(frozen=True)
class Difference:
    """The rows whose prediction by the pipeline differs from the artifact's score."""

    rows: tuple[int, ...]
    """Indices of rows, from 0."""
    of: int
    largest: float
    cause: str


def difference(
    ours: Floats, theirs: Floats, columns: Columns, inputs: tuple[Input, ...], tolerance: float
) -> Difference | None:
    """The differences of more than ``tolerance`` × max(1, |score|); None without any."""
    rows = differing_rows(theirs, ours, tolerance)
    if not rows:
        return None
    largest = float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else float("inf")
    return Difference(tuple(rows), len(ours), largest, _cause(ours, theirs, rows, columns, inputs))


def require_none(found: Difference | None, model: str, predictions: str, names: list[str]) -> None:
    """Raises for a difference; ``names`` has the id of each row."""
    if found is None:
        return
    shown = ", ".join(names[row] for row in found.rows[:_SHOWN])
    more = f" and {len(found.rows) - _SHOWN:,} more" if len(found.rows) > _SHOWN else ""
    raise ModelyardError(
        f"{predictions} differs from the scores of {model}'s artifact: {len(found.rows):,} of {found.of:,} held-out"
        f" rows differ ({shown}{more}), by up to {found.largest:.3g}. {found.cause}",
        "Correct the predict stage or the contract, then run: modelyard retrain " + model,
    )


def _cause(ours: Floats, theirs: Floats, rows: list[int], columns: Columns, inputs: tuple[Input, ...]) -> str:
    if ours.shape != theirs.shape:
        return "The number of scores per row differs."
    if np.allclose(np.sort(ours, axis=0), np.sort(theirs, axis=0), rtol=0, atol=1e-9):
        return "The scores are equal but in another order: the predict stage does not keep the order of the rows."
    if (ours.astype(np.float32) == theirs.astype(np.float32)).all():
        return "The predictions were rounded to float32: write them as float64."
    if ours.ndim == 1 and np.allclose(ours, 1 - theirs, rtol=0, atol=1e-9):
        return "The predictions are of the other class: write the probability of the label 1."
    decimals = next((n for n in range(1, 9) if (np.abs(np.round(ours, n) - theirs) < 10.0**-12).all()), None)
    if decimals is not None:
        return f"The predictions were rounded to {decimals} decimals."
    found = list(_separating(rows, columns, inputs, len(ours)))
    if found:
        return f"Likely cause: {' and '.join(found[:_SHOWN])}."
    suspects = [c.name for c in inputs if c.is_text or c.categories or c.kind in ("boolean", "date", "timestamp")]
    named = f" ({', '.join(suspects[:5])})" if suspects else ""
    return (
        "No single input explains it. Likely causes: the predict stage encodes inputs in its own way"
        f"{named}, scores with another file, or uses only some of the trees."
    )


def _separating(rows: list[int], columns: Columns, inputs: tuple[Input, ...], count: int) -> Iterator[str]:
    """Inputs whose values separate the differing rows from the others."""
    if len(rows) == count:
        return
    differs = np.zeros(count)
    differs[rows] = 1.0
    found: list[tuple[float, str]] = []
    for column in inputs:
        for said, values in _conditions(column, columns[column.name]):
            area = auc(differs, values)
            if area is not None and area >= _SEPARATES:
                found.append((-area, said))
    yield from dict.fromkeys(said for _, said in sorted(found))


def _conditions(column: Input, values: Column) -> Iterator[tuple[str, Floats]]:
    name = repr(column.name)
    if column.is_text:
        texts = list(values)
        yield f"the rows where {name} is null", np.array([value is None for value in texts], dtype=np.float64)
        levels = sorted({value for value in texts if value is not None})
        for level in levels if len(levels) <= 100 else ():
            yield f"the rows where {name} is {level!r}", np.array([v == level for v in texts], dtype=np.float64)
        return
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim == 2:
        numbers = np.linalg.norm(numbers, axis=1)
    missing = np.isnan(numbers)
    yield f"the rows where {name} is null", missing.astype(np.float64)
    filled = np.where(missing, -np.inf, numbers)
    distinct = np.unique(numbers[~missing])
    if distinct.size <= 20:
        for value in distinct.tolist():
            yield f"the rows where {name} is {value:g}", (filled == value).astype(np.float64)
    else:
        finite = np.where(missing, np.median(distinct), numbers)
        yield f"the rows with large values of {name}", finite
        yield f"the rows with small values of {name}", -finite
