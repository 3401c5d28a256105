"""Ids as 64-bit hashes: removal of duplicates, and lookup among millions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


Hashes = NDArray[np.uint64]
_WORD = 8
_AT_ONCE = 16_384
"""Rows whose words and hashes fit into the cache of one core."""

_PRIME = np.uint64(0xFF51AFD7ED558CCD)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_LOOKED_UP_AT_ONCE = 1 << 16
"""Rows at a time: first use of memory costs more than the work on it, so small pieces are faster."""


def once(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The tables without repeated predictions: of the same id, version and variant the first is kept.

    Rows without an id are all kept. It stores eight bytes per prediction. The probability that any two of 100 million
    different predictions have the same hash is 0.03 %.
    """
    import pyarrow as pa

    seen: Hashes = np.empty(0, dtype=np.uint64)
    for table in tables:
        hashes = text_hashes(table["id"])
        for name in ("version", "variant"):
            hashes = (hashes ^ text_hashes(table[name])) * _MIX
        anonymous = np.asarray(table["id"].is_null())
        keep = np.zeros(table.num_rows, dtype=bool)
        values, first = np.unique(hashes, return_index=True)
        places = np.minimum(np.searchsorted(seen, values), max(seen.size - 1, 0))
        new = seen[places] != values if seen.size else np.ones(values.size, dtype=bool)
        keep[first[new]] = True
        keep |= anonymous
        yield table if keep.all() else table.filter(pa.array(keep))
        seen = np.sort(np.concatenate([seen, values[new]]), kind="stable")


def text_hashes(column: Any) -> Hashes:
    """A 64-bit hash of each text (rows,), the same in every run; null counts as ''. Do not store it: it may change."""
    import pyarrow as pa

    parts = []
    for chunk in column.chunks if hasattr(column, "chunks") else [column]:
        chunk = chunk.cast(pa.large_string())
        chunk = chunk.fill_null("") if chunk.null_count else chunk
        offsets = np.frombuffer(chunk.buffers()[1], dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        content = chunk.buffers()[2]
        letters = np.frombuffer(content, dtype=np.uint8) if content else np.empty(0, np.uint8)
        for first in range(0, len(chunk), _AT_ONCE):
            parts.append(_hashed(offsets[first : first + _AT_ONCE + 1], letters))
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)


class Lookup:
    """An index of sorted, distinct hashes. They are spread evenly, so their first bits give nearly their place."""

    def __init__(self, hashes: Hashes) -> None:
        self._hashes = hashes
        bits = max(1, int(hashes.size).bit_length() + 1)
        self._shift = np.uint64(64 - bits)
        place = np.int32 if hashes.size < 2**31 else np.int64
        first = np.full((1 << bits) + 1, hashes.size, dtype=place)
        for end in range(hashes.size, 0, -_LOOKED_UP_AT_ONCE):
            begin = max(end - _LOOKED_UP_AT_ONCE, 0)
            bucket = (hashes[begin:end] >> self._shift).astype(np.int64)
            first[bucket[::-1]] = np.arange(end - 1, begin - 1, -1, dtype=place)  # of several, NumPy keeps the last
        np.minimum.accumulate(first[::-1], out=first[::-1])  # an empty bucket begins where the next one begins
        self._first = first

    def places(self, wanted: Hashes) -> NDArray[np.int64]:
        """The index of each hash (rows,); −1 when it is not there."""
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
    """The order that sorts hashes (rows,), like ``argsort``, and the sorted hashes; several times faster for many.

    Plain numbers are sorted fastest, so each number is made of the first bits of a hash and its row. The few hashes
    that share those bits are put in order afterwards.
    """
    bits = np.uint64(max(1, int(hashes.size).bit_length()))
    rows = (np.uint64(1) << bits) - np.uint64(1)
    keys = hashes & ~rows
    for begin in range(0, keys.size, _LOOKED_UP_AT_ONCE):
        end = min(begin + _LOOKED_UP_AT_ONCE, keys.size)
        keys[begin:end] |= np.arange(begin, end, dtype=np.uint64)
    keys.sort()
    keys &= rows
    order = keys.view(np.int64)
    ordered = hashes[order]
    while (wrong := np.flatnonzero(ordered[1:] < ordered[:-1])).size:
        wrong = wrong[np.concatenate([[True], np.diff(wrong) > 1])]  # overlapping pairs are swapped one at a time
        order[wrong], order[wrong + 1] = order[wrong + 1], order[wrong]
        ordered[wrong], ordered[wrong + 1] = ordered[wrong + 1], ordered[wrong]
    return order, ordered


def _hashed(offsets: NDArray[np.int64], content: NDArray[np.uint8]) -> Hashes:
    """Hashes of texts as little-endian words of eight bytes, each multiplied and folded in turn."""
    starts, lengths = offsets[:-1], np.diff(offsets)
    if not starts.size:
        return np.empty(0, dtype=np.uint64)
    first, last = int(offsets[0]), int(offsets[-1])
    padded = np.concatenate([content[first:last], np.zeros(_WORD, dtype=np.uint8)])
    at_any_byte = np.ndarray(padded.size - _WORD + 1, dtype="<u8", buffer=padded.data, strides=(1,))
    hashes = lengths.astype(np.uint64) * _MIX
    for word in range(0, max(int(lengths.max()), 1), _WORD):
        left = lengths - word
        rows = slice(None) if (left > 0).all() else np.flatnonzero(left > 0)
        words = at_any_byte[starts[rows] - first + word]
        if (left[rows] < _WORD).any():
            surplus = np.clip(_WORD - left[rows], 0, _WORD - 1).astype(np.uint64) * np.uint64(8)
            words &= ~np.uint64(0) >> surplus
        mixed = (hashes[rows] ^ words) * _PRIME
        hashes[rows] = mixed ^ (mixed >> np.uint64(29))
    return (hashes ^ (hashes >> np.uint64(32))) * _MIX
