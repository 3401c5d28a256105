"""Files of tables in a folder or an object store: what there is, and one after another in parts."""

from __future__ import annotations

import io
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
from modelyard.tables.file import read_csv

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


KINDS = (".parquet", ".csv", ".jsonl", ".ndjson")
UNREADABLE = (OSError, EOFError, zlib.error)
"""What reading a file that ``opened`` gave may raise."""

_BATCH = 200_000
_ALWAYS = ("id", "time", "version", "variant")
_ALL = (*TEXTS, "score", "latency_ms")


def files_below(uri: str, root: Path, kinds: tuple[str, ...], said: str) -> list[tuple[Any, str]]:
    """(file system, path) of a file, or of every file below a place that fsspec knows, in the order of their names.

    ``kinds`` are endings, before ``.gz`` too; without any all files count. A ``uri`` without a scheme is a path below
    ``root``; ``said`` names the manifest's field, for errors.
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
        raise ModelyardError(f"{uri} is not there.", f"Check {said}.")
    return [(system, name) for name in found]


def parts_of(
    system: Any,
    path: str,
    columns: Collection[str] | None = None,
    texts: Collection[str] = (),
    span: Span | None = None,
) -> Iterator[pa.Table]:
    """A file's rows: Parquet in parts and of ``columns`` alone, CSV and JSON lines, gzipped or not, at once and whole.

    ``texts`` stay texts in CSV. Rows outside of ``span`` may be left out. ModelyardError when it cannot be read.
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
                yield _json(file.read())
    except (*UNREADABLE, pa.ArrowException) as error:
        said = str(error).splitlines()[0].rstrip(".")
        raise ModelyardError(f"{path} cannot be read: {said}.", "Mend or remove the file.") from error


def opened(system: Any, path: str) -> Any:
    """A file to be read, unzipped where its name ends with ``.gz``; a context manager."""
    return system.open(path, "rb", compression="gzip" if path.endswith(".gz") else None)


@dataclass(frozen=True)
class Span:
    """Times of ``[begin, end)``, seconds since 1970, in a column of a file."""

    column: str
    begin: float
    end: float

    def may_hold(self, reader: pq.ParquetFile, group: int) -> bool:
        """Whether rows of a Parquet file's row group may lie in it, by what the file says of that group."""
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
    """The values of JSON lines. The last one is left out when it was cut off; a ValueError for any other fault."""
    for line in file:
        if line.strip() and (line.endswith(b"\n") or _sound(line)):
            yield json.loads(line)


class FilesReader:
    """Every Parquet, CSV and JSON lines file below a place that fsspec knows."""

    def __init__(self, environment: Environment, root: Path) -> None:
        self._environment, self._root = environment, root

    def read(
        self, model: Model, begin: float, end: float, columns: tuple[str, ...] | None = None
    ) -> Iterator[pa.Table]:
        """File by file, Parquet in parts. A prediction that several files hold is counted once."""
        theirs = _Theirs(self._environment.predictions.columns, model)
        return once(within(table, begin, end) for table in self._tables(theirs, begin, end, columns))

    def _tables(self, theirs: _Theirs, begin: float, end: float, columns: tuple[str, ...] | None) -> Iterator[pa.Table]:
        wanted = theirs.wanted(columns)
        span = Span(theirs.names_of("time")[0], begin, end)
        for system, path in files_of(self._environment, self._root, theirs.model.name, KINDS):
            for part in parts_of(system, path, wanted, theirs.texts, span):
                yield theirs.shaped(part, path)


def files_of(environment: Environment, root: Path, model: str, kinds: tuple[str, ...]) -> list[tuple[Any, str]]:
    """(file system, path) of every file below the environment's ``predictions.uri``, in the order of their names."""
    said = f"modelyard.yaml: environments: {environment.name}: predictions"
    uri = environment.predictions.uri.replace("{model}", model)
    if not uri:
        raise UsageError(f"{said} names no uri.", "Say where the files lie.")
    return files_below(uri, root, kinds, f"{said}: uri")


def _plain(path: str) -> str:
    return path.removesuffix(".gz")


def _csv(content: bytes, texts: Collection[str]) -> pa.Table:
    """CSV; the last row is left out when it was cut off before its last cell."""
    cut = content[content.rfind(b"\n") + 1 :].decode("utf-8", "replace")
    return read_csv(io.BytesIO(content), texts, cut or None)


def _json(content: bytes) -> pa.Table:
    """JSON lines as a table; the last one is left out when it was cut off."""
    import pyarrow as pa
    from pyarrow import json as arrow

    end = content.rfind(b"\n") + 1
    whole = content if _sound(content[end:]) else content[:end]
    return arrow.read_json(io.BytesIO(whole)) if whole.strip() else pa.table({})


def _sound(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _seconds(moment: object) -> float | None:
    if isinstance(moment, datetime):
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float(moment) if isinstance(moment, int | float) else None


class _Theirs:
    """What a place's files call the columns of the one table."""

    def __init__(self, declared: Mapping[str, str], model: Model) -> None:
        self.model, self._declared = model, declared
        self._inputs = [f"inputs.{column.name}" for column in model.contract.inputs]

    def names_of(self, ours: str) -> tuple[str, ...]:
        """The names a column may have there, the likeliest first."""
        plain = ours.removeprefix("inputs.")
        others = {"score": (self.model.contract.output, "prediction"), "entity": (self.model.contract.id,)}
        return self._declared.get(ours, ours), *others.get(ours, (plain,) if plain != ours else ())

    def wanted(self, columns: tuple[str, ...] | None) -> set[str]:
        """What has to be read for some columns, or all of them; what tells duplicates apart always."""
        asked = {*_ALWAYS, *(columns if columns is not None else (*_ALL, *self._inputs))}
        some = {"inputs"} if any(name in asked for name in self._inputs) else set()  # they may lie in a struct
        return some.union(*(self.names_of(name) for name in asked))

    @property
    def texts(self) -> set[str]:
        """Columns that are texts whatever they look like."""
        named = (*TEXTS, *(f"inputs.{c.name}" for c in self.model.contract.inputs if c.type == "string"))
        return {name for ours in named for name in self.names_of(ours)}

    def shaped(self, table: pa.Table, path: str) -> pa.Table:
        """A part of a file under our names."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if "inputs" in table.column_names and pa.types.is_struct(table["inputs"].type):
            table = pa.Table.from_batches(table.to_batches()).flatten()
        there = set(table.column_names)

        def found(ours: str) -> Any:
            name = next((name for name in self.names_of(ours) if name in there), None)
            return None if name is None else table[name]

        def missing(kind: Any) -> Any:
            return pa.nulls(table.num_rows, kind)

        columns: dict[str, Any] = {}
        for name in TEXTS:
            column = found(name)
            columns[name] = missing(pa.string()) if column is None else pc.cast(column, pa.string())
        time = found("time")
        if time is None:
            raise ModelyardError(
                f"{path} has no column of times.", "Say which it is: predictions: {columns: {time: …}}."
            )
        columns["time"] = times_of(time, path)
        score, latency = found("score"), found("latency_ms")
        columns["score"] = missing(pa.float64()) if score is None else score
        columns["latency_ms"] = missing(pa.float64()) if latency is None else pc.cast(latency, pa.float64())
        for name in self._inputs:
            values = found(name)
            if values is not None:
                columns[name] = values
        return pa.table(columns)
