"""XGBoost's JSON and UBJSON formats, checked before the library reads them.

The library trusts a file: it uses children, features and categories as indexes without looking, and a circle never
ends. So the whole document is checked here, by what ``Booster.save_model`` of XGBoost 1.7 to 3.2 writes. A name that
is not known is refused, because nothing here says what the library would do with it.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checked_values import (
    Integers,
    require_count,
    require_finite,
    require_integer,
    require_integers,
    require_numbers,
    require_object,
)
from .ubjson import read_ubjson
from .unsound import Unsound

_LEARNER = frozenset(
    {"attributes", "feature_names", "feature_types", "gradient_booster", "learner_model_param", "objective"}
)
_PARAMETERS = frozenset({"base_score", "boost_from_average", "num_class", "num_feature", "num_target"})
_TREES = frozenset({"cats", "gbtree_model_param", "iteration_indptr", "tree_info", "trees"})
_TREE_COUNTS = frozenset({"num_parallel_tree", "num_trees", "size_leaf_vector"})
_TREE = frozenset(
    {"base_weights", "categories", "categories_nodes", "categories_segments", "categories_sizes", "default_left", "id",
     "leaf_weights", "left_children", "loss_changes", "parents", "right_children", "split_conditions", "split_indices",
     "split_type", "sum_hessian", "tree_param"}
)  # fmt: skip
_TREE_PARAMETERS = frozenset({"num_deleted", "num_feature", "num_nodes", "size_leaf_vector"})
_DELETED, _NO_PARENT = (2**31 - 1, 2**32 - 1), (-1, 2**31 - 1)
_MOST_CLASSES, _MOST_FEATURES, _MOST_NODES, _DEEPEST = 10_000, 1_000_000, 4_000_000, 2_000
_MOST_TREES, _LAST_CATEGORY, _MOST_CATEGORY_WORDS = 1_000_000, 2**24 - 1, 50_000_000
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d{1,3})?"
_SCORES = re.compile(rf"\[?({_NUMBER}(?:,{_NUMBER})*)\]?")
_VALUE = re.compile(r"[-+A-Za-z0-9_.,\[\] ]{0,10000}")
_ESCAPE = re.compile(rb"(?<!\\)((?:\\\\)*)\\u")
"""A character by its number. The library writes and reads it as the six characters that it is spelled with."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,60}(?::[a-z0-9_]{1,60})?")


def check_model(content: bytes) -> None:
    """Unsound unless the library can read a model without leaving its memory or running for ever."""
    document = read_ubjson(content) if content.startswith(b"{L") else _read_json(content)
    require_object(document, frozenset({"learner", "version"}), "it")
    require_integers(document["version"], 3, 0, 10**6, "its version")
    learner = require_object(
        document["learner"], _LEARNER, "its learner", without=("attributes", "feature_names", "feature_types")
    )
    features, groups = _check_parameters(learner)
    _check_texts(learner, features)
    booster = learner["gradient_booster"]
    kind = booster.get("name") if isinstance(booster, dict) else None
    if type(kind) is not str:
        raise Unsound("its booster has no name")
    if kind == "gblinear":
        model = require_object(require_object(booster, frozenset({"model", "name"}), "its booster")["model"],
                        frozenset({"boosted_rounds", "weights"}), "its model", without=("boosted_rounds",))  # fmt: skip
        require_integer(model.get("boosted_rounds", 0), 0, _MOST_TREES, "its boosted_rounds")
        require_finite(require_numbers(model["weights"], (features + 1) * groups, "its weights"), "its weights")
    elif kind == "dart":
        require_object(booster, frozenset({"gbtree", "name", "weight_drop"}), "its booster")
        trees = _check_booster(booster["gbtree"], features, groups)
        require_finite(require_numbers(booster["weight_drop"], trees, "its weight_drop"), "its weight_drop")
    else:
        _check_booster(booster, features, groups)


def _read_json(content: bytes) -> dict[str, Any]:
    content = _ESCAPE.sub(rb"\1\\\\u", content)
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_once)  # type: ignore[no-any-return]
    except RecursionError:
        raise Unsound("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise Unsound("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Unsound(f"it is no JSON at character {error.pos}: {error.msg}") from None
    except ValueError as error:  # Unsound, or a number of thousands of digits
        raise Unsound(str(error)) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unsound("it has a name twice in one object")
    return found


def _check_parameters(learner: dict[str, Any]) -> tuple[int, int]:
    """Checks counts, base score and objective; returns the numbers of features and of scores for each row."""
    given = require_object(learner["learner_model_param"], _PARAMETERS, "its learner_model_param",
                    without=("boost_from_average", "num_target"))  # fmt: skip
    classes = require_count(given["num_class"], 0, _MOST_CLASSES, "its num_class")
    targets = require_count(given.get("num_target", "1"), 1, _MOST_CLASSES, "its num_target")
    features = require_count(given["num_feature"], 1, _MOST_FEATURES, "its num_feature")
    require_count(given.get("boost_from_average", "1"), 0, 1, "its boost_from_average")
    if classes > 1 and targets > 1:
        raise Unsound(f"it has {classes} classes and {targets} targets")
    groups = max(classes, targets, 1)
    scores = given["base_score"]
    match = _SCORES.fullmatch(scores) if isinstance(scores, str) else None
    if match is None or len(match[1].split(",")) not in (1, groups):
        raise Unsound(f"its base_score is {str(scores)[:40]!r}, which is a finite number, or {groups} of them")
    require_finite(np.array(match[1].split(","), dtype=np.float32), "its base_score")
    _check_objective(learner["objective"], classes, targets)
    return features, groups


def _check_texts(learner: dict[str, Any], features: int) -> None:
    """Names, types and attributes, which the library passes on as they are."""
    for key in ("feature_names", "feature_types"):
        names = learner.get(key, [])
        if not isinstance(names, list) or len(names) not in (0, features) or not all(type(n) is str for n in names):
            raise Unsound(f"its {key} are not a text for each of {features} features")
    if any("\0" in name for name in learner.get("feature_names", [])):
        raise Unsound("it has a feature whose name holds a zero byte")
    for key, value in require_object(learner.get("attributes", {}), None, "its attributes").items():
        if type(value) is not str or "\0" in key + value:
            raise Unsound(f"its attribute {key[:40]!r} is no text")


def _check_objective(objective: Any, classes: int, targets: int) -> None:
    found = require_object(objective, None, "its objective")
    name = found.get("name")
    if type(name) is not str or not _NAME.fullmatch(name):
        raise Unsound(f"its objective is {str(name)[:40]!r}")
    for key, values in found.items():
        if key == "name":
            continue
        for setting, value in require_object(values, None, f"its objective's {key}").items():
            where = f"its objective's {setting}"
            if type(value) is not str or not _VALUE.fullmatch(value):
                raise Unsound(f"{where[:60]} is {str(value)[:40]!r}")
            if setting == "num_class":
                said = require_count(value, 0, _MOST_CLASSES, where)
                if said != classes:
                    raise Unsound(f"its objective has {said} classes and its learner {classes}")
            if setting.endswith("_alpha") and value.startswith("[") and len(value.split(",")) != targets:
                raise Unsound(f"{where} has {len(value.split(','))} values for {targets} targets")
    if name.startswith("multi:") and not classes:
        raise Unsound(f"its objective is {name}, but it has no classes")


def _check_booster(booster: Any, features: int, groups: int) -> int:
    """Checks the trees of a gbtree; returns their number."""
    name = require_object(booster, frozenset({"model", "name"}), "its booster")["name"]
    if type(name) is not str or name != "gbtree":
        raise Unsound(f"its booster is {str(name)[:40]!r}")
    model = require_object(booster["model"], _TREES, "its model", without=("cats", "iteration_indptr"))
    trees = model["trees"]
    if not isinstance(trees, list):
        raise Unsound("its trees are no list")
    counts = require_object(model["gbtree_model_param"], _TREE_COUNTS, "its gbtree_model_param",
                     without=("num_parallel_tree", "size_leaf_vector"))  # fmt: skip
    if require_count(counts["num_trees"], 0, _MOST_TREES, "its num_trees") != len(trees):
        raise Unsound(f"it has {len(trees)} trees and says {counts['num_trees']}")
    parallel = require_count(counts.get("num_parallel_tree", "1"), 0, _MOST_TREES, "its num_parallel_tree")
    require_count(counts.get("size_leaf_vector", "0"), 0, 1, "its size_leaf_vector")
    require_integers(model["tree_info"], len(trees), 0, groups - 1, "its tree_info")
    if "iteration_indptr" in model:
        _check_steps(model["iteration_indptr"], len(trees), "its iteration_indptr")
    elif len(trees) % (max(parallel, 1) * groups):
        raise Unsound(f"it has {len(trees)} trees, {parallel} for each step and score")
    if "cats" in model:
        _check_lists(model["cats"], features)
    words = 0
    for number, tree in enumerate(trees):
        words += _check_tree(tree, number, features, groups)
        if words > _MOST_CATEGORY_WORDS:
            raise Unsound(f"its categories take more than {4 * _MOST_CATEGORY_WORDS:,} bytes")
    return len(trees)


def _check_lists(lists: Any, features: int) -> None:
    """The categories of each feature: texts as one run of bytes with offsets, or numbers."""
    found = require_object(lists, frozenset({"enc", "feature_segments", "sorted_idx"}), "its cats")
    if not isinstance(found["enc"], list) or len(found["enc"]) not in (0, features):
        raise Unsound(f"its cats are not a list for each of {features} features")
    sizes = [_check_list(one, f"the categories of feature {number}") for number, one in enumerate(found["enc"])]
    segments = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
    given = require_integers(found["feature_segments"], None, 0, 2**31 - 1, "its feature_segments")
    if not np.array_equal(given, segments) and (given.size or sum(sizes)):
        raise Unsound("its feature_segments are not the numbers of its categories")
    order = require_integers(found["sorted_idx"], sum(sizes), 0, 2**31 - 1, "its sorted_idx")
    for start, size in zip(segments.tolist(), sizes, strict=False):
        if not np.array_equal(np.sort(order[start : start + size]), np.arange(size)):
            raise Unsound("its sorted_idx do not name each category once")


def _check_list(one: Any, where: str) -> int:
    """Checks the categories of one feature; returns their number."""
    if not isinstance(one, dict) or "offsets" not in one:
        require_object(one, frozenset({"type", "values"}), where)
        require_integer(one["type"], 0, 63, where)
        return len(require_numbers(one["values"], None, where))
    require_object(one, frozenset({"offsets", "values"}), where)
    raw = require_integers(one["values"], None, -128, 255, where)
    if not require_integers(one["offsets"], None, 0, 2**31 - 1, where).size and not raw.size:
        return 0
    bounds = _check_steps(one["offsets"], len(raw), f"{where}: its offsets").tolist()
    text = (raw & 255).astype(np.uint8).tobytes()
    try:
        for start, stop in pairwise(bounds):
            text[start:stop].decode("utf-8")
    except UnicodeDecodeError:
        raise Unsound(f"{where} are not UTF-8") from None
    return len(bounds) - 1


def _check_tree(tree: Any, number: int, features: int, groups: int) -> int:
    """Checks one tree; returns how many words of memory its categories take."""
    where = f"tree {number}"
    found = require_object(tree, _TREE, where, without=("leaf_weights",))
    require_integer(found["id"], number, number, f"{where}: its id")  # the library puts it there
    counts = require_object(
        found["tree_param"], _TREE_PARAMETERS, f"{where}: its tree_param", without=("size_leaf_vector",)
    )
    nodes = require_count(counts["num_nodes"], 1, _MOST_NODES, f"{where}: its num_nodes")
    deleted = require_count(counts["num_deleted"], 0, nodes - 1, f"{where}: its num_deleted")
    width = max(
        1, require_count(counts.get("size_leaf_vector", "1"), 0, _MOST_CLASSES, f"{where}: its size_leaf_vector")
    )
    if require_count(counts["num_feature"], 1, _MOST_FEATURES, f"{where}: its num_feature") != features:
        raise Unsound(f"{where} has {counts['num_feature']} features and the learner {features}")
    if width not in (1, groups) or ("leaf_weights" in found) != (width > 1):
        raise Unsound(f"{where} has leaves of {width} numbers, and the learner gives {groups} scores")
    for key in ("loss_changes", "sum_hessian"):
        require_numbers(found[key], nodes, f"{where}: its {key}")
    require_numbers(found["base_weights"], nodes * width, f"{where}: its base_weights")
    require_integers(found["default_left"], nodes, 0, 1, f"{where}: its default_left")
    left = require_integers(found["left_children"], nodes, -1, nodes - 1, f"{where}: its left_children")
    right = require_integers(found["right_children"], nodes, -1, nodes - 1, f"{where}: its right_children")
    parents = require_integers(found["parents"], nodes, -1, 2**31 - 1, f"{where}: its parents")
    inner, reached = left != -1, _reached(left, right, parents, where)
    leaves = reached & ~inner
    if int(reached.sum()) != nodes - deleted:
        raise Unsound(f"{where} has nodes that nothing reaches")
    splits = require_integers(found["split_indices"], nodes, 0, 2**32 - 1, f"{where}: its split_indices")
    if (splits[reached] >= features).any():
        raise Unsound(f"{where} has a split_indices outside of 0 to {features - 1}")
    if not np.isin(splits[~reached], _DELETED).all() or inner[~reached].any():
        raise Unsound(f"{where} has a deleted node that is not marked as one")
    values = require_numbers(found["split_conditions"], nodes, f"{where}: its split_conditions")
    if width > 1:
        vectors = require_numbers(found["leaf_weights"], None, f"{where}: its leaf_weights")
        require_finite(vectors, f"{where}: its leaf_weights")
        if len(vectors) % width or (right[leaves] < 0).any() or (right[leaves] >= len(vectors) // width).any():
            raise Unsound(f"{where} has a leaf without leaf_weights")
    else:
        require_finite(values[leaves], f"{where}: the values of its leaves")
        if (right[~inner] != -1).any():
            raise Unsound(f"{where} has a node with one child")
    kinds = require_integers(found["split_type"], nodes, 0, 1, f"{where}: its split_type")
    if np.isnan(values[reached & inner & (kinds == 0)]).any():
        raise Unsound(f"{where} has a split at something that is no number")
    return _check_categories(found, np.flatnonzero(reached & inner & (kinds == 1)), where)


def _reached(left: Integers, right: Integers, parents: Integers, where: str) -> NDArray[np.bool_]:
    """The nodes that are reached from the first one. Each has one parent, which it names, so there is no circle."""
    inner = np.flatnonzero(left != -1)
    children, above = np.concatenate((left[inner], right[inner])), np.concatenate((inner, inner))
    if (children < 1).any() or len(np.unique(children)) != len(children):
        raise Unsound(f"{where} reaches a node twice, or its first node again")
    if (parents[1:] < 0).any() or (parents[1:] >= len(left)).any():  # the library also follows those of deleted nodes
        raise Unsound(f"{where} has parents outside of 0 to {len(left) - 1}")
    if int(parents[0]) not in _NO_PARENT or not np.array_equal(parents[children], above):
        raise Unsound(f"{where} has parents that are not those of its children")
    found = np.zeros(len(left), dtype=bool)
    level, depth = np.zeros(1, dtype=np.int64), 0
    while level.size:
        depth += 1
        if depth > _DEEPEST:
            raise Unsound(f"{where} is deeper than {_DEEPEST} levels")
        found[level] = True
        split = level[left[level] != -1]
        level = np.concatenate((left[split], right[split]))
    return found


def _check_categories(tree: dict[str, Any], categorical: Integers, where: str) -> int:
    """The lists of categorical splits, one for each; returns the words of their bit fields."""
    nodes = require_integers(
        tree["categories_nodes"], len(categorical), 0, _MOST_NODES, f"{where}: its categories_nodes"
    )
    if not np.array_equal(nodes, categorical):
        raise Unsound(f"{where} has categories_nodes that are not its categorical splits")
    listed = require_integers(tree["categories"], None, 0, _LAST_CATEGORY, f"{where}: its categories")
    sizes = require_integers(tree["categories_sizes"], len(nodes), 1, len(listed), f"{where}: its categories_sizes")
    starts = require_integers(
        tree["categories_segments"], len(nodes), 0, len(listed), f"{where}: its categories_segments"
    )
    ends = np.cumsum(sizes)
    if not np.array_equal(starts, ends - sizes) or int(sizes.sum()) != len(listed):
        raise Unsound(f"{where} has categories_sizes that do not divide its categories")
    return int((np.maximum.reduceat(listed, starts) // 32 + 1).sum()) if len(nodes) else 0


def _check_steps(value: Any, last: int, where: str) -> Integers:
    """Whole numbers that begin with 0, never fall, and end with ``last``."""
    found = require_integers(value, None, 0, last, where)
    if not len(found) or found[0] != 0 or found[-1] != last or (np.diff(found) < 0).any():
        raise Unsound(f"{where} do not rise from 0 to {last}")
    return found
