"""The one door to tables on disk: Parquet, Arrow and CSV in, numpy columns out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.errors import ModelyardError, missing_extra, near_match

Values = NDArray[Any]
_BATCH = 2**18


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
        return _as_numbers(self._column(name), name, self.path)

    def chunks(self, name: str) -> Sequence[Any]:
        """A column as it lies in memory, in Arrow arrays."""
        found: Sequence[Any] = self._column(name).chunks
        return found

    def column(self, name: str) -> Any:
        """The same as one chunked array."""
        return self._column(name)

    def take(self, rows: NDArray[np.int64]) -> Table:
        """Some of the rows, in that order."""
        return Table(self._arrow.take(rows), self.path)

    def texts(self, name: str) -> NDArray[np.object_]:
        """A column as text objects, missing as None."""
        result: NDArray[np.object_] = np.array(_as_texts(self._column(name)).to_pylist(), dtype=object)
        return result

    def values(self, name: str, contract_type: str) -> Values:
        """A column by its contract type: float64 for integer and float, text objects otherwise."""
        return self.numbers(name) if contract_type in ("integer", "float") else self.texts(name)

    def is_number(self, name: str) -> bool:
        """Whether a column holds integers or floats."""
        import pyarrow as pa

        kind = self._column(name).type
        return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))

    def level_codes(self, name: str) -> tuple[list[str | None], NDArray[np.int64]]:
        """Distinct texts of a column in their order, missing last, and each row's place among them (rows,)."""
        import pyarrow as pa
        import pyarrow.compute as pc

        encoded = pc.dictionary_encode(_as_texts(self._column(name)).combine_chunks(), null_encoding="encode")
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        names = encoded.dictionary.to_pylist()
        order = sorted(range(len(names)), key=lambda i: (names[i] is None, names[i] or ""))
        place = np.empty(len(names), dtype=np.int64)
        place[order] = np.arange(len(names))
        return [names[i] for i in order], place[_plain(encoded.indices.cast(pa.int64()), np.int64)]

    def codes(self, name: str) -> NDArray[np.int64]:
        """A column as codes from 0, equal values having equal codes."""
        import pyarrow as pa
        import pyarrow.compute as pc

        encoded = pc.dictionary_encode(self._column(name).combine_chunks(), null_encoding="encode")
        result: NDArray[np.int64] = _plain(encoded.indices.cast(pa.int64()), np.int64)
        return result

    def _column(self, name: str) -> Any:
        import pyarrow as pa

        column = self._arrow.column(name)
        return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


class TableFile:
    """A table on disk of which one column at a time is in memory. Several threads may read different columns."""

    def __init__(self, path: Path, texts: Collection[str] = ()) -> None:
        """ModelyardError when there is no sound table. ``texts``: see ``read_table``."""
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
        else:  # neither CSV nor Arrow can be read by column
            self._whole = read_table(path, texts=texts)
            self.rows, self.names = self._whole.rows, self._whole.names

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column as float64 (rows,), missing as NaN; a fresh array. ModelyardError when it does not hold numbers."""
        result = np.empty(self.rows, dtype=np.float64)
        at = 0
        for part in self.number_parts(name):
            result[at : at + part.size] = part
            at += part.size
        return result

    def number_parts(self, name: str) -> Iterator[NDArray[np.float64]]:
        """The same in parts of some hundred thousand rows."""
        for batch in self._batches(name):
            yield _as_numbers(batch, name, self.path)

    def values(self, name: str, contract_type: str) -> Values:
        """A column by its contract type, as ``Table.values`` gives it."""
        return (
            self.numbers(name)
            if contract_type in ("integer", "float")
            else read_table(self.path, [name], self.texts).texts(name)
        )

    def tally(self, name: str) -> tuple[NDArray[np.object_], NDArray[np.int64], int]:
        """Distinct texts of a column, their rows, and the number of rows without a value."""
        import pyarrow as pa
        import pyarrow.compute as pc

        parts, nulls = [], 0
        for batch in self._batches(name, dictionary=True):
            nulls += batch.null_count
            if pa.types.is_dictionary(batch.type):
                codes = _plain(batch.indices.drop_null().cast(pa.int64()), np.int64)
                counts = np.bincount(codes, minlength=len(batch.dictionary))
                parts.append((_as_texts(batch.dictionary), pa.array(counts)))
            else:
                found = pc.value_counts(batch.drop_null())
                parts.append((_as_texts(found.field("values")), found.field("counts").cast(pa.int64())))
        if not parts:
            return np.empty(0, dtype=object), np.empty(0, dtype=np.int64), nulls
        table = pa.table({"level": pa.chunked_array([p[0] for p in parts], pa.string()),
                          "rows": pa.chunked_array([p[1] for p in parts], pa.int64())})  # fmt: skip
        table = table.group_by("level").aggregate([("rows", "sum")])
        table = table.filter(pc.field("rows_sum") > 0)
        levels: NDArray[np.object_] = np.array(table.column("level").to_pylist(), dtype=object)
        return levels, _plain(table.column("rows_sum"), np.int64), nulls

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
    """Reads Parquet or Arrow (by their magic bytes) or CSV. Columns that are not there are simply not read.

    ``texts`` names columns that stay texts in a CSV file whatever they look like: 007 is no 7.
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

    A row of the wrong length is an error of Arrow's, unless it is ``last_row``: that is left out.
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
            "Check the path; what a pipeline makes comes with: modelyard retrain MODEL",
        ) from error
    except pa.ArrowException as error:
        raise ModelyardError(
            f"{path} is no sound Parquet, Arrow or CSV file: {str(error).splitlines()[0].rstrip('.')}.",
            "Write it again; what a pipeline made, with: modelyard retrain MODEL --force",
        ) from error


def _as_numbers(column: Any, name: str, path: Path) -> NDArray[np.float64]:
    """Numbers, truth values and moments (as seconds since 1970) as float64, missing as NaN."""
    import pyarrow as pa

    try:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_temporal(column.type):
            seconds = column.cast(pa.timestamp("us", getattr(column.type, "tz", None))).cast(pa.int64())
            return _as_numbers(seconds, name, path) / 1e6
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.int8())
        column = column.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ModelyardError(
            f"Column {name!r} of {path} does not hold numbers.", "Mend the table or the contract's type."
        ) from error
    result: NDArray[np.float64] = _plain(column, np.float64)
    if column.null_count:
        result = result.copy()
        result[_plain(column.is_null().cast(pa.int8()), np.int8) == 1] = np.nan
    return result


def _as_texts(column: Any) -> Any:
    import pyarrow as pa

    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _plain(column: Any, kind: Any) -> Any:
    """Numbers as NumPy sees them in Arrow's memory, anything where there is none. ``to_numpy`` would import pandas,
    which takes longer than most of what is measured.
    """
    chunks = column.chunks if hasattr(column, "chunks") else [column]
    parts = [
        np.frombuffer(chunk.buffers()[1], dtype=kind, count=len(chunk), offset=chunk.offset * np.dtype(kind).itemsize)
        for chunk in chunks
        if len(chunk)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.empty(0, dtype=kind)
