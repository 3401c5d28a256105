"""Which rows are most worth a label: several reasons take turns, so that none crowds the others out.

Rows taken at random are always among them. Only those say how good the model is; all others were chosen for being hard
(see Settles, Active Learning Literature Survey, 2009, on uncertainty and its bias).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np

from modelyard.metrics.scores import Floats, Integers

Why = Literal["uncertain", "unusual", "rare", "flip", "random"]

WHYS: tuple[Why, ...] = get_args(Why)


def uncertainty(scores: Floats, threshold: float) -> Floats:
    """How close each row (rows,) or (rows, classes) is to another decision: 1 on the border, 0 as far as can be."""
    if scores.ndim == 2:
        ordered = np.sort(scores, axis=1)
        return np.asarray(1 - (ordered[:, -1] - ordered[:, -2]), dtype=np.float64)
    far = np.where(scores >= threshold, 1 - threshold, threshold)
    distance = np.divide(np.abs(scores - threshold), far, out=np.zeros_like(scores), where=far > 0)
    return np.asarray(np.clip(1 - distance, 0.0, 1.0), dtype=np.float64)


def best(worth: Mapping[Why, Floats], count: int) -> Integers:
    """Rows that could be among ``count`` picked ones, sorted: the best of every reason."""
    found = [_ranked(values)[:count] for values in worth.values()]
    return np.unique(np.concatenate(found)).astype(np.int64) if found else np.empty(0, dtype=np.int64)


def pick(worth: Mapping[Why, Floats], count: int) -> list[tuple[int, Why]]:
    """At most ``count`` rows and why: each reason in turn gives its best. A worth of 0 is no reason."""
    queues = {why: iter(_ranked(values).tolist()) for why, values in worth.items()}
    taken: dict[int, Why] = {}
    while queues and len(taken) < count:
        for why in list(queues):
            row = next((row for row in queues[why] if row not in taken), None)
            if row is None:
                del queues[why]
            elif len(taken) < count:
                taken[row] = why
    return list(taken.items())


def _ranked(values: Floats) -> Integers:
    order = np.argsort(-values, kind="stable")
    return np.asarray(order[values[order] > 0], dtype=np.int64)
