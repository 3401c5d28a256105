"""Inputs as the matrix of a tree library: features matched by name or position, categories as codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .interface import Fault
from .signature import Input, Signature
from .values import MISSING, Column, Columns, Floats, Unreadable, scalar, shown


@dataclass(frozen=True)
class Feature:
    """A feature of the library: an input, or one number of a vector."""

    column: Input
    place: int = 0
    """The index in a vector."""


def match_features(names: Sequence[str], signature: Signature, unnamed: bool, what: str) -> tuple[Feature, ...]:
    """The feature of each name; Fault for a name that is not an input.

    ``unnamed``: the library made the names, so the contract's order counts. Libraries that allow no blanks and brackets
    write underscores. A vector's numbers are named ``name_0``, ``name_1``, … or ``name[0]``.
    """
    every = [Feature(column, place) for column in signature.inputs for place in range(column.width)]
    if unnamed:
        if len(names) != len(every):
            raise Fault(
                f"{what} takes {len(names)} numbers for each row, but the contract's inputs give {len(every)}.",
                "Name the model's inputs in contract.inputs, in the order of the training table.",
            )
        return tuple(every)
    exact = {name: feature for feature in every for name in _names(feature)}
    spelled: dict[str, list[str]] = {}
    for name in exact:
        spelled.setdefault(plain(name), []).append(name)
    given = set(names)
    found: list[Feature] = []
    taken: set[tuple[str, int]] = set()
    for name in names:
        meant = [key for key in spelled.get(name, ()) if key == name or key not in given] or [name] * (name in exact)
        if not meant:
            raise Fault(
                f"{what} was trained on {name!r}, which is not in the contract in model.yaml.",
                "Add the input to the contract, or retrain without it.",
            )
        feature = exact[meant[0]]
        if len(meant) > 1 or (feature.column.name, feature.place) in taken:
            other = " or ".join(map(repr, meant[1:])) or "one that is matched already"
            raise Fault(
                f"{what} was trained on {name!r}, which can be the input {meant[0]!r} or {other}.",
                "Rename the columns so that they differ in more than blanks and brackets.",
            )
        taken.add((feature.column.name, feature.place))
        found.append(feature)
    return tuple(found)


class Levels:
    """The categories of one feature: canonical value → code. Anything else is missing."""

    def __init__(self, column: Input, levels: Sequence[Any], what: str) -> None:
        """The categories ``levels``, in the order of their codes; Fault if two are the same value."""
        codes: dict[str | float, float] = {}
        for code, level in enumerate(levels):
            try:
                value = scalar(column, level)
            except Unreadable as error:
                raise Fault(
                    f"{what} has the category {shown(level)} of {column.name!r}, which is not a valid {column.kind}.",
                    "Name the input's real type in the contract.",
                ) from error
            if value is None:
                continue
            if value in codes:
                raise Fault(
                    f"{what} has two categories of {column.name!r} for the {column.kind} {shown(value)}.",
                    "Retrain with one category for each value.",
                )
            codes[value] = float(code)
        self._codes = codes
        if not column.is_text:
            order = sorted(codes, key=float)
            self._values = np.array(order, dtype=np.float64)
            self._ordered = np.array([codes[value] for value in order], dtype=np.float64)

    def codes(self, values: Column) -> Floats:
        """Codes (rows,) of canonical values."""
        if not isinstance(values, np.ndarray) or values.dtype.kind == "O":
            get = self._codes.get
            return np.array([get(value, MISSING) for value in values], dtype=np.float64)  # type: ignore[arg-type]
        if not self._values.size:
            return np.full(len(values), MISSING)
        places = np.minimum(np.searchsorted(self._values, values), self._values.size - 1)
        return np.where(self._values[places] == values, self._ordered[places], MISSING)


@dataclass(frozen=True)
class Matrix:
    """The conversion of canonical columns to a matrix (rows, features)."""

    features: tuple[Feature, ...]
    levels: tuple[Levels | None, ...]
    """The categories of each feature; None if it is a number."""

    def of(self, columns: Columns) -> Floats:
        """The matrix, C-contiguous."""
        found: list[Any] = []
        for feature, levels in zip(self.features, self.levels, strict=True):
            values = columns[feature.column.name]
            if levels is not None:
                found.append(levels.codes(values))
            elif feature.column.kind == "vector":
                found.append(np.asarray(values)[:, feature.place])
            else:
                found.append(values)
        joined = np.concatenate(found, dtype=np.float64, casting="unsafe")
        return np.ascontiguousarray(joined.reshape(len(found), -1).T)

    def by_input(self, parts: Floats) -> dict[str, Floats]:
        """Input → the sum of its features' contributions, from (rows, features)."""
        found: dict[str, Floats] = {}
        for i, feature in enumerate(self.features):
            before = found.get(feature.column.name)
            found[feature.column.name] = parts[:, i] if before is None else before + parts[:, i]
        return found

    def shares(self, weights: Floats) -> dict[str, float]:
        """Input → its share, 0 to 1, of weights (features,)."""
        total = float(weights.sum()) or 1.0
        return {name: float(part[0]) for name, part in self.by_input(weights.reshape(1, -1) / total).items()}


def require_numbers(features: Sequence[Feature], coded: Sequence[bool], what: str) -> None:
    """Raises Fault for a text input without a list of categories."""
    for feature, has_levels in zip(features, coded, strict=True):
        if feature.column.is_text and not has_levels:
            raise Fault(
                f"{what} has {feature.column.name!r} as a number, but in the contract it is a string, and the file"
                " has no categories of it.",
                "Train with it as a category of the library, or list its categories in the contract, by their codes.",
            )


def _names(feature: Feature) -> tuple[str, ...]:
    name = feature.column.name
    return (f"{name}_{feature.place}", f"{name}[{feature.place}]") if feature.column.kind == "vector" else (name,)


def plain(name: str) -> str:
    """A name as libraries write it that allow no blanks and brackets."""
    return "".join("_" if c in ' \t\n[]<>{}":,' else c for c in name)
