"""A table in memory: named columns of equal length."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import ModelyardError, near_match
from modelyard.flavors.signature import Input
from modelyard.flavors.values import Column, Columns, Floats
from modelyard.tables.arrays import canonical, decoded, levels, numbers, plain, scalars, text_codes, texts


class Table:
    """A table whose columns are converted when they are read."""

    def __init__(self, arrow: Any, path: Path) -> None:
        self._arrow = arrow
        self.path = path

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self._arrow.num_rows)

    @property
    def names(self) -> list[str]:
        """Column names, in order."""
        return list(self._arrow.column_names)

    def require(self, names: Sequence[str], whose: str) -> None:
        """Raises unless the table has all columns; ``whose`` says what needs them."""
        for name in names:
            if name not in self.names:
                raise ModelyardError(
                    f"{self.path} has no column {name!r}, which {whose} needs.", near_match(name, self.names)
                )

    def columns(self, inputs: Sequence[Input], whose: str) -> Columns:
        """The canonical values of inputs, as models get them; ModelyardError if one is missing or unreadable."""
        self.require([column.name for column in inputs], whose)
        return {column.name: self.values(column) for column in inputs}

    def values(self, column: Input) -> Column:
        """The canonical values (rows,) of one input."""
        return canonical(self.column(column.name), column, self.path)

    def scalars(self, column: Input) -> Floats:
        """One number for each row (rows,) of an input: its value, or the Euclidean norm of a vector."""
        return scalars(self.column(column.name), column, self.path)

    def levels(self, column: Input) -> tuple[list[str | None], NDArray[np.int64]]:
        """Sorted distinct values of an input as texts, missing last, and each row's index into them (rows,)."""
        return levels(self.column(column.name), column, self.path)

    def numbers(self, name: str) -> Floats:
        """A column as float64 (rows,), missing as NaN; ModelyardError if it has other values."""
        return numbers(self.column(name), name, self.path)

    def texts(self, name: str) -> NDArray[np.object_]:
        """A column as text objects, missing as None."""
        result: NDArray[np.object_] = np.array(texts(self.column(name)).to_pylist(), dtype=object)
        return result

    def text_codes(self, name: str) -> tuple[list[str | None], NDArray[np.int64]]:
        """Sorted distinct texts of a column, missing last, and each row's index into them (rows,)."""
        return text_codes(self.column(name))

    def codes(self, name: str) -> NDArray[np.int64]:
        """A column as codes from 0; equal values have equal codes."""
        import pyarrow as pa
        import pyarrow.compute as pc

        encoded = pc.dictionary_encode(self.column(name).combine_chunks(), null_encoding="encode")
        result: NDArray[np.int64] = plain(encoded.indices.cast(pa.int64()), np.int64)
        return result

    def is_number(self, name: str) -> bool:
        """Whether a column has integers or floats."""
        import pyarrow as pa

        kind = self.column(name).type
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))

    def chunks(self, name: str) -> Sequence[Any]:
        """The Arrow arrays of a column."""
        found: Sequence[Any] = self.column(name).chunks
        return found

    def column(self, name: str) -> Any:
        """A column as one chunked array."""
        return decoded(self._arrow.column(name))

    def take(self, rows: NDArray[np.int64]) -> Table:
        """A table of these rows, in this order."""
        return Table(self._arrow.take(rows), self.path)
