"""Rows handed to monitoring libraries, and a library that is missing, fails or is slow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from modelyard.errors import ModelyardError
from modelyard.evidence.statement import read_statement
from modelyard.ground_truth.labels import GroundTruth
from modelyard.manifests.configuration import Environment
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.production.exchange import export
from modelyard.production.exchange.evidently import job_of
from modelyard.production.exchange.interface import WindowToExport, exchange_named, exchange_names
from modelyard.production.exchange.rows import write_window
from modelyard.production.monitoring.watch import Watched
from production.test_window_counts import DAY, MODEL, WINDOW, row, table, truth
from production.windows import verdict, window
from support.yard import MODEL_YAML


class Log:
    """A reader of tables in memory."""

    def __init__(self, *tables: Any) -> None:
        self.tables = tables

    def read(self, model: Model, begin: float, end: float, columns: tuple[str, ...] | None = None) -> Iterator[Any]:
        yield from self.tables


def exported(*tables: Any, ground_truth: GroundTruth | None = None, model: Model = MODEL) -> WindowToExport:
    rows = sum(one.num_rows for one in tables)
    view: Any = SimpleNamespace(manifest=model, name="m", checkout=SimpleNamespace(root=Path()))
    return WindowToExport(view, window(rows=rows), WINDOW, Log(*tables), ground_truth)


def written(found: WindowToExport, folder: Path, most: int = 0) -> list[dict[str, Any]]:
    path = folder / "rows.parquet"
    count = write_window(found, path, most)
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    assert len(rows) == count
    return rows


def test_only_what_the_version_answered_as_champion_is_handed_over(tmp_path: Path) -> None:
    logged = table(
        row("a", 1, score=0.9), row("b", DAY + 1), row("c", 2, variant="shadow"), row("d", 3, version="v2.0.0"),
        row("e", 4, error="down", score=None), row("f", 5, variant=None),
    )  # fmt: skip
    found = written(exported(logged, ground_truth=truth(a=1, b=0)), tmp_path)
    kept = [(one["prediction"], one["(decision)"], one["(day)"], one["label"]) for one in found]
    assert kept == [(0.9, "1", "1970-01-01", "1"), (0.5, "1", "1970-01-02", "0"), (0.5, "1", "1970-01-01", None)]
    assert {"x", "colour"} <= set(found[0])


def test_personal_inputs_and_ids_stay_here(tmp_path: Path) -> None:
    text = MODEL_YAML.format(name="m").replace("name: colour,", "name: colour, personal: hash,")
    assert "personal: hash" in text
    (found,) = written(exported(table(row("secret", 1)), model=parse(Model, text.encode(), "model.yaml")), tmp_path)
    assert "colour" not in found and not {"secret", "secret/0"} & set(map(str, found.values()))


def test_a_column_that_the_log_lacks_is_missing(tmp_path: Path) -> None:
    found = written(exported(table(row("a", 1), without=("inputs.x",))), tmp_path)
    assert [one["x"] for one in found] == [None]


@pytest.mark.parametrize("parts", [[100], [33, 33, 34], [1] * 100])
def test_of_many_rows_every_nth_is_taken_however_the_log_is_cut(tmp_path: Path, parts: list[int]) -> None:
    rows = [row(str(n), n, score=n / 100) for n in range(100)]
    tables, at = [], 0
    for part in parts:
        tables.append(table(*rows[at : at + part]))
        at += part
    assert [one["prediction"] for one in written(exported(*tables), tmp_path, 30)] == [
        n / 100 for n in range(0, 100, 4)
    ]


def test_the_job_names_columns_by_what_they_are() -> None:
    job = job_of(exported(table(row("a", 1))))
    assert job["numbers"][-1] == "prediction" and "colour" in job["levels"] and "(decision)" in job["levels"]
    assert (job["label"], job["project"], job["threshold"]) == ("label", "m in production", MODEL.contract.threshold)


def test_a_tool_that_fails_changes_nothing_and_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Down:
        def export(self, *_: Any) -> None:
            raise ModelyardError("It failed.", "Look.")

    class Up:
        def export(self, *_: Any) -> dict[str, int]:
            return {"rows": 3}

    known: dict[str, Any] = {"down": Down(), "up": Up()}
    monkeypatch.setattr(export, "exchange_named", known.__getitem__)
    said: list[str] = []
    there = exported(table(row("a", 1)))
    watched = Watched("m", "ab" * 32, there.monitoring, verdict())
    place = Environment(name="production")
    folders = {"down": tmp_path, "up": tmp_path}
    found = export.export_window(there.view, place, WINDOW, None, watched, folders, said.append)
    assert said[0] == "It failed. Look. The verdict stands without down."
    assert read_statement(found["up"], "exchange", dict).predicate == {"rows": 3} and set(found) == {"up"}


def test_every_adapter_says_what_it_needs() -> None:
    assert all(exchange_named(name).requirements for name in exchange_names())
    with pytest.raises(ModelyardError, match=r"No adapter for the tool 'evidentli'.* Did you mean 'evidently'"):
        exchange_named("evidentli")
