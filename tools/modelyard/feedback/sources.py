"""Where outcomes come from: a file, or a query."""

from __future__ import annotations

from pathlib import Path

from modelyard.errors import ModelyardError, missing_extra
from modelyard.secrets.interface import Secrets
from modelyard.tables import Table

_ROWS = 50_000


def query_outcomes(url: str, query: str, secrets: Secrets) -> Table:
    """The rows of a query. ``url`` is a reference to SQLAlchemy's URL, for such a URL holds a password."""
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
        # Only the kind: the whole message may repeat the URL and with it the password.
        raise ModelyardError(
            f"The outcomes cannot be asked for from {url}: {type(error).__name__}.",
            "Check its URL and the query.",
        ) from None
    except pa.ArrowException as error:
        raise ModelyardError(f"The query's rows have mixed types: {error}.", "Cast its columns.") from error
    empty = pa.table({name: pa.array([], pa.string()) for name in names})
    return Table(pa.concat_tables(parts, promote_options="permissive") if parts else empty, Path(url))
