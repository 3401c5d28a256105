"""The rows both sides of the evaluation benchmark measure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROWS, COLUMNS, LEVELS = 1_000_000, 5, 10
THRESHOLD, PRECISION = 0.3, 0.6


def rows() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], list[NDArray[np.int64]]]:
    """Label, candidate, champion (rows,), and five columns of ten levels."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS)
    truth = 1 / (1 + np.exp(1.2 - x))
    label = (rng.random(ROWS) < truth).astype(float)
    champion = 1 / (1 + np.exp(1.2 - 0.9 * x - 0.3 * rng.normal(size=ROWS)))
    return label, truth, champion, [rng.integers(0, LEVELS, ROWS) for _ in range(COLUMNS)]
