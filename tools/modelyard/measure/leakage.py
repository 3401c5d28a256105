"""Signs that the holdout was not held out: inputs that know the outcome, rows seen in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.measure.scores import Floats, auc

_BINS = 50


@dataclass(frozen=True)
class InputStrength:
    """How well one input alone tells the classes apart; AUC from 0.5, cross-fitted. None: not measurable."""

    name: str
    auc: float | None


@dataclass(frozen=True)
class Leakage:
    """Inputs by strength, strongest first, and the number of ids that are in training and holdout."""

    inputs: tuple[InputStrength, ...]
    overlap: int


def input_strengths(columns: dict[str, NDArray[Any]], label: Floats) -> tuple[InputStrength, ...]:
    """The AUC that each input reaches alone.

    Values are cut into at most 50 quantile bins (levels, for text); the outcome's rate per bin is learnt on one half
    of the rows and scored on the other, so that a column of unique values does not look like a leak.
    """
    halves = np.arange(label.size) % 2 == 0
    found = [InputStrength(name, _strength(_codes(values), label, halves)) for name, values in columns.items()]
    return tuple(sorted(found, key=lambda s: (-(s.auc or 0), s.name)))


def overlap(training: NDArray[Any], holdout: NDArray[Any]) -> int:
    """How many held-out ids were trained on."""
    return int(np.isin(holdout.astype(str), training.astype(str)).sum())


def _strength(codes: NDArray[np.int64], label: Floats, half: NDArray[np.bool_]) -> float | None:
    scores = np.empty_like(label)
    size = int(codes.max()) + 1 if codes.size else 0
    for learn, score in ((half, ~half), (~half, half)):
        if not learn.any() or not score.any():
            return None
        count = np.bincount(codes[learn], minlength=size)
        hits = np.bincount(codes[learn], weights=label[learn], minlength=size)
        base = label[learn].mean()
        # One pseudo-row at the base rate: an unseen bin says nothing.
        scores[score] = ((hits + base) / (count + 1))[codes[score]]
    parts = [auc(label[part], scores[part]) for part in (half, ~half)]
    if any(part is None for part in parts):
        return None
    return max(float(np.mean([part for part in parts if part is not None])), 0.5)


def _codes(values: NDArray[Any]) -> NDArray[np.int64]:
    """Bin codes from 0; missing values are a bin of their own."""
    if values.dtype.kind in "fiub":
        numbers = values.astype(np.float64)
        known = np.isfinite(numbers)
        inner = np.linspace(0, 1, _BINS + 1)[1:-1]
        edges = np.unique(np.quantile(numbers[known], inner)) if known.any() else np.empty(0)
        codes = np.searchsorted(edges, numbers, side="right") + 1
        codes[~known] = 0
        return codes.astype(np.int64)
    texts = np.array(["" if value is None else str(value) for value in values])
    return np.unique(texts, return_inverse=True)[1].astype(np.int64)
