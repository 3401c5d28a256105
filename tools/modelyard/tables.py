"""The one door to tables on disk: Parquet and CSV in, numpy columns out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import ModelyardError, missing_extra
from modelyard.manifests.problems import near_match

Values = NDArray[Any]


class Table:
    """Named columns of equal length, read when asked for."""

    def __init__(self, arrow: Any, path: Path) -> None:
        self._arrow = arrow
        self.path = path

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self._arrow.num_rows)

    @property
    def names(self) -> list[str]:
        """Column names, in order."""
        return list(self._arrow.column_names)

    def require(self, names: Sequence[str], whose: str) -> None:
        """Raises unless all columns are there; ``whose`` says who wants them."""
        for name in names:
            if name not in self.names:
                raise ModelyardError(
                    f"{self.path} has no column {name!r}, which {whose} needs.", near_match(name, self.names)
                )

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column as float64, missing as NaN; ModelyardError when it does not hold numbers."""
        import pyarrow as pa

        try:
            column = self._column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise ModelyardError(
                f"Column {name!r} of {self.path} does not hold numbers.", "Mend the table or the contract's type."
            ) from error
        result: NDArray[np.float64] = np.asarray(column, dtype=np.float64)
        return result

    def texts(self, name: str) -> NDArray[np.object_]:
        """A column as text objects, missing as None."""
        import pyarrow as pa

        column = self._column(name)
        if not pa.types.is_string(column.type):
            column = column.cast(pa.string())
        result: NDArray[np.object_] = np.array(column.to_pylist(), dtype=object)
        return result

    def values(self, name: str, contract_type: str) -> Values:
        """A column by its contract type: float64 for integer and float, text objects otherwise."""
        return self.numbers(name) if contract_type in ("integer", "float") else self.texts(name)

    def codes(self, name: str) -> NDArray[np.int64]:
        """A column as codes from 0, equal values having equal codes."""
        import pyarrow.compute as pc

        encoded = pc.dictionary_encode(self._column(name).combine_chunks(), null_encoding="encode")
        result: NDArray[np.int64] = np.asarray(encoded.indices, dtype=np.int64)
        return result

    def _column(self, name: str) -> Any:
        import pyarrow as pa

        column = self._arrow.column(name)
        return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def read_table(path: Path, columns: Sequence[str] | None = None) -> Table:
    """Reads Parquet (by its magic bytes) or CSV. Columns that are not there are simply not read."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise missing_extra("measure", "pyarrow") from error
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        if magic == b"PAR1":
            reader = pq.ParquetFile(path)
            wanted = None if columns is None else [name for name in reader.schema_arrow.names if name in set(columns)]
            return Table(reader.read(wanted), path)
        from pyarrow import csv

        return Table(csv.read_csv(path), path)
    except OSError as error:
        raise ModelyardError(f"{path} cannot be read: {error}.", "Run: modelyard retrain MODEL") from error
    except pa.ArrowException as error:
        raise ModelyardError(
            f"{path} is neither a sound Parquet nor a sound CSV file: {str(error).splitlines()[0]}.",
            "Write it again with the pipeline: modelyard retrain MODEL --force",
        ) from error
