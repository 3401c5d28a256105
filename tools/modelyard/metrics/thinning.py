"""Labelled rows that stand for all rows, where a row's score says how likely it has a label.

Whether a due row has a label is known, so the chance of a label is known by score (the propensity score of Rosenbaum &
Rubin, Biometrika 1983). A labelled row is kept with a chance that is inversely proportional to it. What is left is a
sample of all rows (rejection sampling, von Neumann 1951), so metrics and intervals of it need no weights. It helps
where labels are missing for reasons that the score knows, and for no others.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from modelyard.metrics.evaluation import Holdout
from modelyard.metrics.scores import Floats, Integers

_FEWEST = 30
"""Labelled rows of a run of neighbouring bins, by which its chance of a label is known well enough."""
_UNSEEN = 0.01
"""Largest share of due rows in bins of which no row has a label: nothing can stand for them."""
_SEED = 20130101


def kept_shares(arrived: Integers) -> Floats | None:
    """The chance (bins,) with which a labelled row of each bin of the score is kept; None where bins have no label.

    ``arrived`` (2, bins) counts due rows with and without a label. Neighbouring bins are taken together until each run
    has thirty labelled rows.
    """
    labelled, missing = arrived.astype(np.float64)
    due = labelled + missing
    if not labelled.sum() or due[labelled == 0].sum() > _UNSEEN * due.sum():
        return None
    runs = _runs(labelled)
    known, rows = np.bincount(runs, weights=labelled), np.bincount(runs, weights=due)
    chance = np.divide(known, rows, out=np.ones_like(known), where=rows > 0)
    lowest = chance[rows > 0].min()
    return np.asarray((lowest / np.maximum(chance, lowest))[runs], dtype=np.float64)


def thinned(rows: Holdout, codes: Integers, shares: Floats) -> Holdout:
    """The rows that are kept: each with the chance of its score's bin (``codes``, by row), the same every time."""
    kept = np.flatnonzero(np.random.default_rng(_SEED).random(codes.size) < shares[codes])
    blocks = rows.blocks
    if blocks is not None:
        blocks = np.unique(blocks[kept], return_inverse=True)[1].astype(np.int64)
    return replace(
        rows,
        label=rows.label[kept],
        candidate=rows.candidate[kept],
        slices={name: levels.first_of(kept) for name, levels in rows.slices.items()},
        blocks=blocks,
    )


def _runs(labelled: Floats) -> Integers:
    """The run (bins,) of neighbouring bins that each bin is in; the last one takes what is left over."""
    runs = np.zeros(labelled.size, dtype=np.int64)
    current, held = 0, 0.0
    for place, count in enumerate(labelled.tolist()):
        if held >= _FEWEST and labelled[place:].sum() >= _FEWEST:
            current, held = current + 1, 0.0
        runs[place] = current
        held += count
    return runs
