"""Table files in a folder or an object store, read in parts, and the reader ``files``."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError, UsageError, missing_extra
from modelyard.manifests.configuration import Environment
from modelyard.manifests.model import Model
from modelyard.predictions.columns import times_of
from modelyard.predictions.ids import once
from modelyard.predictions.interface import TEXTS, within
from modelyard.tables.arrays import numbers, texts
from modelyard.tables.table import require_once
from modelyard.tables.text import read_csv, read_json
from modelyard.tables.types import readable, require_flat

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


KINDS = (".parquet", ".csv", ".jsonl", ".ndjson")
UNREADABLE = (OSError, EOFError, zlib.error, RecursionError)
"""Errors that reading a file of ``opened`` may raise."""

_BATCH = 200_000
_ALWAYS = ("id", "time", "version", "variant")
_ALL = (*TEXTS, "score", "latency_ms")


def files_below(uri: str, root: Path, kinds: tuple[str, ...], said: str) -> list[tuple[Any, str]]:
    """(fsspec file system, path) of a file, or of every file below a folder or bucket, ordered by path.

    ``kinds`` are the endings that count, also before ``.gz``; without any, all files count. A ``uri`` without a scheme
    is a path below ``root``. ``said`` names the manifest's field in errors. A ModelyardError when ``uri`` does not
    exist or cannot be listed.
    """
    try:
        import fsspec
    except ImportError as error:
        raise missing_extra("train", "fsspec") from error
    if "://" not in uri:
        uri = str(root / Path(uri).expanduser())
    try:
        system, path = fsspec.core.url_to_fs(uri)
        found = sorted(name for name in system.find(path) if not kinds or _plain(name).endswith(kinds))
    except (OSError, ImportError, ValueError) as error:
        raise ModelyardError(
            f"{uri} cannot be listed: {error}.", f"Check {said}, its credentials, and its fsspec driver."
        ) from error
    if not found and not system.exists(path):
        raise ModelyardError(f"{uri} does not exist.", f"Check {said}.")
    return [(system, name) for name in found]


def parts_of(
    system: Any,
    path: str,
    columns: Collection[str] | None = None,
    texts: Collection[str] = (),
    span: Span | None = None,
) -> Iterator[pa.Table]:
    """The rows of a file: Parquet in parts and only ``columns``, CSV and JSON lines (also ``.gz``) as one whole table.

    ``texts`` are CSV columns that stay texts. Rows outside of ``span`` may be left out. A ModelyardError when the file
    cannot be read.
    """
    import pyarrow as pa

    try:
        with opened(system, path) as file:
            if path.endswith(".parquet"):
                import pyarrow.parquet as pq

                reader = pq.ParquetFile(file)
                wanted = None if columns is None else [n for n in reader.schema_arrow.names if n in columns]
                groups = [i for i in range(reader.num_row_groups) if span is None or span.may_hold(reader, i)]
                for batch in reader.iter_batches(_BATCH, row_groups=groups, columns=wanted):
                    yield pa.Table.from_batches([batch])
            elif _plain(path).endswith(".csv"):
                yield _csv(file.read(), texts)
            else:
                yield read_json(file.read())
    except (*UNREADABLE, pa.ArrowException, UnicodeDecodeError) as error:
        said = str(error).splitlines()[0].rstrip(".")
        raise ModelyardError(f"{path} cannot be read: {said}.", "Repair or remove the file.") from error


def opened(system: Any, path: str) -> Any:
    """A context manager of a file opened for reading; it is unzipped when its name ends with ``.gz``."""
    return system.open(path, "rb", compression="gzip" if path.endswith(".gz") else None)


@dataclass(frozen=True)
class Span:
    """The times ``[begin, end)``, in seconds since 1970, of a column of a file."""

    column: str
    begin: float
    end: float

    def may_hold(self, reader: pq.ParquetFile, group: int) -> bool:
        """Whether a row group of a Parquet file may hold such rows, by the statistics of the group."""
        if self.column not in reader.schema_arrow.names:
            return True
        found = reader.metadata.row_group(group)
        place = next((i for i in range(found.num_columns) if found.column(i).path_in_schema == self.column), None)
        said = None if place is None else found.column(place).statistics
        if said is None or not said.has_min_max:
            return True
        first, last = _seconds(said.min), _seconds(said.max)
        return first is None or last is None or (last >= self.begin and first < self.end)


def json_lines(file: Iterable[bytes]) -> Iterator[Any]:
    """The values of JSON lines. A last line that was cut off is left out; a ValueError for any other invalid line."""
    for line in file:
        if line.strip() and (line.endswith(b"\n") or _sound(line)):
            yield json.loads(line)


class FilesReader:
    """Reads every Parquet, CSV and JSON lines file below a folder or bucket that fsspec knows."""

    def __init__(self, environment: Environment, root: Path) -> None:
        self._environment, self._root = environment, root

    def read(
        self, model: Model, begin: float, end: float, columns: tuple[str, ...] | None = None
    ) -> Iterator[pa.Table]:
        """The predictions, file by file and Parquet in parts. A prediction in several files is given once."""
        names = ColumnNames(self._environment.predictions.columns, model)
        return once(within(table, begin, end) for table in self._tables(names, begin, end, columns))

    def _tables(
        self, names: ColumnNames, begin: float, end: float, columns: tuple[str, ...] | None
    ) -> Iterator[pa.Table]:
        wanted = names.wanted(columns)
        span = Span(names.candidates("time")[0], begin, end)
        for system, path in files_of(self._environment, self._root, names.model.name, KINDS):
            for part in parts_of(system, path, wanted, names.texts, span):
                yield names.renamed(part, path)


def files_of(environment: Environment, root: Path, model: str, kinds: tuple[str, ...]) -> list[tuple[Any, str]]:
    """(file system, path) of every file below the environment's ``predictions.uri``, ordered by path."""
    said = f"modelyard.yaml: environments: {environment.name}: predictions"
    uri = environment.predictions.uri.replace("{model}", model)
    if not uri:
        raise UsageError(f"{said} has no uri.", "Add uri: the folder or bucket of the files.")
    return files_below(uri, root, kinds, f"{said}: uri")


def _plain(path: str) -> str:
    return path.removesuffix(".gz")


def _csv(content: bytes, texts: Collection[str]) -> pa.Table:
    """CSV as a table; a last row that was cut off before its last cell is left out."""
    cut = content[content.rfind(b"\n") + 1 :].decode("utf-8", "replace")
    return read_csv(content, texts, cut or None)


def _sound(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _seconds(moment: object) -> float | None:
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float(moment) if isinstance(moment, int | float) else None


class ColumnNames:
    """The names that files use for the columns of a prediction log. ``declared`` is ours → theirs."""

    def __init__(self, declared: Mapping[str, str], model: Model) -> None:
        self.model, self._declared = model, declared
        self._inputs = [f"inputs.{column.name}" for column in model.contract.inputs]

    def candidates(self, ours: str) -> tuple[str, ...]:
        """The names that one of our columns may have in a file, the preferred one first."""
        plain = ours.removeprefix("inputs.")
        others = {"score": (self.model.contract.output, "prediction"), "entity": (self.model.contract.id,)}
        return self._declared.get(ours, ours), *others.get(ours, (plain,) if plain != ours else ())

    def wanted(self, columns: tuple[str, ...] | None) -> set[str]:
        """The names to read for some of our columns, or for all; the columns that identify duplicates are included."""
        asked = {*_ALWAYS, *(columns if columns is not None else (*_ALL, *self._inputs))}
        some = {"inputs"} if any(name in asked for name in self._inputs) else set()  # they may be fields of a struct
        return some.union(*(self.candidates(name) for name in asked))

    @property
    def texts(self) -> set[str]:
        """The names of columns that stay texts even when they hold only digits."""
        named = (*TEXTS, *(f"inputs.{c.name}" for c in self.model.contract.inputs if c.type == "string"))
        return {name for ours in named for name in self.candidates(ours)}

    def renamed(self, table: pa.Table, path: str) -> pa.Table:
        """A part of a file with our names and types; a ModelyardError when it has no time."""
        import pyarrow as pa

        if "inputs" in table.column_names and pa.types.is_struct(table["inputs"].type):
            table = pa.Table.from_batches(table.to_batches()).flatten()
        there = table.column_names

        def found(ours: str) -> Any:
            name = next((name for name in self.candidates(ours) if name in there), None)
            if name is None:
                return None
            require_once(name, there, Path(path))
            return readable(table[name], name, path)

        def missing(kind: Any) -> Any:
            return pa.nulls(table.num_rows, kind)

        columns: dict[str, Any] = {}
        for name in TEXTS:
            column = found(name)
            columns[name] = missing(pa.string()) if column is None else texts(require_flat(column, name, path))
        time = found("time")
        if time is None:
            raise ModelyardError(
                f"{path} has no column {self.candidates('time')[0]!r}.",
                "Name its time column: predictions: {columns: {time: …}}.",
            )
        columns["time"] = times_of(time, path)
        score, latency = found("score"), found("latency_ms")
        columns["score"] = missing(pa.float64()) if score is None else score
        own = pa.nulls(table.num_rows, pa.float64()) if latency is None else latency
        columns["latency_ms"] = pa.array(numbers(own, "latency_ms", Path(path)), from_pandas=True)
        for name in self._inputs:
            values = found(name)
            if values is not None:
                columns[name] = values
        return pa.table(columns)
