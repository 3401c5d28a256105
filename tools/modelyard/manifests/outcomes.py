"""Where a model's outcomes are found, so that CI knows them without being told."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Annotated

from msgspec import Meta, field

from modelyard.manifests.base import Manifest
from modelyard.manifests.document import FieldPath
from modelyard.manifests.names import Reference
from modelyard.manifests.problems import near_match

PREDICTION = "prediction_id"
TIME = "outcome_time"


class OutcomesSource(Manifest, frozen=True, kw_only=True):
    """What happened to what was predicted: files, or a query. ``monitor``, ``feedback`` and ``deploy`` read it."""

    uri: Annotated[
        str,
        Meta(
            max_length=1000,
            description="A Parquet, CSV or .jsonl file, or a folder of them, here or in an object store.",
        ),
    ] = ""
    columns: Annotated[
        dict[str, str],
        Meta(
            description="uri: what a column is called there; the contract's id and label, prediction_id, outcome_time."
        ),
    ] = field(default_factory=dict)
    sql: Annotated[Reference | None, Meta(description="Where the URL of a database stands.")] = None
    query: Annotated[str, Meta(max_length=10_000, description="sql: what gives those columns.")] = ""


def outcomes_faults(
    source: OutcomesSource | None, id_and_label: Collection[str]
) -> Iterator[tuple[FieldPath, str, str]]:
    """(field, what is wrong, what to do). The contract's id and label are among the columns."""
    if source is None:
        return
    if bool(source.uri) == bool(source.sql):
        said = "names both uri and sql." if source.uri else "names neither uri nor sql."
        yield ("outcomes",), said, "Say uri: …, or sql: env:NAME with query: …."
    elif bool(source.query) != bool(source.sql):
        yield ("outcomes",), "needs sql and query together.", "Say sql: env:NAME and query: select …."
    elif source.sql and source.columns:
        yield ("outcomes", "columns"), "is for files.", "Rename columns in the query: select a as b."
    known = {*id_and_label, PREDICTION, TIME}
    for name in source.columns.keys() - known:
        yield ("outcomes", "columns", name), f"{name!r} is no column of outcomes.", near_match(name, known)
