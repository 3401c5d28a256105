"""Where hashes stand among many sorted ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelyard.predictions.once import Hashes

_AT_ONCE = 1 << 16
"""Memory that is touched for the first time costs more than what is done with it, so work goes on in small pieces."""


class Lookup:
    """Sorted, distinct hashes. They are spread evenly, so their first bits say nearly where each one stands."""

    def __init__(self, hashes: Hashes) -> None:
        self._hashes = hashes
        bits = max(1, int(hashes.size).bit_length() + 1)
        self._shift = np.uint64(64 - bits)
        place = np.int32 if hashes.size < 2**31 else np.int64
        first = np.full((1 << bits) + 1, hashes.size, dtype=place)
        for end in range(hashes.size, 0, -_AT_ONCE):
            begin = max(end - _AT_ONCE, 0)
            bucket = (hashes[begin:end] >> self._shift).astype(np.int64)
            first[bucket[::-1]] = np.arange(end - 1, begin - 1, -1, dtype=place)  # of several, the last assigned stays
        np.minimum.accumulate(first[::-1], out=first[::-1])  # an empty bucket begins where the next one does
        self._first = first

    def places(self, wanted: Hashes) -> NDArray[np.int64]:
        """The place of each hash (rows,); -1 where it is not there."""
        bucket = (wanted >> self._shift).astype(np.int64)
        place, end = self._first[bucket].astype(np.int64), self._first[bucket + 1]
        found = np.full(wanted.size, -1, dtype=np.int64)
        rows = np.flatnonzero(np.less(place, end))
        while rows.size:
            there, here = self._hashes[place[rows]], wanted[rows]
            hit = np.equal(there, here)
            found[rows[hit]] = place[rows[hit]]
            rows = rows[np.less(there, here)]
            place[rows] += 1
            rows = rows[np.less(place[rows], end[rows])]
        return found


def sorting_order(hashes: Hashes) -> tuple[NDArray[np.int64], Hashes]:
    """The order that sorts hashes (rows,), as ``argsort`` does, and the sorted ones; several times as fast for many.

    Sorting plain numbers is what processors do fastest, so a number is made of a hash's first bits and its row. The few
    hashes that share those bits are put in order afterwards.
    """
    bits = np.uint64(max(1, int(hashes.size).bit_length()))
    rows = (np.uint64(1) << bits) - np.uint64(1)
    keys = hashes & ~rows
    for begin in range(0, keys.size, _AT_ONCE):
        end = min(begin + _AT_ONCE, keys.size)
        keys[begin:end] |= np.arange(begin, end, dtype=np.uint64)
    keys.sort()
    keys &= rows
    order = keys.view(np.int64)
    ordered = hashes[order]
    while (wrong := np.flatnonzero(ordered[1:] < ordered[:-1])).size:
        wrong = wrong[np.concatenate([[True], np.diff(wrong) > 1])]  # of neighbours that overlap, one pair at a time
        order[wrong], order[wrong + 1] = order[wrong + 1], order[wrong]
        ordered[wrong], ordered[wrong + 1] = ordered[wrong + 1], ordered[wrong]
    return order, ordered
