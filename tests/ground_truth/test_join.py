"""Ground truth joined to predictions in memory: which row gets the label, and which count each of the rest is in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError
from modelyard.evidence.production import Joined
from modelyard.ground_truth.join import NOTHING, Earlier, _keep_newest, increment_types, join
from modelyard.ground_truth.labels import GroundTruth, ground_truth_of
from modelyard.manifests.model import Model
from modelyard.predictions.ids import text_hashes
from modelyard.predictions.interface import Window
from modelyard.tables.table import Table
from predictions.test_payload import CLASSES, MODEL

WINDOW = Window(0, 100)


def row(name: str, entity: str | None, second: int, **more: Any) -> dict[str, Any]:
    usual = {"id": f"{name}/0", "entity": entity, "time": second * 10**6, "version": "v1.0.0", "variant": "champion",
             "error": None, "score": 0.5, "inputs.x": float(second), "inputs.colour": "red"}  # fmt: skip
    return usual | more


class Log:
    """A reader of rows in parts."""

    def __init__(self, *rows: dict[str, Any], at_once: int = 2) -> None:
        self.rows, self._at_once = list(rows), at_once

    def read(self, model: Model, begin: float, end: float, columns: tuple[str, ...] | None = None) -> Iterator[Any]:
        kinds = {"time": pa.timestamp("us", "UTC"), "inputs.x": pa.float64(),
                 "score": pa.list_(pa.float64()) if model.task == "multiclass" else pa.float64()}  # fmt: skip
        names = ("id", "entity", "time", "version", "variant", "error", "score", "inputs.x", "inputs.colour")
        for first in range(0, len(self.rows), self._at_once):
            part = self.rows[first : first + self._at_once]
            there = [name for name in names if any(name in one for one in part)]
            yield pa.table(
                {name: pa.array([one.get(name) for one in part], kinds.get(name, pa.string())) for name in there}
            )


def truth(*labels: tuple[str, Any, float | None], model: Model = MODEL, key: str = "id") -> GroundTruth:
    kind = pa.string() if model.task == "multiclass" else pa.int64()
    table = {
        key: pa.array([one[0] for one in labels], pa.string()),
        "label": pa.array([one[1] for one in labels], kind),
    }
    if any(one[2] is not None for one in labels):
        table["label_time"] = pa.array([one[2] for one in labels], pa.float64())
    return ground_truth_of([Table(pa.table(table), Path("ground_truth"))], model)


def joined(
    folder: Path, log: Any, known: GroundTruth, model: Model = MODEL, earlier: Earlier = NOTHING
) -> tuple[Joined, list[dict[str, Any]]]:
    folder.mkdir(exist_ok=True)
    target = folder / "increment.parquet"
    found = join(log, model, WINDOW, known, earlier, target)
    assert target.is_file() == bool(found.labelled)
    return found, pq.read_table(target).to_pylist() if found.labelled else []


def earlier(**labels: float) -> Earlier:
    hashes = text_hashes(pa.array([f"{name}/0" for name in labels]))
    order = np.argsort(hashes)
    return Earlier(hashes[order], np.array(list(labels.values()))[order])


def test_the_newest_prediction_before_the_label_gets_it(tmp_path: Path) -> None:
    log = Log(row("a", "ann", 1), row("b", "ann", 5), row("c", "ann", 9), row("d", "bob", 2))
    found, rows = joined(tmp_path, log, truth(("ann", 1, 6.0), ("bob", 0, 1.0), ("zoe", 1, 9.0)))
    assert [(one["prediction_id"], one["id"], one["label"], one["x"]) for one in rows] == [("b/0", "ann", 1, 5.0)]
    assert (found.predictions, found.labelled, found.repeated, found.waiting) == (4, 1, 1, 2)
    assert (found.delivered, found.unknown) == (3, 2)


def test_labels_without_a_time_go_to_the_newest_prediction(tmp_path: Path) -> None:
    log = Log(row("c", "ann", 9), row("a", "ann", 1))
    assert [one["prediction_id"] for one in joined(tmp_path, log, truth(("ann", 1, None)))[1]] == ["c/0"]


def test_labels_may_name_predictions(tmp_path: Path) -> None:
    log = Log(row("a", None, 1), row("b", "ann", 2))
    found, rows = joined(tmp_path, log, truth(("a/0", 1, None), ("b", 0, None), key="prediction_id"))
    assert [(one["prediction_id"], one["id"], one["label"]) for one in rows] == [("a/0", None, 1)]
    assert (found.waiting, found.unknown) == (1, 1)


def test_a_prediction_without_an_id_waits_and_an_empty_id_is_none(tmp_path: Path) -> None:
    found, _ = joined(tmp_path, Log(row("a", None, 1), row("b", "", 2)), truth(("", 1, None), ("ann", 1, None)))
    assert (found.labelled, found.waiting, found.unreadable) == (0, 2, 1)


def test_shadows_and_failed_requests_are_no_predictions(tmp_path: Path) -> None:
    log = Log(
        row("a", "ann", 1), row("b", "ann", 2, variant="shadow"), row("c", "ann", 3, score=None, error="down"),
        row("d", "bob", 4, variant=None),
    )  # fmt: skip
    found, rows = joined(tmp_path, log, truth(("ann", 1, None), ("bob", 0, None)))
    assert [one["prediction_id"] for one in rows] == ["a/0", "d/0"] and found.predictions == 2


def test_rows_of_earlier_increments_come_again_only_with_another_label(tmp_path: Path) -> None:
    log = Log(row("a", "ann", 1), row("b", "bob", 2), row("c", "cid", 3))
    known = truth(("ann", 1, None), ("bob", 0, None), ("cid", 1, None))
    found, rows = joined(tmp_path, log, known, earlier=earlier(a=1.0, b=1.0))
    assert {one["prediction_id"]: one["label"] for one in rows} == {"b/0": 0, "c/0": 1}
    assert (found.labelled, found.corrected, found.known) == (2, 1, 1)
    again, _ = joined(tmp_path / "again", log, known, earlier=earlier(a=1.0, b=0.0, c=1.0))
    assert (again.labelled, again.corrected, again.known) == (0, 0, 3)


def test_classes_are_written_by_name(tmp_path: Path) -> None:
    log = Log(row("a", "ann", 1, score=[0.1, 0.9]), row("b", "bob", 2, score=[0.1, 0.2, 0.7]))
    found, rows = joined(tmp_path, log, truth(("ann", "b", None), ("bob", "z", None), model=CLASSES), CLASSES)
    assert [(one["label"], one["score"]) for one in rows] == [("b", [0.1, 0.9])]
    assert found.unreadable == 1, "the contract has no class z"


def test_personal_inputs_are_named_and_left_out(tmp_path: Path) -> None:
    inputs = [
        msgspec.structs.replace(one, personal="hash" if one.name == "colour" else "no") for one in MODEL.contract.inputs
    ]
    model = msgspec.structs.replace(MODEL, contract=msgspec.structs.replace(MODEL.contract, inputs=inputs))
    found, rows = joined(tmp_path, Log(row("a", "ann", 1)), truth(("ann", 1, None), model=model), model)
    assert found.lacking == ("colour",) and "colour" not in rows[0] and rows[0]["x"] == 1.0
    assert "colour" not in increment_types(model)


def test_an_input_that_the_log_lacks_is_null(tmp_path: Path) -> None:
    without = {name: value for name, value in row("a", "ann", 1).items() if name != "inputs.colour"}
    assert joined(tmp_path, Log(without), truth(("ann", 1, None)))[1][0]["colour"] is None


def test_a_log_that_changes_between_the_passes_is_an_error(tmp_path: Path) -> None:
    class Changing(Log):
        def read(self, *asked: Any) -> Iterator[Any]:
            yield from super().read(*asked)
            self.rows = [row("new", "new", 7), *self.rows]

    with pytest.raises(ModelyardError, match="The prediction log changed while it was read"):
        joined(tmp_path, Changing(row("a", "ann", 1), row("b", "bob", 2)), truth(("ann", 1, None)))


def test_earlier_labels_by_prediction() -> None:
    found = earlier(a=1.0, b=0.0).of(pa.array(["b/0", "z/0", "a/0"]))
    np.testing.assert_array_equal(found, [0.0, np.nan, 1.0])
    assert np.isnan(NOTHING.of(pa.array(["a/0"]))).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=12), st.integers(1, 5))
def test_the_newest_is_kept_in_any_order_and_any_parts_of_the_rows(rows: list[tuple[int, int]], at_once: int) -> None:
    newest, chosen = np.full(4, -np.inf), np.full(4, -1, dtype=np.int64)
    for first in range(0, len(rows), at_once):
        part = rows[first : first + at_once]
        place = np.array([one[0] for one in part], dtype=np.int64)
        at = np.array([one[1] for one in part], dtype=np.float64)
        _keep_newest(newest, chosen, place, at, np.arange(first, first + len(part)))
    for label in range(4):
        times = [(at, n) for n, (other, at) in enumerate(rows) if other == label]
        assert (chosen[label], newest[label]) == ((max(times)[1], max(times)[0]) if times else (-1, -np.inf))


entities = st.sampled_from(["ann", "bob", None])
logs = st.lists(
    st.tuples(entities, st.integers(0, 9), st.sampled_from(["champion", "candidate", "shadow"])), max_size=10
)
labels = st.lists(
    st.tuples(st.sampled_from(["ann", "bob", "zoe"]), st.sampled_from([0, 1, None]), st.none() | st.floats(0, 12)),
    max_size=6,
)


@given(log=logs, known=labels, first=st.integers(1, 4), second=st.integers(5, 9))
def test_the_parts_of_the_log_do_not_matter_and_every_row_is_in_one_count(
    tmp_path_factory: pytest.TempPathFactory,
    log: list[tuple[str | None, int, str]],
    known: list[tuple[str, Any, float | None]],
    first: int,
    second: int,
) -> None:
    rows = [row(f"r{n}", entity, at, variant=variant) for n, (entity, at, variant) in enumerate(log)]
    folder = tmp_path_factory.mktemp("join")
    small, large = (joined(folder / str(size), Log(*rows, at_once=size), truth(*known)) for size in (first, second))
    assert small == large
    found, _ = small
    assert found.predictions == sum(variant != "shadow" for _, _, variant in log)
    assert found.labelled + found.known + found.repeated + found.waiting == found.predictions
    assert found.delivered == len(known)
    counted = found.labelled + found.known + found.unknown + found.duplicates + found.changed + found.unreadable
    assert counted == found.delivered or (found.contradicting and counted + found.contradicting <= found.delivered)
