"""Payloads: requests and answers as other servers log them, turned into rows of a prediction log."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from modelyard.flavors.tensors import rows_of
from modelyard.manifests.model import Model

if TYPE_CHECKING:
    import pyarrow as pa

Columns = dict[str, list[Any]]
_UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
"""Errors of payloads whose values have another form than their place in the payload needs."""


class PayloadRows:
    """Collects payloads and makes one table of them."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._names = [column.name for column in model.contract.inputs]
        self._lengths = {column.name: column.length for column in model.contract.inputs if column.type == "vector"}
        self._rows: list[dict[str, Any]] = []

    def add(self, name: str, time: datetime, version: str, variant: str, sent: object, answered: object) -> None:
        """Adds a request and its answer; a payload that cannot be read becomes one row with an error and no score."""
        try:
            inputs, scores = self._inputs(sent), self._scores(answered)
            error = None if scores else "the answer holds no scores"
        except _UNREADABLE as fault:
            inputs, scores, error = {}, [], f"the payload cannot be read: {type(fault).__name__}"
        ids = inputs.get(self._model.contract.id, [])
        for row in range(max(len(scores), 1)):
            found: dict[str, Any] = {
                "id": f"{name}/{row}",
                "entity": ids[row] if row < len(ids) else None,
                "time": time if time.tzinfo else time.replace(tzinfo=UTC),
                "version": version,
                "variant": variant,
                "error": error,
                "score": scores[row] if row < len(scores) else None,
            }
            for column in self._names:
                values = inputs.get(column, [])
                found[f"inputs.{column}"] = values[row] if row < len(values) else None
            self._rows.append(found)

    def table(self) -> pa.Table:
        """All rows that were added."""
        import pyarrow as pa

        texts = ("id", "entity", "version", "variant", "error")
        arrays: dict[str, Any] = {
            name: pa.array([_text(row[name]) for row in self._rows], pa.string()) for name in texts
        }
        arrays["time"] = pa.array([row["time"] for row in self._rows], pa.timestamp("us", "UTC"))
        arrays["score"] = pa.array([row["score"] for row in self._rows], _score_type(self._model))
        arrays["latency_ms"] = pa.nulls(len(self._rows), pa.float64())
        for column in self._model.contract.inputs:
            values = [row[f"inputs.{column.name}"] for row in self._rows]
            number = column.type in ("integer", "float")
            arrays[f"inputs.{column.name}"] = (
                pa.array([_number(value) for value in values], pa.float64())
                if number
                else pa.array([_text(value) for value in values], pa.string())
            )
        return pa.table(arrays)

    def _scores(self, answered: object) -> list[Any]:
        found = scores_of(answered)
        several = self._model.task == "multiclass"
        if any(isinstance(score, list) != several for score in found):
            raise ValueError("another number of scores a row")
        return found

    def _inputs(self, sent: object) -> Columns:
        if isinstance(sent, Mapping):
            if isinstance(tensors := sent.get("inputs"), list):
                return self._tensors(tensors)
            if isinstance(rows := sent.get("instances"), list):
                return self._instances(rows)
            columns = sent.get("inputs", sent)
            if isinstance(columns, Mapping):
                return {str(name): values if isinstance(values, list) else [values] for name, values in columns.items()}
        if isinstance(sent, list):
            return self._instances(sent)
        if isinstance(sent, str):
            return self._instances([row for row in csv.reader(io.StringIO(sent)) if row])
        raise ValueError("no inputs")

    def _tensors(self, tensors: Sequence[Mapping[str, Any]]) -> Columns:
        one = tensors[0] if len(tensors) == 1 else {}
        if len(self._names) > 1 and one and one.get("name") not in self._names:  # columns in the contract's order
            values, width = _flat(one["data"]), int(one["shape"][-1])
            return self._instances([values[at : at + width] for at in range(0, len(values), width)])
        return {str(tensor["name"]): self._values(tensor) for tensor in tensors}

    def _values(self, tensor: Mapping[str, Any]) -> list[Any]:
        """One value for each row; of a vector, a list."""
        length = self._lengths.get(str(tensor["name"]))
        if length is None:
            return _flat(tensor["data"])
        rows = rows_of(tensor["data"], tensor["shape"], length)
        return rows if length > 1 else [None if value is None else [value] for value in rows]

    def _instances(self, rows: Sequence[Any]) -> Columns:
        if rows and isinstance(rows[0], Mapping):
            names = {str(name) for row in rows for name in row}
            return {name: [row.get(name) for row in rows] for name in names}
        rows = [self._joined(row) for row in rows]
        if any(len(row) != len(self._names) for row in rows):
            raise ValueError("another number of columns")
        return {name: [row[i] for row in rows] for i, name in enumerate(self._names)}

    def _joined(self, row: Sequence[Any]) -> Sequence[Any]:
        """A row of which a vector is one value, where its numbers stand in a place each."""
        if not self._lengths or len(row) != len(self._names) - len(self._lengths) + sum(self._lengths.values()):
            return row
        if len(row) == len(self._names) and any(isinstance(value, list) for value in row):
            return row  # vectors of one number, which are lists already
        found: list[Any] = []
        at = 0
        for name in self._names:
            length = self._lengths.get(name)
            found.append(row[at] if length is None else list(row[at : at + length]))
            at += length or 1
        return found


def scores_of(answered: object) -> list[Any]:
    """One score per row of an answer: V2 ``outputs``, ``predictions``, ``scores``, a list, or CSV text."""
    if isinstance(answered, Mapping):
        if isinstance(outputs := answered.get("outputs"), list) and outputs:
            shape, values = outputs[0].get("shape", []), _flat(outputs[0]["data"])
            numbers = [float(value) for value in values]
            width = int(shape[-1]) if len(shape) > 1 else 1
            return numbers if width <= 1 else [numbers[at : at + width] for at in range(0, len(numbers), width)]
        for name in ("predictions", "scores"):
            if isinstance(answered.get(name), list):
                return scores_of(answered[name])
        return []
    if isinstance(answered, str):
        found = [[float(cell) for cell in row] for row in csv.reader(io.StringIO(answered)) if row]
        return [row[0] if len(row) == 1 else row for row in found]
    if isinstance(answered, list):
        return [
            [float(v) for v in value] if isinstance(value, list) and len(value) > 1 else float(_only(value))
            for value in answered
        ]
    return [float(answered)] if isinstance(answered, int | float) else []


def decoded(data: str, encoding: str) -> object:
    """A captured body, which may be in base64: the value of JSON, else the text."""
    text = base64.b64decode(data).decode("utf-8", "replace") if encoding.upper() == "BASE64" else data
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _only(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _flat(values: Any) -> list[Any]:
    if not isinstance(values, list):
        raise ValueError("no list of values")
    return [inner for value in values for inner in _flat(value)] if values and isinstance(values[0], list) else values


def _text(value: object) -> str | None:
    """A value as text, a list as JSON.

    Half a surrogate pair, which JSON may hold and UTF-8 may not, becomes a question mark.
    """
    shown = json.dumps(value) if isinstance(value, list) else value
    return None if value is None else str(shown).encode("utf-8", "replace").decode("utf-8")


def _number(value: Any) -> float | None:
    try:
        return None if value is None or value == "" else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _score_type(model: Model) -> Any:
    import pyarrow as pa

    return pa.list_(pa.float64()) if model.task == "multiclass" else pa.float64()
