"""``files``: tables in a folder or an object store, Parquet, CSV or JSON lines, with columns of any names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError, UsageError
from modelyard.manifests.configuration import Environment
from modelyard.manifests.model import Model
from modelyard.predictions.interface import TEXTS, within
from modelyard.predictions.moments import moments
from modelyard.predictions.once import once
from modelyard.predictions.stored import KINDS, Span, files_below, parts_of

if TYPE_CHECKING:
    import pyarrow as pa

_ALWAYS = ("id", "time", "version", "variant")
_ALL = (*TEXTS, "score", "latency_ms")


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
        columns["time"] = moments(time, path)
        score, latency = found("score"), found("latency_ms")
        columns["score"] = missing(pa.float64()) if score is None else score
        columns["latency_ms"] = missing(pa.float64()) if latency is None else pc.cast(latency, pa.float64())
        for name in self._inputs:
            values = found(name)
            if values is not None:
                columns[name] = values
        return pa.table(columns)
