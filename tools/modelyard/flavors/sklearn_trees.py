"""The decision trees in an estimator, checked after skops has loaded them.

scikit-learn walks a tree's nodes without looking: a child, a feature or a set of categories outside of its array makes
it read outside of its memory, and a circle never ends. A trial may miss the branch; every node is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .unsound import Unsound

_MOST_OBJECTS = 1_000_000


def check_trees(estimator: Any) -> None:
    """Unsound when a tree in an estimator, or in one that it holds, leads outside of its arrays or to itself."""
    from sklearn.ensemble._forest import BaseForest
    from sklearn.ensemble._gb import BaseGradientBoosting
    from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
    from sklearn.tree import BaseDecisionTree

    for found in _held(estimator):
        if isinstance(found, BaseDecisionTree):
            _check_tree(getattr(found, "tree_", None), int(getattr(found, "n_features_in_", 0)))
        elif isinstance(found, (BaseForest, BaseGradientBoosting)):
            # These hand rows to their trees without asking how many numbers the trees take.
            for one in np.ravel(np.asarray(getattr(found, "estimators_", []), dtype=object)):
                _check_tree(getattr(one, "tree_", None), int(getattr(found, "n_features_in_", 0)))
        elif isinstance(found, BaseHistGradientBoosting):
            for step in getattr(found, "_predictors", []):
                for predictor in step:
                    _check_predictor(predictor, int(getattr(found, "n_features_in_", 0)))


def _check_tree(tree: Any, features: int) -> None:
    if tree is None:  # not fitted; the library says so itself
        return
    if not tree.node_count:
        raise Unsound("a tree has no nodes")
    left, right = np.asarray(tree.children_left), np.asarray(tree.children_right)
    inner = np.flatnonzero(left != -1)
    _check_children(inner, left[inner], right[inner], len(left))
    _check_range(np.asarray(tree.feature)[inner], features, "a feature")


def _check_predictor(predictor: Any, features: int) -> None:
    nodes = np.asarray(predictor.nodes)
    if not len(nodes):
        raise Unsound("a tree has no nodes")
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    chosen = nodes[inner]
    _check_children(inner, chosen["left"].astype(np.int64), chosen["right"].astype(np.int64), len(nodes))
    _check_range(chosen["feature_idx"].astype(np.int64), features, "a feature")
    listed = chosen[chosen["is_categorical"] != 0]
    for sets in (predictor.binned_left_cat_bitsets, predictor.raw_left_cat_bitsets):
        _check_range(listed["bitset_idx"].astype(np.int64), len(sets), "a set of categories")


def _check_children(inner: Any, left: Any, right: Any, nodes: int) -> None:
    """Each child stands behind its parent, as scikit-learn writes them, so there is no circle."""
    for children in (left, right):
        if (children <= inner).any() or (children >= nodes).any():
            raise Unsound("a tree has a child that is not a later one of its nodes")


def _check_range(values: Any, most: int, what: str) -> None:
    if values.size and (values.min() < 0 or values.max() >= most):
        raise Unsound(f"a tree has {what} outside of 0 to {most - 1}")


def _held(estimator: Any) -> Iterator[Any]:
    """An object and all that it holds: attributes, and what is in lists and arrays of objects."""
    seen: dict[int, Any] = {}
    waiting = [estimator]
    while waiting:
        found = waiting.pop()
        if id(found) in seen or found is None or isinstance(found, (str, bytes, int, float, type)):
            continue
        seen[id(found)] = found
        if len(seen) > _MOST_OBJECTS:
            raise Unsound(f"it holds more than {_MOST_OBJECTS:,} objects")
        if isinstance(found, dict):
            waiting += found.values()
        elif isinstance(found, (list, tuple, set, frozenset)):
            waiting += found
        elif isinstance(found, np.ndarray):
            waiting += found.ravel().tolist() if found.dtype == object else []
        else:
            yield found
            waiting += vars(found).values() if hasattr(found, "__dict__") else []
