"""Measurements of a window: models of several classes, and columns that come and go."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from candidate.test_evaluation import make
from modelyard.candidate.files import Candidate
from modelyard.candidate.reference import write_profile
from modelyard.gate.watches import find_watch, judge_window
from modelyard.ground_truth.labels import GroundTruth, ground_truth_of
from modelyard.manifests.configuration import Environment
from modelyard.manifests.document import Document
from modelyard.manifests.policy import Policy
from modelyard.manifests.watches import ConfidenceWatch, ScoresWatch
from modelyard.metrics.window import Monitoring
from modelyard.predictions.interface import Window
from modelyard.production.monitoring.labelled_rows import block_seconds
from modelyard.production.monitoring.window import monitor_window
from modelyard.progress import no_progress
from modelyard.report.terminal.production import render_monitoring
from modelyard.report.window import slice_rows
from modelyard.tables.table import Table
from support.versions import add_stage, add_version, opened
from support.yard import CONFIG, commit_all, git

BEGIN = 1_777_593_600.0
WINDOW = Window(BEGIN, BEGIN + 7 * 86400)
SCORES = ("prediction_low", "prediction_mid", "prediction_high")


class Given:
    """A reader of tables in memory."""

    def __init__(self, *tables: pa.Table) -> None:
        self._tables = tables

    def read(self, *_: object) -> Iterator[pa.Table]:
        yield from self._tables


def serving(folder: Path, task: str) -> Candidate:
    """A registered model that serves in production."""
    git(folder, "init", "--quiet", "-b", "main")
    (folder / "models").mkdir()
    (folder / "modelyard.yaml").write_text(CONFIG)
    candidate = make(folder / "models/tiny", task)
    write_profile(candidate)
    commit_all(folder, "a model")
    add_version(folder, "tiny", "v1.0.0", metrics={"log_loss": 0.5})
    add_stage(folder, "tiny", "v1.0.0", "production")
    return candidate


@pytest.fixture
def classes(tmp_path: Path) -> Candidate:
    """One of three classes."""
    return serving(tmp_path, "multiclass")


def logged(candidate: Candidate, change: object = None, without: tuple[str, ...] = ()) -> pa.Table:
    """The held-out rows as a server logs them."""
    held, scores = candidate.holdout(), candidate.predictions(candidate.holdout())
    scores = change(scores) if callable(change) else scores
    at = (BEGIN + np.linspace(0, 7 * 86400 - 1, held.rows)) * 1e6
    columns = {"id": [f"r{n}/0" for n in range(held.rows)], "entity": held.texts("id"), "error": pa.nulls(held.rows, pa.string()),
               "time": pa.array(at.astype(np.int64), pa.timestamp("us", "UTC")), "version": ["v1.0.0"] * held.rows,
               "variant": ["champion"] * held.rows, "score": pa.array(scores.tolist(), pa.list_(pa.float64()) if scores.ndim > 1 else pa.float64()),
               "latency_ms": np.ones(held.rows), "inputs.x": held.numbers("x"), "inputs.z": held.numbers("z"),
               "inputs.c": held.texts("c")}  # fmt: skip
    return pa.table({name: values for name, values in columns.items() if name not in without})


def known(candidate: Candidate) -> GroundTruth:
    held = candidate.holdout()
    table = pa.table({"id": pa.array(held.texts("id").tolist()), "y": pa.array(held.texts("y").tolist())})
    return ground_truth_of([Table(table, Path("ground_truth"))], candidate.model)


def watched(candidate: Candidate, *tables: pa.Table, ground_truth: GroundTruth | None = None) -> Monitoring:
    view = opened(candidate.folder.parents[1]).model(candidate.model.name)
    view.__dict__["manifest"] = candidate.model
    policy = Policy(name="p", description="", checks=[])
    environment = Environment(name="production")
    return monitor_window(view, policy, environment, Given(*tables), WINDOW, ground_truth, no_progress)


def test_a_model_of_several_classes_is_watched_by_each_score_and_by_confidence(classes: Candidate) -> None:
    found = watched(classes, logged(classes), ground_truth=known(classes))
    assert found.drift is not None and found.confidence is not None and found.realised is not None
    columns = {c.name: c for c in found.drift.columns if c.role == "score"}
    assert set(columns) == {*SCORES, "(confidence)"}
    assert not any(c.alarm for c in columns.values())
    assert max(c.js or 0.0 for c in columns.values()) < 0.01, "they are the very rows of the profile"
    assert found.confidence.current == pytest.approx(found.confidence.reference)
    accuracy = next(m for m in found.realised.metrics if m.name == "accuracy")
    assert accuracy.candidate is not None and accuracy.candidate > 0.5
    scores, sure = ScoresWatch(id="s", why=""), ConfidenceWatch(id="c", why="")
    assert (find_watch(scores, found).outcome, find_watch(sure, found).outcome) == ("pass", "pass")

    def swapped(given: np.ndarray) -> np.ndarray:
        return given[:, [0, 2, 1]]  # as sure as ever, of other classes

    found = watched(classes, logged(classes, swapped))
    said = find_watch(scores, found)
    assert said.outcome == "fail" and any(name in said.sentence for name in SCORES[1:])
    assert find_watch(sure, found).outcome == "pass"
    found = watched(classes, logged(classes, lambda given: given * 0.1 + 0.3))
    assert find_watch(sure, found).outcome == "fail"


def test_answers_with_another_number_of_classes_are_not_predictions_of_this_model(classes: Candidate) -> None:
    whole = logged(classes)
    half = whole.num_rows // 2
    other = whole.slice(half).set_column(
        whole.column_names.index("score"), "score", pa.array([[0.5, 0.5]] * (whole.num_rows - half))
    )
    found = watched(classes, whole.slice(0, half), other)
    assert found.rows == half
    assert found.served[0].requests == whole.num_rows


@pytest.mark.parametrize(("hours", "block"), [(24 * 30, 86400), (24 * 7, 21600), (24, 3600), (4, 600), (1, 0)])
def test_blocks_are_as_long_as_a_window_holds_twenty_of(hours: int, block: int) -> None:
    assert block_seconds(Window(BEGIN, BEGIN + hours * 3600)) == block


def test_rows_of_one_stretch_of_time_widen_the_interval(classes: Candidate) -> None:
    def width(table: pa.Table) -> float:
        found = watched(classes, table, ground_truth=known(classes)).realised
        assert found is not None
        interval = next(m.interval for m in found.metrics if m.name == "accuracy")
        assert interval is not None
        return interval.high - interval.low

    table = logged(classes)
    wrong = np.asarray(table["score"].combine_chunks().flatten()).reshape(-1, 3).max(axis=1)
    order = pa.array(np.argsort(wrong))
    by_time = table.take(order).set_column(table.column_names.index("time"), "time", table["time"])
    assert width(by_time) > 1.5 * width(table), "the unsure rows came all at once"


def test_a_slice_column_that_comes_late_is_missing_before_and_no_row_is_lost(classes: Candidate) -> None:
    half = logged(classes).num_rows // 2
    tables = logged(classes, without=("inputs.c",)).slice(0, half), logged(classes).slice(half)
    found = watched(classes, *tables, ground_truth=known(classes))
    assert found.realised is not None
    rows = {part.level: part.rows for part in found.realised.slices if part.column == "c"}
    assert sum(rows.values()) == found.rows == 2 * half
    assert rows["(missing)"] == half
    quarters = [part for part in found.realised.slices if part.column == "x"]
    assert len(quarters) == 4 and all(" to " in part.level for part in quarters), "numbers are cut at quartiles"
    never = watched(classes, logged(classes, without=("inputs.c",)), ground_truth=known(classes))
    assert never.realised is not None and not [part for part in never.realised.slices if part.column == "c"]


def test_before_ground_truth_each_slice_has_an_estimate_of_its_own_scores(tmp_path: Path) -> None:
    candidate = serving(tmp_path, "binary")
    table = logged(candidate)
    found = watched(candidate, table.slice(0, 400), table.slice(400))
    parts = {part.level: part for part in found.estimated_slices if part.column == "c"}
    names = np.asarray(table["inputs.c"].to_pylist())
    assert {level: part.rows for level, part in parts.items()} == {n: int((names == n).sum()) for n in ("a", "b", "c")}
    for level, part in parts.items():
        scores = np.asarray(table["score"])[names == level]
        expected = np.maximum(scores, 1 - scores).mean()
        accuracy = next(guess for guess in part.metrics if guess.name == "accuracy")
        assert accuracy.value == pytest.approx(expected, abs=0.02), "from the middles of its bins"
    policy = Policy(name="p", description="", checks=[])
    verdict = judge_window(policy, Document("p.yaml", {}), candidate.model, "", found, (), date(2026, 5, 8))
    said = render_monitoring("tiny", found, verdict).fit(80)
    assert "worst by auc" in said and "estimated" in said and "c=a" in said
    labelled = watched(candidate, table, ground_truth=known(candidate))
    headings, rows = slice_rows(labelled, 3) or ([], [])
    assert headings[1:3] == ["labels", "realised"] and len(rows) == 3
