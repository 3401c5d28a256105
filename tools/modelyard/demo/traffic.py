"""Sends real flights to a running server, and looks up afterwards how right it was."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelyard.errors import ModelyardError
from modelyard.manifests.schema import Model
from modelyard.measure.scores import auc
from modelyard.serving.segments import read_predictions
from modelyard.serving.tensors import DATATYPES
from modelyard.tables import Table


@dataclass(frozen=True)
class Traffic:
    """What was sent, and what the log and the outcomes say of it."""

    requests: int
    logged: int
    versions: dict[str, int]
    """Version → rows it answered."""
    base_rate: float
    auc: float | None
    """Of the logged predictions against the outcomes."""


def send(table: Table, rows: int, model: Model, host: str, port: int, log: Path) -> Traffic:
    """Sends rows spread evenly over a table, one by one over one connection, then joins the log with the outcomes."""
    contract = model.contract
    chosen = np.unique(np.linspace(0, table.rows - 1, rows).astype(int))
    ids = table.texts(contract.id)[chosen]
    columns = [(c, table.values(c.name, c.type)[chosen]) for c in contract.inputs]
    with _connection(host, port) as connection:
        for row, identifier in enumerate(ids):
            tensors = [_tensor(contract.id, "BYTES", identifier)]
            tensors += [_tensor(c.name, DATATYPES[c.type], _plain(v[row], c.type)) for c, v in columns]
            body = json.dumps({"id": f"demo-{row}", "inputs": tensors})
            _asked(connection, model, body)
    return _realised(log, dict(zip(ids, table.numbers(contract.label)[chosen], strict=True)))


def send_all(table: Table, model: Model, host: str, port: int, at_once: int = 500) -> int:
    """Sends every row of a table, many in a request; the number of requests."""
    contract = model.contract
    ids = table.texts(contract.id)
    columns = [(c, table.values(c.name, c.type)) for c in contract.inputs]
    requests = 0
    with _connection(host, port) as connection:
        for first in range(0, table.rows, at_once):
            rows = slice(first, min(first + at_once, table.rows))
            tensors = [_tensors(contract.id, "BYTES", [str(name) for name in ids[rows]])]
            tensors += [
                _tensors(c.name, DATATYPES[c.type], [_plain(value, c.type) for value in values[rows]])
                for c, values in columns
            ]
            _asked(connection, model, json.dumps({"inputs": tensors}))
            requests += 1
    return requests


@contextlib.contextmanager
def _connection(host: str, port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(host, port, timeout=60)
    try:
        yield connection
    except (OSError, http.client.HTTPException) as error:
        raise ModelyardError(
            f"The server on {host}:{port} does not answer: {error}.", "Look at the server's log beside the repository."
        ) from error
    finally:
        connection.close()


def _asked(connection: http.client.HTTPConnection, model: Model, body: str) -> None:
    """One request; an error unless it was answered."""
    connection.request("POST", f"/v2/models/{model.name}/infer", body, {"content-type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise ModelyardError(
            f"The server answered {response.status} to {body[:60]}…: {answer[:200].decode()}",
            "Look at the server's log beside the repository.",
        )


def _realised(log: Path, outcomes: dict[str, float]) -> Traffic:
    logged = [table.select(["entity", "score", "version"]).to_pylist() for table in read_predictions(log)]
    entries = [entry for table in logged for entry in table if entry["entity"] in outcomes]
    label = np.array([outcomes[entry["entity"]] for entry in entries])
    scores = np.array([entry["score"] for entry in entries])
    versions = Counter(entry["version"] for entry in entries)
    return Traffic(len(outcomes), len(entries), dict(versions), float(label.mean()), auc(label, scores))


def _tensor(name: str, datatype: str, value: object) -> dict[str, object]:
    return _tensors(name, datatype, [value])


def _tensors(name: str, datatype: str, values: list[object]) -> dict[str, object]:
    return {"name": name, "shape": [len(values)], "datatype": datatype, "data": values}


def _plain(value: object, kind: str) -> object:
    if isinstance(value, float):
        return None if np.isnan(value) else int(value) if kind == "integer" else float(value)
    return value
