"""``files``: tables in a folder or an object store, Parquet, CSV or JSON lines, with columns of any names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError, UsageError
from modelyard.manifests.environment import Environment
from modelyard.manifests.schema import Model
from modelyard.predictions.interface import TEXTS, within
from modelyard.predictions.moments import moments
from modelyard.predictions.once import once
from modelyard.predictions.stored import KINDS, files_below, parts_of

if TYPE_CHECKING:
    import pyarrow as pa


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
        for system, path in files_of(self._environment, self._root, model.name, KINDS):
            for part in parts_of(system, path):
                yield _shaped(part, names, model, path)


def files_of(environment: Environment, root: Path, model: str, kinds: tuple[str, ...]) -> list[tuple[Any, str]]:
    """(file system, path) of every file below the environment's ``predictions.uri``, in the order of their names."""
    said = f"modelyard.yaml: environments: {environment.name}: predictions"
    uri = environment.predictions.uri.replace("{model}", model)
    if not uri:
        raise UsageError(f"{said} names no uri.", "Say where the files lie.")
    return files_below(uri, root, kinds, f"{said}: uri")


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
    time = found("time")
    if time is None:
        raise ModelyardError(f"{path} has no column of times.", "Say which it is: predictions: {columns: {time: …}}.")
    columns["time"] = moments(time, path)
    score = found("score", model.contract.output, "prediction")
    columns["score"] = missing(pa.float64()) if score is None else score
    latency = found("latency_ms")
    columns["latency_ms"] = missing(pa.float64()) if latency is None else pc.cast(latency, pa.float64())
    for column in model.contract.inputs:
        values = found(f"inputs.{column.name}", column.name)
        if values is not None:
            columns[f"inputs.{column.name}"] = values
    return pa.table(columns)
