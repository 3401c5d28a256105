"""How far windows of a reference lie from the rest of it, and how seldom a window lies further than that.

Windows are runs of consecutive time blocks, not shuffled rows: flights of one day share its weather, so a week differs
from a quarter by more than chance, however many rows it has. With d + 1 bins, 8 · JS² of two samples of one
distribution is about χ²(d) · (1/n + 1/m) (second-order expansion of the divergence). What windows of the reference show
beyond that is due to their time; a window that is to be judged is compared with chance for its rows plus time for its
length.
"""

from __future__ import annotations

import numpy as np

from modelyard.metrics.distances import chi_square_tail
from modelyard.metrics.profile import WindowSpread
from modelyard.metrics.scores import Floats, Integers
from modelyard.metrics.tails import f_tail

LENGTHS = (1, 2, 4, 7, 14, 28, 56, 91)
"""Blocks of a window."""
RARE = 0.005
"""Share of the reference's rows below which it hardly ever has a bin."""
_FEWEST = 8
"""Windows that a reference must hold, without overlap, to say how far windows of that length lie apart. Half as many do
of single blocks, for without any of them a reference is compared by chance alone."""


def window_spreads(codes: Integers, bins: int, blocks: Integers | None) -> tuple[WindowSpread, ...]:
    """By window length. ``codes`` (rows,) is each row's bin, ``blocks`` (rows,) its time block from 0 on."""
    if blocks is None or not codes.size:
        return ()
    count = int(blocks.max()) + 1
    table = np.bincount(blocks * bins + codes, minlength=count * bins).reshape(count, bins).astype(np.float64)
    table = table[table.sum(axis=1) > 0]
    whole = table.sum(axis=0)
    found = []
    for length in LENGTHS:
        windows = len(table) // length
        if windows < (_FEWEST if length > 1 else _FEWEST // 2):
            break
        inside = table[: windows * length].reshape(windows, length, bins).sum(axis=1)
        shares = inside[:, whole < RARE * whole.sum()].sum(axis=1) / inside.sum(axis=1)
        beyond = max(float(_beyond_chance(inside, whole).mean()), 0.0)
        found.append(WindowSpread(length, windows, beyond, float(shares.var())))
    return tuple(found)


def window_p(js: float, rows: tuple[int, int], bins: int, spreads: tuple[WindowSpread, ...], blocks: float) -> float:
    """How seldom a window of ``blocks`` blocks lies this far (``unbiased_js``) from a reference without drift.

    ``rows`` are the window's and the reference's. A day moves a column one way, so what time adds is the square of one
    normal number, over a mean that was estimated from as many windows as the reference holds: Fisher's F. Chance, whose
    mean is taken off already, gets one standard deviation on top. Without spreads there is chance alone.
    """
    degrees = max(bins - 1, 1)
    chance = degrees * (1 / max(rows[0], 1) + 1 / max(rows[1], 1))
    beyond = 8 * js**2 - chance * (2 / degrees) ** 0.5
    fitting = _fitting(spreads, blocks)
    by_chance = chi_square_tail((8 * js**2 + chance) * degrees / chance, degrees)
    if fitting is None:
        return by_chance
    return max(by_chance, f_tail(beyond / (fitting.excess + chance / degrees), 1, fitting.windows))


def rare_p(
    shares: tuple[float, float], rows: tuple[int, int], spreads: tuple[WindowSpread, ...], blocks: float
) -> float:
    """How seldom a window has so many rows in bins that the reference hardly ever has, such as missing values.

    ``shares`` and ``rows`` are the window's and the reference's. What moves a column from day to day says little of
    such rows, so their own share is compared, with its own variance between windows. Without spreads 1.
    """
    fitting, (now, usual) = _fitting(spreads, blocks), shares
    if fitting is None or now <= usual:
        return 1.0
    pooled = (now * rows[0] + usual * rows[1]) / (rows[0] + rows[1])
    chance = pooled * (1 - pooled) * (1 / rows[0] + 1 / rows[1])
    return f_tail((now - usual) ** 2 / (fitting.rare + chance), 1, fitting.windows) if chance else 0.0


def needed_js(p: float, rows: tuple[int, int], bins: int, spreads: tuple[WindowSpread, ...], blocks: float) -> float:
    """The distance that a window without drift exceeds with probability ``p``."""
    low, high = 0.0, 0.84
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if window_p(middle, rows, bins, spreads, blocks) > p else (low, middle)
    return high


def blocks_of(rows: int, reference: int, spreads: tuple[WindowSpread, ...]) -> float:
    """How many blocks of the reference hold so many rows; what stands in for a window's length where it is unknown."""
    return rows * spreads[0].windows / reference if spreads and reference else 0.0


def _fitting(spreads: tuple[WindowSpread, ...], blocks: float) -> WindowSpread | None:
    """The spread of the longest windows that are no longer than this one; longer ones lie closer together."""
    return next((spread for spread in reversed(spreads) if spread.blocks <= blocks), spreads[0] if spreads else None)


def _beyond_chance(windows: Floats, whole: Floats) -> Floats:
    """8 · JS² of each window (windows, bins) and the rest of the whole (bins,), less chance: (windows,)."""
    rest = whole - windows
    rows, others = windows.sum(axis=1), rest.sum(axis=1)
    p, q = windows / rows[:, None], rest / others[:, None]
    middle = (p + q) / 2

    def divergence(part: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(part > 0, part * np.log(part / middle), 0.0).sum(axis=1))

    chance = (np.count_nonzero(whole) - 1) * (1 / rows + 1 / others)
    return np.asarray(4 * (divergence(p) + divergence(q)) - chance, dtype=np.float64)


def rounded(spreads: tuple[WindowSpread, ...]) -> tuple[WindowSpread, ...]:
    """The same with six digits, as a profile keeps them."""
    return tuple(WindowSpread(s.blocks, s.windows, float(f"{s.excess:.6g}"), float(f"{s.rare:.6g}")) for s in spreads)
