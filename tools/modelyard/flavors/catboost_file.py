"""The trees in CatBoost's binary format, checked before the library reads them.

The library verifies where the parts of a file are, and believes what they hold. Here every split, size and leaf is
checked, by the tables of CatBoost 1.2 (``model.fbs``, ``features.fbs``). The statistics of categories behind the trees
are not, so a trial asks such a model too.
"""

from __future__ import annotations

import struct
from itertools import chain
from typing import Any

import numpy as np

from .flatbuffer import Table
from .unsound import Unsound

_HEAD = 8
_MOST_CLASSES, _MOST_FEATURES, _DEEPEST = 10_000, 1_000_000, 16
_NO_LEAF = 2**32 - 1
# Numbers of fields of TObliviousTrees.
_DIMENSION, _SPLITS, _SIZES, _STARTS, _CATEGORIES, _FLOATS, _ONE_HOT, _STATISTICS, _VALUES, _WEIGHTS = range(10)
_STEPS, _LEAVES, _TEXTS, _ESTIMATED = range(10, 14)


def check_model(content: bytes) -> None:
    """Unsound unless every split, size and leaf of the trees is inside of its list."""
    (size,) = struct.unpack("<I", content[4:_HEAD]) if len(content) > _HEAD else (0,)
    if not 0 < size <= len(content) - _HEAD:
        raise Unsound("it is cut off")
    trees = Table.root(content[_HEAD : _HEAD + size]).table(1)
    if trees is None:
        raise Unsound("it has no trees")
    if trees.tables(_TEXTS) or trees.tables(_ESTIMATED):
        raise Unsound("it has features of texts or embeddings, which are not supported")
    splits, sizes = trees.numbers(_SPLITS, "<i4").astype(np.int64), trees.numbers(_SIZES, "<i4").astype(np.int64)
    choices = _check_features(trees)
    if splits.size and (splits.min() < 0 or splits.max() >= choices):
        raise Unsound(f"its trees have a split outside of 0 to {choices - 1}")
    ends = np.cumsum(sizes)
    if (sizes < 0).any() or int(sizes.sum()) != len(splits):
        raise Unsound("the sizes of its trees do not divide their splits")
    if not np.array_equal(trees.numbers(_STARTS, "<i4"), ends - sizes):
        raise Unsound("its trees do not begin where the ones before them end")
    dimension = trees.number(_DIMENSION, "<i", 0)
    values, weights = trees.numbers(_VALUES, "<f8"), trees.numbers(_WEIGHTS, "<f8")
    if not 1 <= dimension <= _MOST_CLASSES or len(values) % dimension:
        raise Unsound(f"it has {len(values)} values of leaves for {dimension} scores")
    if not np.isfinite(values).all():
        raise Unsound("it has a leaf whose value is no finite number")
    leaves = len(values) // dimension
    if len(weights) not in (0, leaves):
        raise Unsound(f"it has {len(weights)} weights for {leaves} leaves")
    if len(trees.numbers(_STEPS, "<u4")):
        _check_steps(trees, ends, sizes, leaves, dimension)
    elif (sizes > _DEEPEST).any() or int((2**sizes).sum()) != leaves:
        raise Unsound(f"its trees have not {leaves} leaves")


def _check_features(trees: Table) -> int:
    """Checks the places of features; returns how many splits they give."""
    categories = [_place(one, 0) for one in trees.tables(_CATEGORIES)]
    floats = [_place(one, 1) for one in trees.tables(_FLOATS)]
    for places in (
        [index for index, _ in categories],
        [index for index, _ in floats],
        [flat for _, flat in chain(categories, floats)],
    ):
        if len(set(places)) != len(places) or any(not 0 <= place < _MOST_FEATURES for place in places):
            raise Unsound("two of its features are at one place, or one is at none")
    coded, numeric = {index for index, _ in categories}, {index for index, _ in floats}
    borders = sum(len(one.numbers(3, "<f4")) for one in trees.tables(_FLOATS))
    for one in trees.tables(_ONE_HOT):
        if one.number(0, "<i", -1) not in coded:
            raise Unsound("it splits by a category that it does not have")
        borders += len(one.numbers(1, "<i4"))
    for one in trees.tables(_STATISTICS):
        statistic = one.table(0)
        base = statistic.table(0) if statistic else None
        combined = base.table(0) if base else None
        if combined is None:
            raise Unsound("it has a statistic of no category")
        chosen: Any = (
            combined.numbers(0, "<i4"),
            combined.numbers(1, "<i4, <f4")["f0"],
            combined.numbers(2, "<i4, <i4")["f0"],
        )
        for places, known in zip(chosen, (coded, numeric, coded), strict=True):
            if not set(places.tolist()) <= known:
                raise Unsound("it has a statistic of a feature that it does not have")
        borders += len(one.numbers(1, "<f4"))
    return borders


def _place(feature: Table, at: int) -> tuple[int, int]:
    return feature.number(at, "<i", -1), feature.number(at + 1, "<i", -1)


def _check_steps(trees: Table, ends: Any, sizes: Any, leaves: int, dimension: int) -> None:
    """Trees that are not symmetric: every step leads forward in its tree, or to a leaf."""
    steps, ids = trees.numbers(_STEPS, "<u2, <u2"), trees.numbers(_LEAVES, "<u4").astype(np.int64)
    if len(steps) != int(sizes.sum()) or len(ids) != len(steps):
        raise Unsound(f"it has {len(steps)} steps and {len(ids)} leaves for {int(sizes.sum())} nodes")
    if (sizes < 1).any():
        raise Unsound("it has a tree without nodes")
    last = np.repeat(ends, sizes)
    nodes = np.arange(len(steps))
    left, right = steps["f0"].astype(np.int64), steps["f1"].astype(np.int64)
    if (nodes + left >= last).any() or (nodes + right >= last).any():
        raise Unsound("it has a step that leads out of its tree")
    reached = ids[(left == 0) | (right == 0)]
    if ((reached == _NO_LEAF) | (reached >= leaves * dimension) | (reached % dimension != 0)).any():
        raise Unsound("it has a node without its leaf")
