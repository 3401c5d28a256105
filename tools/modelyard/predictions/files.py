"""``files``: tables in a folder or an object store, Parquet, CSV or JSON lines, with columns of any names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError, UsageError, missing_extra
from modelyard.manifests.environment import Environment
from modelyard.manifests.schema import Model
from modelyard.predictions.interface import TEXTS, within
from modelyard.predictions.once import once

if TYPE_CHECKING:
    import pyarrow as pa

_KINDS = (".parquet", ".csv", ".jsonl")
_BATCH = 200_000


class FilesReader:
    """Every ``.parquet``, ``.csv`` and ``.jsonl`` below a place that fsspec knows."""

    def __init__(self, environment: Environment, root: Path) -> None:
        self._environment, self._root = environment, root

    def read(
        self, model: Model, begin: float, end: float, columns: tuple[str, ...] | None = None
    ) -> Iterator[pa.Table]:
        """File by file, Parquet in parts. A prediction that several files hold is counted once."""
        return once(within(table, begin, end) for table in self._tables(model))

    def _tables(self, model: Model) -> Iterator[pa.Table]:
        names = self._environment.predictions.columns
        for system, path in files_of(self._environment, self._root, model.name, _KINDS):
            for part in _parts(system, path):
                yield _shaped(part, names, model, path)


def files_of(environment: Environment, root: Path, model: str, kinds: tuple[str, ...]) -> list[tuple[Any, str]]:
    """(file system, path) of every file below the environment's ``predictions.uri``, in the order of their names."""
    try:
        import fsspec
    except ImportError as error:
        raise missing_extra("train", "fsspec") from error
    uri = environment.predictions.uri.replace("{model}", model)
    if not uri:
        raise UsageError(
            f"modelyard.yaml: environments: {environment.name}: predictions names no uri.", "Say where the files lie."
        )
    if "://" not in uri:
        uri = str(root / Path(uri).expanduser())
    try:
        system, path = fsspec.core.url_to_fs(uri)
        found = sorted(name for name in system.find(path) if not kinds or name.endswith(kinds))
    except (OSError, ImportError, ValueError) as error:
        raise ModelyardError(
            f"{uri} cannot be listed: {error}.", "Check predictions.uri, its credentials, and its fsspec driver."
        ) from error
    if not found and not system.exists(path):
        raise ModelyardError(f"{uri} is not there.", "Check predictions.uri in modelyard.yaml.")
    return [(system, name) for name in found]


def _parts(system: Any, path: str) -> Iterator[pa.Table]:
    import pyarrow as pa

    try:
        with system.open(path, "rb") as file:
            if path.endswith(".parquet"):
                import pyarrow.parquet as pq

                for batch in pq.ParquetFile(file).iter_batches(_BATCH):
                    yield pa.Table.from_batches([batch])
            elif path.endswith(".csv"):
                from pyarrow import csv

                yield csv.read_csv(file)
            else:
                yield _lines(file.read())
    except (OSError, pa.ArrowException) as error:
        said = str(error).splitlines()[0].rstrip(".")
        raise ModelyardError(f"{path} cannot be read: {said}.", "Mend or remove the file.") from error


def _lines(content: bytes) -> pa.Table:
    """JSON lines; the last one is left out when it was cut off in the middle."""
    import io

    import pyarrow as pa
    from pyarrow import json

    whole = content[: content.rfind(b"\n") + 1]
    return json.read_json(io.BytesIO(whole)) if whole.strip() else pa.table({})


def _shaped(table: pa.Table, names: Mapping[str, str], model: Model, path: str) -> pa.Table:
    """A file's table under our names; inputs are taken by the contract, and from a struct column ``inputs`` too."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if "inputs" in table.column_names and pa.types.is_struct(table["inputs"].type):
        table = pa.Table.from_batches(table.to_batches()).flatten()
    there = set(table.column_names)

    def found(ours: str, *others: str) -> Any:
        name = next((name for name in (names.get(ours, ours), *others) if name in there), None)
        return None if name is None else table[name]

    def missing(kind: Any) -> Any:
        return pa.nulls(table.num_rows, kind)

    columns: dict[str, Any] = {}
    for name in TEXTS:
        column = found(name)
        columns[name] = missing(pa.string()) if column is None else pc.cast(column, pa.string())
    columns["time"] = _moments(found("time"), path)
    score = found("score", model.contract.output, "prediction")
    columns["score"] = missing(pa.float64()) if score is None else score
    latency = found("latency_ms")
    columns["latency_ms"] = missing(pa.float64()) if latency is None else pc.cast(latency, pa.float64())
    for column in model.contract.inputs:
        values = found(f"inputs.{column.name}", column.name)
        if values is not None:
            columns[f"inputs.{column.name}"] = values
    return pa.table(columns)


def _moments(column: Any, path: str) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if column is None:
        raise ModelyardError(f"{path} has no column of times.", "Say which it is: predictions: {columns: {time: …}}.")
    try:
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            seconds = pc.multiply(pc.cast(column, pa.float64()), 1e6)
            return pc.cast(pc.cast(seconds, pa.int64(), safe=False), pa.timestamp("us", "UTC"))
        if pa.types.is_timestamp(column.type) and column.type.tz is None:
            return pc.cast(column, pa.timestamp("us"), safe=False).cast(pa.timestamp("us", "UTC"))
        if pa.types.is_string(column.type):
            return _from_texts(column)
        return pc.cast(column, pa.timestamp("us", "UTC"), safe=False)
    except pa.ArrowException as error:
        raise ModelyardError(
            f"{path}: its times cannot be read: {str(error).splitlines()[0].rstrip('.')}.",
            "Write RFC 3339 (2026-05-03T14:00:00Z) or seconds since 1970.",
        ) from error


def _from_texts(column: Any) -> Any:
    """Texts with or without a zone, mixed."""
    from datetime import UTC, datetime

    import pyarrow as pa

    def moment(text: str | None) -> datetime | None:
        if text is None:
            return None
        try:
            found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        except ValueError as error:
            raise pa.ArrowInvalid(str(error)) from error
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    return pa.array([moment(text) for text in column.to_pylist()], pa.timestamp("us", "UTC"))
