"""Traffic of the demo: flights that are sent to a server, and their labels."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path

from modelyard.errors import ModelyardError
from modelyard.files import write_whole
from modelyard.flavors.tensors import DATATYPES
from modelyard.flavors.values import spelled
from modelyard.manifests.model import Model
from modelyard.scoring.signature import signature_of
from modelyard.tables.table import Table


def send(table: Table, model: Model, host: str, port: int, at_once: int) -> int:
    """Sends every row of a table over one connection, ``at_once`` rows in a request. The number of requests."""
    contract = model.contract
    ids = table.texts(contract.id)
    inputs = signature_of(model).inputs
    columns = [(c, spelled(c, values)) for c, values in ((c, table.values(c)) for c in inputs)]
    starts = range(0, table.rows, at_once)
    with _connection(host, port) as connection:
        for first in starts:
            rows = slice(first, min(first + at_once, table.rows))
            tensors = [_tensor(contract.id, "BYTES", [str(name) for name in ids[rows]])]
            tensors += [_tensor(c.name, DATATYPES[c.kind], values[rows]) for c, values in columns]
            _send_request(connection, model, json.dumps({"inputs": tensors}))
    return len(starts)


def write_ground_truth(table: Table, model: Model, path: Path) -> None:
    """Writes the labels of the rows as a CSV file with the contract's id and label."""
    contract = model.contract
    pairs = zip(table.texts(contract.id), table.numbers(contract.label), strict=True)
    lines = [f"{contract.id},{contract.label}", *(f"{name},{label:.0f}" for name, label in pairs), ""]
    write_whole(path, "\n".join(lines).encode())


@contextlib.contextmanager
def _connection(host: str, port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(host, port, timeout=60)
    try:
        yield connection
    except (OSError, http.client.HTTPException) as error:
        raise ModelyardError(
            f"The server on {host}:{port} does not answer: {error}.", "Read the server's log beside the repository."
        ) from error
    finally:
        connection.close()


def _send_request(connection: http.client.HTTPConnection, model: Model, body: str) -> None:
    """Sends one request; ModelyardError unless the answer is 200."""
    connection.request("POST", f"/v2/models/{model.name}/infer", body, {"content-type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise ModelyardError(
            f"The server answered {response.status} to {body[:60]}…: {answer[:200].decode()}",
            "Read the server's log beside the repository.",
        )


def _tensor(name: str, datatype: str, values: list[object]) -> dict[str, object]:
    return {"name": name, "shape": [len(values)], "datatype": datatype, "data": values}
