"""How a version of any library scores a table: the interface, and the columns predictions stand in."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from modelyard.manifests.model import Model
from modelyard.tables import Table

Floats = NDArray[np.float64]


class TableScorer(Protocol):
    """One version of a model, ready to score tables."""

    def score_table(self, table: Table) -> Floats:
        """One prediction per row (rows,)."""


def prediction_columns(model: Model) -> list[str]:
    """Where predictions stand in a table: one column, or one a class."""
    return [f"prediction_{name}" for name in model.contract.classes] if model.task == "multiclass" else ["prediction"]


def stacked(table: Table, columns: list[str]) -> Floats:
    """Numbers (rows,) of one column, (rows, columns) of several."""
    found = [table.numbers(name) for name in columns]
    return found[0] if len(found) == 1 else np.column_stack(found)
