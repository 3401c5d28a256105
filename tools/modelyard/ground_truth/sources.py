"""Sources of ground truth: what the caller names, else what ``model.yaml`` declares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.errors import ModelyardError, UsageError, missing_extra
from modelyard.ground_truth.labels import GroundTruth, ground_truth_of, named_texts, read_ground_truth
from modelyard.manifests.configuration import Environment
from modelyard.manifests.model import PREDICTION, TIME, GroundTruthSource, Model, ground_truth_faults
from modelyard.manifests.repository import ModelRepository
from modelyard.predictions.files import KINDS, files_below, parts_of
from modelyard.predictions.interface import ahead
from modelyard.predictions.lookup import as_logged
from modelyard.secrets.interface import Secrets
from modelyard.tables.file import TableFile
from modelyard.tables.table import Table

if TYPE_CHECKING:
    import pyarrow as pa


_ROWS = 50_000


def find_ground_truth(
    model: Model,
    environment: Environment,
    root: Path,
    secrets: Secrets,
    file: Path | None = None,
    sql: str | None = None,
    query: str | None = None,
) -> GroundTruth | None:
    """Ground truth of a file or a query, else of the source that ``model.yaml`` declares; None without any.

    A UsageError when two sources are given, when only one of ``sql`` and ``query`` is, or when a column is missing.
    """
    if (file is not None and sql) or bool(sql) != bool(query):
        raise UsageError(
            "Ground truth must have exactly one source.",
            "Pass --ground-truth FILE, or --sql REFERENCE with --query SELECT….",
        )
    if file is not None:
        return read_ground_truth(file, model, as_logged(environment, model, secrets))
    if sql and query:
        return ground_truth_of([_queried(sql, query, secrets)], model, as_logged(environment, model, secrets))
    if model.ground_truth is None:
        return None
    declared = ahead(_declared(model.ground_truth, model, root, secrets))
    return ground_truth_of(declared, model, as_logged(environment, model, secrets))


def known_ground_truth(
    repository: ModelRepository, secrets: Secrets, file: Path | None
) -> Callable[[Model, Environment], GroundTruth | None]:
    """A function that finds the ground truth of a model in an environment, and reads it once.

    It reads ``file`` for models whose columns the file has, else the source that model.yaml declares. A UsageError when
    the file has the columns of no model.
    """
    found: dict[tuple[str, str], GroundTruth | None] = {}
    names = set(TableFile(file).names) if file else set()

    def fits(model: Model) -> bool:
        return model.contract.label in names and not names.isdisjoint({model.contract.id, PREDICTION})

    if file and not any(fits(repository.model(name)) for name in repository.model_names()):
        raise UsageError(
            f"{file} does not have the id and label columns of any model.",
            "Name its columns like the contract in model.yaml.",
        )

    def known(model: Model, environment: Environment) -> GroundTruth | None:
        key = (model.name, environment.name)
        if key not in found:
            own = file if fits(model) else None
            found[key] = find_ground_truth(model, environment, repository.root, secrets, own)
        return found[key]

    return known


def _declared(source: GroundTruthSource, model: Model, root: Path, secrets: Secrets) -> Iterator[Table]:
    said = f"models/{model.name}/model.yaml: ground_truth"
    for _, what, remedy in ground_truth_faults(source, {model.contract.id, model.contract.label}):
        raise UsageError(f"{said} {what}", remedy)
    if source.sql:
        yield _queried(source.sql, source.query, secrets)
    else:
        yield from _stored(source, model, root, f"{said}: uri")


def _stored(source: GroundTruthSource, model: Model, root: Path, said: str) -> Iterator[Table]:
    """The parts of every file, with columns renamed to ours; one empty table when no file has a row."""
    import pyarrow as pa

    wanted = [model.contract.id, PREDICTION, model.contract.label, TIME]
    theirs = {source.columns.get(name, name): name for name in wanted}
    texts = {source.columns.get(name, name) for name in named_texts(model)}
    some = False
    for system, path in files_below(source.uri.replace("{model}", model.name), root, KINDS, said):
        for part in parts_of(system, path, theirs, texts):
            if part.num_columns:
                some = True
                yield Table(_named(part, theirs), Path(path))
    if not some:
        yield Table(pa.table({name: pa.array([], pa.string()) for name in wanted[:1] + wanted[2:]}), Path(source.uri))


def _named(part: pa.Table, theirs: Mapping[str, str]) -> pa.Table:
    kept = [name for name in part.column_names if name in theirs]
    return part.select(kept).rename_columns([theirs[name] for name in kept])


def _queried(url: str, query: str, secrets: Secrets) -> Table:
    """The rows of a query. ``url`` is a reference to SQLAlchemy's URL, because the URL holds a password."""
    try:
        from sqlalchemy import create_engine, text
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError as error:
        raise missing_extra("sql", "sqlalchemy") from error
    import pyarrow as pa

    try:
        engine = create_engine(secrets.read(url))
        parts = []
        with engine.connect() as connection:
            result = connection.execution_options(stream_results=True).execute(text(query))
            names = list(result.keys())
            for rows in result.partitions(_ROWS):
                parts.append(pa.table({n: [row[i] for row in rows] for i, n in enumerate(names)}))
        engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        # Only the type: the message may repeat the URL with its password.
        raise ModelyardError(
            f"Ground truth cannot be read from {url}: {type(error).__name__}.",
            "Check the URL and the query.",
        ) from None
    except pa.ArrowException as error:
        raise ModelyardError(
            f"The rows of the query have mixed types: {error}.", "Cast the columns in the query."
        ) from error
    empty = pa.table({name: pa.array([], pa.string()) for name in names})
    return Table(pa.concat_tables(parts, promote_options="permissive") if parts else empty, Path(url))
