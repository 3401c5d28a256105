"""Table files: Parquet, Arrow (file and stream), CSV and JSON lines, the last two also gzipped."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import ModelyardError, missing_extra
from modelyard.flavors.signature import Input
from modelyard.flavors.values import Column, Floats
from modelyard.tables.arrays import numbers, plain, scalars, texts
from modelyard.tables.table import Table, require_once
from modelyard.tables.text import is_json, opened, read_csv, read_json
from modelyard.tables.types import readable, require_flat

_BATCH = 2**18
_STREAM = b"\xff\xff\xff\xff"


class TableFile:
    """A table on disk, of which one column at a time is in memory. Several threads may read columns."""

    def __init__(self, path: Path, texts: Collection[str] = ()) -> None:
        """ModelyardError if there is no valid table. ``texts``: see ``read_table``."""
        self.path, self.texts = path, texts
        self._metadata: Any = None
        self._schema: Any = None
        self._whole: Any = None
        if _magic(path) == b"PAR1":
            with _sound(path):
                import pyarrow.parquet as pq

                reader = pq.ParquetFile(path)
                self._metadata, self._schema = reader.metadata, reader.schema_arrow
                self.rows, self.names = reader.metadata.num_rows, reader.schema_arrow.names
        else:  # the others cannot be read by column
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
            if not pa.types.is_dictionary(batch.type):
                batch = require_flat(batch, name, self.path)
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
        import pyarrow as pa
        import pyarrow.parquet as pq

        require_once(name, self.names, self.path)
        with _sound(self.path):
            kind = self._schema.field(name).type
            dictionary = dictionary and not pa.types.is_nested(kind)
        with (
            _sound(self.path),
            pq.ParquetFile(
                self.path, metadata=self._metadata, read_dictionary=[name] if dictionary else None, pre_buffer=False
            ) as reader,
        ):
            for batch in reader.iter_batches(_BATCH, columns=[name], use_threads=False):
                column = batch.column(0)
                if not pa.types.is_dictionary(column.type) or not pa.types.is_string(column.type.value_type):
                    column = readable(column, name, self.path)
                yield column


def read_table(path: Path, columns: Sequence[str] | None = None, texts: Collection[str] = ()) -> Table:
    """The table in a file; its first bytes give the format. Missing columns are ignored.

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
        if magic == _STREAM:
            from pyarrow import ipc

            return Table(ipc.open_stream(path).read_all(), path)
        with opened(path) as file:
            lines = is_json(file.read(64))
        return Table(read_json(path) if lines else read_csv(path, texts), path)


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


def write_parquet(columns: Mapping[str, Any], path: Path, rows: NDArray[np.int64] | None = None) -> None:
    """Writes columns of equal length, or those ``rows`` of them, as a Parquet file. Equal columns give equal bytes.

    A column is an array (rows,) or an Arrow array. An object array has values of one type, missing as None.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: _arrow(values) for name, values in columns.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table if rows is None else table.take(rows), path, compression="snappy")


def _arrow(values: Any) -> Any:
    import pyarrow as pa

    return pa.array(values.tolist()) if isinstance(values, np.ndarray) and values.dtype.kind == "O" else values


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
    except (OSError, EOFError) as error:
        raise ModelyardError(
            f"{path} cannot be read: {error}.",
            "Check the path. If a pipeline writes the file, run: modelyard retrain MODEL",
        ) from error
    except (pa.ArrowException, UnicodeDecodeError, zlib.error) as error:
        raise ModelyardError(
            f"{path} is not a valid Parquet, Arrow, CSV or JSON lines file: {str(error).splitlines()[0].rstrip('.')}.",
            "Write it again. If a pipeline writes it, run: modelyard retrain MODEL --force",
        ) from error
