"""Probe rows: rows with the scores of a version. Every server of the version must give the same scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .interface import Fault
from .signature import Input, Signature
from .values import Columns, Floats, canonical

Cell = float | str | None | tuple[float | None, ...]


@dataclass(frozen=True)
class Probe:
    """At most 100 rows and their scores. No row is a person's: personal columns have a common value."""

    inputs: dict[str, tuple[Cell, ...]]
    """Input → its canonical values; null is None."""
    scores: tuple[float | tuple[float, ...], ...]
    tolerance: float
    """Relative to max(1, |score|)."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.scores)

    def columns(self, signature: Signature) -> Columns:
        """The rows as canonical columns; Fault if they do not fit the signature's inputs."""
        missing = sorted({column.name for column in signature.inputs} ^ set(self.inputs))
        if missing:
            raise Fault(
                f"The input {missing[0]!r} is not in both the probe rows and the contract.",
                "Register the version again.",
            )
        return {column.name: canonical(column, self.inputs[column.name]) for column in signature.inputs}

    def differing(self, scores: Floats) -> list[int]:
        """The rows (indices) whose score differs from ``scores`` (rows,) or (rows, classes)."""
        return differing_rows(np.asarray(self.scores, dtype=np.float64), scores, self.tolerance)

    def to_json(self) -> dict[str, Any]:
        """The probe as values for JSON."""
        return {"inputs": self.inputs, "scores": self.scores, "tolerance": self.tolerance}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Probe:
        """The probe that ``to_json`` wrote."""
        inputs = {name: tuple(_frozen(cell) for cell in cells) for name, cells in value["inputs"].items()}
        return cls(inputs, tuple(_frozen(score) for score in value["scores"]), value["tolerance"])


def differing_rows(expected: Floats, found: Floats, tolerance: float) -> list[int]:
    """Rows whose scores differ by more than ``tolerance`` × max(1, |expected|); all rows if the shapes differ."""
    if expected.shape != found.shape:
        return list(range(len(expected)))
    wrong = ~(np.abs(found - expected) <= tolerance * np.maximum(1.0, np.abs(expected)))
    return [int(row) for row in np.flatnonzero(wrong if wrong.ndim == 1 else wrong.any(axis=1))]


def cells_of(column: Input, values: Any) -> tuple[Cell, ...]:
    """Canonical values as values of a probe."""
    if column.is_text:
        return tuple(values)
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim == 1:
        return tuple(_number(value) for value in numbers.tolist())
    return tuple(None if _gone(row) else tuple(_number(value) for value in row) for row in numbers.tolist())


def _number(value: float) -> float | None:
    return None if value != value else value


def _gone(row: Sequence[float]) -> bool:
    return all(value != value for value in row)


def _frozen(cell: Any) -> Any:
    return tuple(cell) if isinstance(cell, list) else cell
