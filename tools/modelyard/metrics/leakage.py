"""Signs of leakage: inputs that predict the label alone, and held-out rows in the training data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics.scores import Floats, auc

_BINS = 50


@dataclass(frozen=True)
class InputStrength:
    """The cross-fitted AUC (at least 0.5) of one input alone; None if it cannot be measured."""

    name: str
    auc: float | None


@dataclass(frozen=True)
class Leakage:
    """Inputs, strongest first, and the held-out rows that are in the training data."""

    inputs: tuple[InputStrength, ...]
    overlap: int | None
    """Held-out rows whose id is in the training data; None for a model that was trained elsewhere."""
    identical: int | None = None
    """Held-out rows that equal a training row in every input and the label. Coarse inputs give some by chance."""


def input_strengths(columns: dict[str, NDArray[Any]], label: Floats) -> tuple[InputStrength, ...]:
    """The AUC that each input reaches alone.

    Values are cut into at most 50 quantile bins (levels, for text). The label's rate per bin is learnt on one half of
    the rows and scored on the other, so that a column of unique values does not look like a leak.
    """
    halves = np.arange(label.size) % 2 == 0
    found = [InputStrength(name, _strength(_codes(values), label, halves)) for name, values in columns.items()]
    return tuple(sorted(found, key=lambda s: (-(s.auc or 0), s.name)))


def overlap(training: NDArray[Any], holdout: NDArray[Any]) -> int:
    """The number of held-out ids in the training data."""
    known = set(training.tolist())
    return sum(identifier in known for identifier in holdout.tolist())


def row_hashes(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.uint64]:
    """A hash of each row (rows,). Equal rows have equal hashes; of other pairs, one in 10¹⁹ has."""
    size = len(next(iter(columns.values()))) if columns else 0
    result = np.zeros(size, dtype=np.uint64)
    for name, values in columns.items():
        result = _mixed(result ^ _mixed(_bits(values) ^ np.uint64(_number_of(name))))
    return result


def identical(training: NDArray[np.uint64], holdout: NDArray[np.uint64]) -> int:
    """The number of held-out rows with an equal training row."""
    return int(np.isin(holdout, training).sum())


def _bits(values: NDArray[Any]) -> NDArray[np.uint64]:
    if values.dtype.kind in "fiub":
        numbers = values.astype(np.float64) + 0.0  # −0 equals 0
        numbers[np.isnan(numbers)] = np.nan  # all NaN are equal
        return numbers.view(np.uint64)
    known = {value: _number_of("" if value is None else f"={value}") for value in set(values.tolist())}
    return np.array([known[value] for value in values.tolist()], dtype=np.uint64)


def _number_of(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _mixed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        value = (value + np.uint64(0x9E3779B97F4A7C15)) & np.uint64(0xFFFFFFFFFFFFFFFF)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _strength(codes: NDArray[np.int64], label: Floats, half: NDArray[np.bool_]) -> float | None:
    scores = np.empty_like(label)
    size = int(codes.max()) + 1 if codes.size else 0
    for learn, score in ((half, ~half), (~half, half)):
        if not learn.any() or not score.any():
            return None
        count = np.bincount(codes[learn], minlength=size)
        hits = np.bincount(codes[learn], weights=label[learn], minlength=size)
        base = label[learn].mean()
        # One pseudo-row at the base rate, so that an unseen bin predicts the base rate.
        scores[score] = ((hits + base) / (count + 1))[codes[score]]
    parts = [auc(label[part], scores[part]) for part in (half, ~half)]
    if any(part is None for part in parts):
        return None
    return max(float(np.mean([part for part in parts if part is not None])), 0.5)


def _codes(values: NDArray[Any]) -> NDArray[np.int64]:
    """Bin codes from 0 (rows,); missing values have their own bin."""
    if values.dtype.kind in "fiub":
        numbers = values.astype(np.float64)
        known = np.isfinite(numbers)
        inner = np.linspace(0, 1, _BINS + 1)[1:-1]
        edges = np.unique(np.quantile(numbers[known], inner)) if known.any() else np.empty(0)
        codes = np.searchsorted(edges, numbers, side="right") + 1
        codes[~known] = 0
        return codes.astype(np.int64)
    at: dict[str, int] = {}
    return np.array([at.setdefault("" if v is None else f"={v}", len(at)) for v in values.tolist()], dtype=np.int64)
