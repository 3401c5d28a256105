"""The signature of a model: the inputs and outputs of its contract, as scoring needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["integer", "float", "string", "boolean", "date", "timestamp", "vector"]
Task = Literal["binary", "multiclass", "regression", "ranking"]


@dataclass(frozen=True)
class Input:
    """One input column."""

    name: str
    kind: Kind
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    length: int = 0
    """Numbers in each value of a vector."""
    categories: tuple[str | float, ...] = ()
    """The known values, in canonical form; empty if all values are allowed. Any other value counts as missing."""

    @property
    def is_text(self) -> bool:
        """Whether canonical values are texts, not numbers."""
        return self.kind == "string"

    @property
    def width(self) -> int:
        """Numbers that a value takes in a matrix."""
        return self.length if self.kind == "vector" else 1


@dataclass(frozen=True)
class Signature:
    """The inputs and the output of one version of a model."""

    model: str
    version: str
    """'' for a candidate."""
    task: Task
    inputs: tuple[Input, ...]
    output: str = "prediction"
    classes: tuple[str, ...] = ()
    """Multiclass: the label's values, in the order of the scores."""

    def input(self, name: str) -> Input | None:
        """The input of that name; None if there is none."""
        return next((column for column in self.inputs if column.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """The signature as values for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Signature:
        """The signature that ``to_json`` wrote."""
        inputs = (Input(**{**column, "categories": tuple(column["categories"])}) for column in value["inputs"])
        return cls(**{**value, "inputs": tuple(inputs), "classes": tuple(value["classes"])})
