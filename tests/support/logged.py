"""Predictions as the local server logs them, made of held-out flights and their real scores, at times of one's own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from modelyard.flavors.signature import Input
from modelyard.flavors.values import spelled
from modelyard.manifests.repository import ModelRepository
from modelyard.predictions.writer import Entry
from modelyard.scoring.signature import signature_of
from modelyard.tables.file import read_table
from modelyard.tables.table import Table

MODEL = "flight-delay"
START = datetime(2026, 5, 1, tzinfo=UTC)


class Flights:
    """The held-out rows of a repository, with scores and labels."""

    def __init__(self, yard: Path) -> None:
        self.model = ModelRepository(yard).model(MODEL)
        folder = yard / "models" / MODEL
        holdout = read_table(folder / self.model.files.holdout)
        scores = read_table(folder / self.model.files.predictions)
        place = {name: i for i, name in enumerate(scores.texts(self.model.contract.id))}
        self.ids = [str(name) for name in holdout.texts(self.model.contract.id)]
        self.scores = [float(scores.numbers("prediction")[place[name]]) for name in self.ids]
        self.labels = [int(label) for label in holdout.numbers(self.model.contract.label)]
        self.inputs = _rows(holdout, signature_of(self.model).inputs)

    def entries(
        self,
        rows: Sequence[int],
        day: float = 0.0,
        days: float = 7.0,
        version: str = "v1.0.0",
        variant: str = "champion",
        change: Callable[[Entry], Entry] = lambda entry: entry,
    ) -> list[Entry]:
        """One request a row, spread evenly over ``days`` from ``START + day``."""
        found = []
        for place, row in enumerate(rows):
            when = START + timedelta(days=day + days * (place + 0.5) / len(rows))
            identifier = hashlib.sha256(f"{version} {variant} {day} {place}".encode()).hexdigest()[:16]
            entry = Entry(
                id=identifier,
                time=when.isoformat(timespec="microseconds").replace("+00:00", "Z"),
                version=version,
                variant=variant,
                latency_ms=2.0 + (place % 10) / 10,
                entities=[self.ids[row]],
                inputs={name: [value] for name, value in self.inputs[row].items()},
                scores=[self.scores[row]],
            )
            found.append(change(entry))
        return found


def write_log(yard: Path, entries: Sequence[Entry], environment: str = "production", name: str = "") -> Path:
    """One open segment of the local server's log."""
    folder = yard / ".modelyard" / "local" / environment / "log" / MODEL
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name or '20260501T000000000000'}.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))
    return path


def write_ground_truth(yard: Path, flights: Flights, rows: Sequence[int], name: str = "ground_truth.csv") -> Path:
    """What happened to those flights, as CSV."""
    contract = flights.model.contract
    path = yard.parent / name
    lines = [f"{contract.id},{contract.label}", *(f"{flights.ids[row]},{flights.labels[row]}" for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def _rows(table: Table, columns: Sequence[Input]) -> list[dict[str, object]]:
    values = {column.name: spelled(column, table.values(column)) for column in columns}
    return [{name: cells[row] for name, cells in values.items()} for row in range(table.rows)]
