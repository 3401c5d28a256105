"""Table files: Parquet, Arrow and CSV."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import ModelyardError, missing_extra
from modelyard.flavors.signature import Input
from modelyard.flavors.values import Column, Floats
from modelyard.tables.arrays import numbers, plain, scalars, texts
from modelyard.tables.table import Table

_BATCH = 2**18


class TableFile:
    """A table on disk, of which one column at a time is in memory. Several threads may read columns."""

    def __init__(self, path: Path, texts: Collection[str] = ()) -> None:
        """ModelyardError if there is no valid table. ``texts``: see ``read_table``."""
        self.path, self.texts = path, texts
        self._metadata: Any = None
        self._whole: Any = None
        if _magic(path) == b"PAR1":
            with _sound(path):
                import pyarrow.parquet as pq

                reader = pq.ParquetFile(path)
                self._metadata, self.rows, self.names = (
                    reader.metadata,
                    reader.metadata.num_rows,
                    reader.schema_arrow.names,
                )
        else:  # CSV and Arrow cannot be read by column
            self._whole = read_table(path, texts=texts)
            self.rows, self.names = self._whole.rows, self._whole.names

    def numbers(self, name: str) -> Floats:
        """A column as float64 (rows,), missing as NaN; a new array. ModelyardError if it has other values."""
        return self._joined(numbers(batch, name, self.path) for batch in self._batches(name))

    def values(self, column: Input) -> Column:
        """The canonical values of an input, as ``Table.values`` gives them."""
        return read_table(self.path, [column.name], self.texts).values(column)

    def scalars(self, column: Input) -> Floats:
        """One number for each row (rows,) of an input: its value, or the Euclidean norm of a vector; a new array."""
        return self._joined(self.scalar_parts(column))

    def scalar_parts(self, column: Input) -> Iterator[Floats]:
        """The numbers of ``numbers``, in parts of some hundred thousand rows."""
        for batch in self._batches(column.name):
            yield scalars(batch, column, self.path)

    def tally(self, column: Input) -> tuple[NDArray[np.object_], NDArray[np.int64], int]:
        """Distinct values of an input as texts, the rows of each, and the number of rows without a value."""
        if column.kind == "string" and not column.categories:
            return self._tally_texts(column.name)
        names, codes = read_table(self.path, [column.name], self.texts).levels(column)
        counts = np.bincount(codes, minlength=len(names)).astype(np.int64)
        nulls = int(counts[-1]) if names and names[-1] is None else 0
        known = len(names) - (1 if names and names[-1] is None else 0)
        found: NDArray[np.object_] = np.array(names[:known], dtype=object)
        return found, counts[:known], nulls

    def _tally_texts(self, name: str) -> tuple[NDArray[np.object_], NDArray[np.int64], int]:
        import pyarrow as pa
        import pyarrow.compute as pc

        parts, nulls = [], 0
        for batch in self._batches(name, dictionary=True):
            nulls += batch.null_count
            if pa.types.is_dictionary(batch.type):
                codes = plain(batch.indices.drop_null().cast(pa.int64()), np.int64)
                counts = np.bincount(codes, minlength=len(batch.dictionary))
                parts.append((texts(batch.dictionary), pa.array(counts)))
            else:
                found = pc.value_counts(batch.drop_null())
                parts.append((texts(found.field("values")), found.field("counts").cast(pa.int64())))
        if not parts:
            return np.empty(0, dtype=object), np.empty(0, dtype=np.int64), nulls
        table = pa.table({"level": pa.chunked_array([p[0] for p in parts], pa.string()),
                          "rows": pa.chunked_array([p[1] for p in parts], pa.int64())})  # fmt: skip
        table = table.group_by("level").aggregate([("rows", "sum")])
        table = table.filter(pc.field("rows_sum") > 0)
        levels: NDArray[np.object_] = np.array(table.column("level").to_pylist(), dtype=object)
        return levels, plain(table.column("rows_sum"), np.int64), nulls

    def _joined(self, parts: Iterator[Floats]) -> Floats:
        result = np.empty(self.rows, dtype=np.float64)
        at = 0
        for part in parts:
            result[at : at + part.size] = part
            at += part.size
        return result

    def _batches(self, name: str, dictionary: bool = False) -> Iterator[Any]:
        if self._whole is not None:
            yield from self._whole.chunks(name)
            return
        import pyarrow.parquet as pq

        with (
            _sound(self.path),
            pq.ParquetFile(
                self.path, metadata=self._metadata, read_dictionary=[name] if dictionary else None, pre_buffer=False
            ) as reader,
        ):
            for batch in reader.iter_batches(_BATCH, columns=[name], use_threads=False):
                yield batch.column(0)


def read_table(path: Path, columns: Sequence[str] | None = None, texts: Collection[str] = ()) -> Table:
    """The table in a Parquet or Arrow file (by their magic bytes) or a CSV file. Missing columns are ignored.

    ``texts`` names columns that stay texts in a CSV file, so that 007 is not read as 7.
    """
    magic = _magic(path)
    with _sound(path):
        if magic == b"PAR1":
            import pyarrow.parquet as pq

            reader = pq.ParquetFile(path)
            wanted = None if columns is None else [name for name in reader.schema_arrow.names if name in set(columns)]
            return Table(reader.read(wanted), path)
        if magic == b"ARRO":
            from pyarrow import ipc

            return Table(ipc.open_file(path).read_all(), path)
        return Table(read_csv(path, texts), path)


def read_csv(source: Any, texts: Collection[str] = (), last_row: str | None = None) -> Any:
    """An Arrow table of a path or a file. Empty cells are missing, texts among them.

    Arrow raises for a row of the wrong length, unless it is ``last_row``, which is left out.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    table = csv.read_csv(
        source,
        parse_options=csv.ParseOptions(
            invalid_row_handler=lambda row: "skip" if row.text == last_row else "error"
        ) if last_row else None,
        convert_options=csv.ConvertOptions(column_types={name: pa.string() for name in texts}),
    )  # fmt: skip
    for place, name in enumerate(table.column_names):
        if pa.types.is_string(table[name].type):
            kept = pc.if_else(pc.equal(table[name], ""), pa.scalar(None, pa.string()), table[name])
            table = table.set_column(place, name, kept)
    return table


def read_parts(path: Path, columns: Sequence[str], texts: Collection[str] = ()) -> Iterator[Table]:
    """The same in parts of some hundred thousand rows where the file allows it; an empty table is one part."""
    if _magic(path) != b"PAR1":
        yield read_table(path, columns, texts)
        return
    with _sound(path):
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pq.ParquetFile(path, pre_buffer=False) as reader:
            wanted = [name for name in reader.schema_arrow.names if name in set(columns)]
            if not reader.metadata.num_rows:
                yield Table(reader.read(wanted), path)
            for batch in reader.iter_batches(_BATCH, columns=wanted):
                yield Table(pa.Table.from_batches([batch]), path)


def _magic(path: Path) -> bytes:
    with _sound(path), path.open("rb") as file:
        return file.read(4)


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    try:
        import pyarrow as pa
    except ImportError as error:
        raise missing_extra("measure", "pyarrow") from error
    try:
        yield
    except OSError as error:
        raise ModelyardError(
            f"{path} cannot be read: {error}.",
            "Check the path. If a pipeline writes the file, run: modelyard retrain MODEL",
        ) from error
    except pa.ArrowException as error:
        raise ModelyardError(
            f"{path} is not a valid Parquet, Arrow or CSV file: {str(error).splitlines()[0].rstrip('.')}.",
            "Write it again. If a pipeline writes it, run: modelyard retrain MODEL --force",
        ) from error
