"""Held-out rows: which they are, and which of the champion's are kept, relabelled, removed or added."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.metrics.scores import Integers

Texts = NDArray[np.object_]


@dataclass(frozen=True)
class HeldOut:
    """What tells one set of held-out rows from another, and its name for people."""

    sha256: str
    """Of the sorted ids and labels: values of metrics are comparable where it is the same."""
    name: str
    """``6,000 rows, day 2013-11-01 to 2013-12-31``; the blocks are left out where there are none."""


@dataclass(frozen=True)
class LabelledRows:
    """Rows with an id and a label. Every array has one entry per row."""

    ids: Texts
    labels: Texts
    """Labels as texts; equal labels are equal texts. None for a missing one."""


@dataclass(frozen=True)
class HoldoutChange:
    """How the held-out rows differ from those that the champion was measured on. Rows are the same by their id."""

    against: str
    """The champion's version."""
    rows: int = 0
    """The champion's held-out rows."""
    kept: int = 0
    relabelled: int = 0
    """Rows of the champion that have another label now, held out or in the training rows."""
    removed: int = 0
    """Rows of the champion that are not held out any more, and that a moving window does not explain."""
    moved_on: int = 0
    """Rows of the champion that the candidate learns from, and whose block is before every block held out now."""
    added: int = 0
    reason: str = ""
    """Why the champion's rows are not known; '' where they are."""


def compare_holdouts(
    against: str,
    before: LabelledRows,
    now: LabelledRows,
    trained: LabelledRows | None = None,
    blocks: tuple[Integers, Integers] | None = None,
) -> HoldoutChange:
    """The change from ``before`` to ``now``. ``trained`` are the candidate's training rows.

    ``blocks`` are the places of the blocks of ``before`` (rows,) and of ``now`` (rows,) in one order. Without them
    every row that is not held out any more is removed: only an order tells a window that moves on from a choice of
    rows. The block of a row that is kept is the one that it had, so that a candidate cannot date its rows later.
    """
    held = dict(zip(now.ids.tolist(), now.labels.tolist(), strict=True))
    learnt = dict(zip(trained.ids.tolist(), trained.labels.tolist(), strict=True)) if trained else {}
    places = dict(zip(now.ids.tolist(), blocks[1].tolist(), strict=True)) if blocks else {}
    if blocks:
        places |= {one: at for one, at in zip(before.ids.tolist(), blocks[0].tolist(), strict=True) if one in held}
    first = min(places.values(), default=0)
    kept = relabelled = removed = moved_on = 0
    for row, (identifier, label) in enumerate(zip(before.ids.tolist(), before.labels.tolist(), strict=True)):
        if identifier in held:
            kept += 1
            relabelled += held[identifier] != label
        elif identifier in learnt:
            relabelled += learnt[identifier] != label
            earlier = blocks is not None and int(blocks[0][row]) < first
            moved_on += earlier
            removed += not earlier
        else:
            removed += 1
    return HoldoutChange(
        against=against,
        rows=int(before.ids.size),
        kept=kept,
        relabelled=relabelled,
        removed=removed,
        moved_on=moved_on,
        added=len(held.keys() - set(before.ids.tolist())),
    )
