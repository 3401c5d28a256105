"""LightGBM's text format, checked before the library reads it.

The library trusts a file: an index, a size or a count that is wrong, or a tree with a circle, makes it read outside of
its memory, run for ever or end the process. So every number that it uses as an index or a length is checked here, by
the format that ``Tree::ToString`` and ``GBDT::SaveModelToString`` of LightGBM 4 write.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from .unsound import Unsound
from .values import Floats

Integers = NDArray[np.int64]

_TREES = b"\nend of trees\n"
_SECTION = re.compile(rb"Tree=(\d{1,9})\n")
_LINE = re.compile(rb"([a-z_]+)(?:=([^\n]*))?")
_HEADER = frozenset(
    b"version num_class num_tree_per_iteration label_index max_feature_idx objective average_output feature_names"
    b" monotone_constraints feature_infos tree_sizes".split()
)
_TREE = frozenset(
    b"num_leaves num_cat split_feature split_gain threshold decision_type left_child right_child leaf_value leaf_weight"
    b" leaf_count internal_value internal_weight internal_count cat_boundaries cat_threshold is_linear leaf_const"
    b" num_features leaf_features leaf_coeff shrinkage".split()
)
_OBJECTIVE = re.compile(rb"[a-z0-9_]+(?: [a-z_]+:[0-9.eE+-]+| sqrt)*")
_PARAMETER = re.compile(rb"\[[a-z0-9_]{1,60}: [^\[\]\x00-\x1f]{0,10000}\]")
_IMPORTANCE = re.compile(rb"[^\n]*=\d{1,19}")
_INFO = re.compile(rb"none|\[[-+.0-9einf]+:[-+.0-9einf]+\]|-?\d{1,10}(?::-?\d{1,10})*")
_INTEGER = re.compile(rb"-?\d{1,10}")
_VALUES = re.compile(rb"[-+.0-9eEinfa ]*")
_NUMBERS = re.compile(rb"[-+.0-9eEinfa]+")
_CATEGORICAL, _DECISIONS = 1, 12
_MOST_CLASSES, _MOST_FEATURES, _MOST_LEAVES, _DEEPEST = 10_000, 1_000_000, 131_072, 2_000


def check_text(content: bytes) -> None:
    """Unsound unless the library can read a text model without reading outside of its memory or running for ever."""
    if b"\0" in content or b"\r" in content:
        raise Unsound("it has a zero byte or a carriage return")
    body, end, tail = content.partition(_TREES)
    if not end:
        raise Unsound("it is cut off")
    _check_tail(tail)
    found = list(_SECTION.finditer(body))
    starts = [match.start() for match in found]
    if [int(match[1]) for match in found] != list(range(len(found))):
        raise Unsound("its trees are not numbered from 0 on")
    if any(body[at - 1 : at] != b"\n" for at in starts):
        raise Unsound("a tree does not begin on a line of its own")
    head = body[: starts[0]] if starts else body
    header = _values(head.removeprefix(b"tree\n"), _HEADER, "its header")
    ends = [*starts[1:], len(body) + 1][: len(starts)]
    features = _check_header(header, len(starts))
    _check_sizes(header, starts, ends, content)
    for number, (start, stop) in enumerate(zip(starts, ends, strict=True)):
        section = body[start:stop].partition(b"\n")[2]
        _check_tree(_values(section, _TREE, f"tree {number}"), features, f"tree {number}")


def _values(text: bytes, known: frozenset[bytes], where: str) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for line in text.split(b"\n"):
        if not line:
            continue
        match = _LINE.fullmatch(line)
        if match is None or match[1] not in known:
            raise Unsound(f"{where} has a line that the format does not know: {line[:40]!r}")
        if known is _TREE and not _VALUES.fullmatch(match[2] or b""):
            raise Unsound(f"{where} has something else than numbers: {line[:40]!r}")
        if match[1] in found:
            raise Unsound(f"{where} has {match[1].decode()} twice")
        found[match[1]] = match[2] or b""
    return found


def _check_tail(tail: bytes) -> None:
    """The parameters of the training, whose lines the library takes apart without looking."""
    importances, middle, rest = tail.partition(b"\nparameters:\n")
    parameters, end, _ = rest.partition(b"end of parameters\n")
    if not middle or not end:
        raise Unsound("it is cut off")
    lines = importances.partition(b"feature_importances:\n")[2].split(b"\n")
    if not importances.startswith(b"\nfeature_importances:\n") or not all(
        _IMPORTANCE.fullmatch(line) for line in lines if line
    ):
        raise Unsound("its feature_importances are not whole numbers")
    for line in parameters.rstrip(b"\n").split(b"\n"):
        if not _PARAMETER.fullmatch(line):
            raise Unsound(f"its parameters have a line that the format does not know: {line[:40]!r}")


def _check_header(header: dict[bytes, bytes], trees: int) -> int:
    """Checks counts, names and objective; returns the number of features."""
    classes = _integer(header, b"num_class", "its header", 1, _MOST_CLASSES)
    outputs = _integer(header, b"num_tree_per_iteration", "its header", 1, _MOST_CLASSES)
    features = _integer(header, b"max_feature_idx", "its header", 0, _MOST_FEATURES) + 1
    _integer(header, b"label_index", "its header", 0, _MOST_FEATURES)
    if outputs not in (1, classes) or trees % outputs:
        raise Unsound(f"it has {trees} trees, {outputs} for each step, and {classes} classes")
    for key in (b"feature_names", b"feature_infos"):
        count = len(header.get(key, b"").split(b" "))
        if count != features:
            raise Unsound(f"it has {features} features and {count} {key.decode()}")
    for info in header[b"feature_infos"].split(b" "):
        if not _INFO.fullmatch(info) or any(
            abs(int(code)) >= 2**31 for code in re.findall(rb"(?<![.\d])\d{10,}", info)
        ):
            raise Unsound(f"it has the feature_infos {info[:40]!r}")
    if b"monotone_constraints" in header:
        _numbers(header, b"monotone_constraints", "its header", features)
    objective = header.get(b"objective", b"")
    if b"objective" in header and not _OBJECTIVE.fullmatch(objective):
        raise Unsound(f"its objective is {objective[:60]!r}")
    for said in re.findall(rb" num_class:(\S+)", objective):
        if said != str(classes).encode():
            raise Unsound(f"its objective has {said.decode()} classes and its header {classes}")
    if objective.startswith(b"multiclass") and (b"num_class:" not in objective or outputs != classes):
        raise Unsound("its objective and its header have different numbers of classes")
    return features


def _check_sizes(header: dict[bytes, bytes], starts: list[int], ends: list[int], content: bytes) -> None:
    """The library cuts the file by these sizes, without looking at what is there."""
    if b"tree_sizes" not in header:
        return
    sizes = _indices(header, b"tree_sizes", "its header", len(starts), 1, 10**10)
    first = starts[0] if starts else 0
    offsets = first + np.concatenate(([0], np.cumsum(sizes)))
    if not np.array_equal(offsets[:-1], starts) or (starts and not content[int(offsets[-1]) :].startswith(_TREES[1:])):
        raise Unsound("its tree_sizes are not the sizes of its trees")


def _check_tree(tree: dict[bytes, bytes], features: int, where: str) -> None:
    leaves = _integer(tree, b"num_leaves", where, 1, _MOST_LEAVES)
    categories = _integer(tree, b"num_cat", where, 0, leaves)
    inner = leaves - 1
    values = _numbers(tree, b"leaf_value", where, leaves)
    if not np.isfinite(values).all():
        raise Unsound(f"{where} has a leaf whose value is no finite number")
    optional = {b"leaf_weight": leaves, b"leaf_count": leaves, b"split_gain": inner, b"internal_value": inner,
                b"internal_weight": inner, b"internal_count": inner}  # fmt: skip
    for key, count in optional.items():
        if tree.get(key):
            _numbers(tree, key, where, count)
    if b"shrinkage" in tree:
        _numbers(tree, b"shrinkage", where, 1)
    if inner:
        _indices(tree, b"split_feature", where, inner, 0, features - 1)
        decisions = _indices(tree, b"decision_type", where, inner, 0, 15)
        if ((decisions & _DECISIONS) == _DECISIONS).any():
            raise Unsound(f"{where} has a decision_type that the format does not know")
        thresholds = _numbers(tree, b"threshold", where, inner)
        if np.isnan(thresholds).any():
            raise Unsound(f"{where} has a threshold that is no number")
        _check_categories(tree, where, categories, thresholds[(decisions & _CATEGORICAL) == _CATEGORICAL])
        left = _indices(tree, b"left_child", where, inner, -leaves, inner - 1)
        right = _indices(tree, b"right_child", where, inner, -leaves, inner - 1)
        _check_shape(left.tolist(), right.tolist(), leaves, where)
    elif categories:
        raise Unsound(f"{where} has categories and no split")
    if _integer(tree, b"is_linear", where, 0, 1, missing=0):
        _check_linear(tree, leaves, features, where)


def _check_categories(tree: dict[bytes, bytes], where: str, categories: int, used: Floats) -> None:
    """The bitsets of categorical splits, and the index of each split into them."""
    if categories:
        words = tree.get(b"cat_threshold", b"").split()
        bounds = _indices(tree, b"cat_boundaries", where, categories + 1, 0, len(words))
        _indices(tree, b"cat_threshold", where, len(words), 0, 2**32 - 1)
        if bounds[0] != 0 or bounds[-1] != len(words) or (np.diff(bounds) < 0).any():
            raise Unsound(f"{where} has cat_boundaries that do not divide its cat_threshold")
    if ((used < 0) | (used >= categories) | (used != np.floor(used))).any():
        raise Unsound(f"{where} has a categorical split without categories")


def _check_shape(left: list[int], right: list[int], leaves: int, where: str) -> None:
    """Every node is reached once from the first one."""
    seen_nodes, seen_leaves = {0}, set[int]()
    level, depth = [0], 0
    while level:
        depth += 1
        if depth > _DEEPEST:
            raise Unsound(f"{where} is deeper than {_DEEPEST} levels")
        below: list[int] = []
        for node in level:
            for child in (left[node], right[node]):
                seen, at = (seen_nodes, child) if child >= 0 else (seen_leaves, ~child)
                if at in seen:
                    raise Unsound(f"{where} reaches a node twice")
                seen.add(at)
                if child >= 0:
                    below.append(child)
        level = below
    if len(seen_nodes) != leaves - 1 or len(seen_leaves) != leaves:
        raise Unsound(f"{where} has nodes that nothing reaches")


def _check_linear(tree: dict[bytes, bytes], leaves: int, features: int, where: str) -> None:
    counts = _indices(tree, b"num_features", where, leaves, 0, features)
    total = int(counts.sum())
    _numbers(tree, b"leaf_const", where, leaves)
    _indices(tree, b"leaf_features", where, total, 0, features - 1)
    _numbers(tree, b"leaf_coeff", where, total)


def _integer(
    values: dict[bytes, bytes], key: bytes, where: str, low: int, high: int, missing: int | None = None
) -> int:
    text = values.get(key)
    if text is None and missing is not None:
        return missing
    if text is None or not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
        shown = "no value" if text is None else repr(text[:20].decode(errors="replace"))
        raise Unsound(f"{where} has {shown} as {key.decode()}, which is from {low} to {high}")
    return int(text)


def _indices(values: dict[bytes, bytes], key: bytes, where: str, count: int, low: int, high: int) -> Integers:
    parts = values.get(key, b"").split()
    if len(parts) != count or not all(_INTEGER.fullmatch(part) for part in parts):
        raise Unsound(f"{where} has {len(parts)} values of {key.decode()} where {count} whole numbers belong")
    found = np.array([int(part) for part in parts], dtype=np.int64)
    if count and (found.min() < low or found.max() > high):
        raise Unsound(f"{where} has a {key.decode()} outside of {low} to {high}")
    return found


def _numbers(values: dict[bytes, bytes], key: bytes, where: str, count: int) -> Floats:
    parts = values.get(key, b"").split()
    try:
        if len(parts) != count or not all(_NUMBERS.fullmatch(part) for part in parts):
            raise ValueError
        return np.array(list(map(float, parts)), dtype=np.float64)
    except ValueError:
        raise Unsound(f"{where} has {len(parts)} values of {key.decode()} where {count} numbers belong") from None
