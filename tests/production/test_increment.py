"""Labelled increments: their names, what a run proposes, and all of them as one table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelyard.errors import ModelyardError
from modelyard.ground_truth.labels import GroundTruth, ground_truth_of
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.predictions.interface import Window
from modelyard.predictions.writer import Entry
from modelyard.production.feedback.increment import Increment, collect, increments, next_name, write_labelled
from modelyard.tables.table import Table
from production.stores import Yard
from support.yard import MODEL_YAML

MODEL = parse(Model, MODEL_YAML.format(name="m").encode(), "model.yaml")
BEGIN = datetime(2026, 5, 1, tzinfo=UTC)
END = datetime(2026, 5, 8, tzinfo=UTC)
WINDOW = Window(BEGIN.timestamp(), END.timestamp())
FIRST = "data/feedback/m/20260508T000000Z.parquet"


def entry(name: str, **more: Any) -> Entry:
    fields: dict[str, Any] = {
        "id": f"r-{name}", "time": "2026-05-02T00:00:00Z", "version": "v1.0.0", "variant": "champion", "latency_ms": 1.0,
        "entities": [name], "inputs": {"x": [1.5], "colour": ["red"]}, "scores": [0.5],
    }  # fmt: skip
    return Entry(**(fields | more))


def truth(**labels: int) -> GroundTruth:
    table = pa.table({"id": list(labels), "label": pa.array(labels.values(), pa.int64())})
    return ground_truth_of([Table(table, Path("ground_truth"))], MODEL)


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    found = Yard(tmp_path, MODEL)
    found.log(*(entry(name) for name in "abcd"))
    return found


def collected(yard: Yard, known: GroundTruth, reviews: Mapping[str, tuple[str, datetime]] | None = None) -> Increment:
    """A run, and what it proposes merged."""
    found = collect(yard.view, yard.environment, WINDOW, known, lambda _: None, reviews)
    if found.proposed is not None:
        yard.git.merge(found.proposed.files)
    return found


def table(yard: Yard, name: str) -> list[dict[str, Any]]:
    yard.dvc.pull(f"{name}.dvc")
    rows: list[dict[str, Any]] = pq.read_table(yard.root / name).to_pylist()
    (yard.root / name).unlink()
    return rows


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], "20260508T000000Z"),
        (["20260507T235959Z"], "20260508T000000Z"),
        (["20260508T000000Z"], "20260508T000001Z"),
        (["20260601T120000Z", "20260508T000000Z"], "20260601T120001Z"),
        (["20260531T235959Z"], "20260601T000000Z"),
        (["mine", "2026", "20260508T000000"], "20260508T000000Z"),
    ],
)
def test_the_next_name_is_the_windows_end_or_just_after_the_last(taken: list[str], expected: str) -> None:
    paths = [f"data/feedback/m/{name}.parquet" for name in taken]
    assert next_name("m", END.timestamp(), paths) == f"data/feedback/m/{expected}.parquet"


ends = st.integers(-10, 10).map(lambda seconds: END.timestamp() + seconds) | st.floats(1e9, 2e9)


@given(st.lists(ends, max_size=8))
def test_names_rise_in_any_order_of_windows(windows: list[float]) -> None:
    names: list[str] = []
    for end in windows:
        names.append(next_name("m", end, names))
    assert names == sorted(set(names))
    assert all(
        Path(name).stem >= f"{datetime.fromtimestamp(end, UTC):%Y%m%dT%H%M%SZ}"
        for name, end in zip(names, windows, strict=True)
    )


def test_increments_are_the_pointers_of_a_commit() -> None:
    yard = Yard(Path(), MODEL)
    yard.git.files = dict.fromkeys(
        [f"{FIRST}.dvc", "data/feedback/m/20260501T000000Z.parquet.dvc", "data/feedback/m/20260501T000000Z.json",
         "data/feedback/m/.gitignore", "data/feedback/m2/20260501T000000Z.parquet.dvc"], b"",
    )  # fmt: skip
    assert increments(yard.view.checkout.git, "m") == ["data/feedback/m/20260501T000000Z.parquet", FIRST]


# --- a run --------------------------------------------------------------------------------------------------------


def test_a_run_proposes_rows_pointer_profile_and_counts(yard: Yard) -> None:
    found = collected(yard, truth(a=1, b=0, z=1))
    assert found.path == FIRST and found.proposed is not None
    assert found.proposed.branch == "modelyard/feedback/m" and found.proposed.title == "Feedback for m: 2 labelled rows"
    stem = FIRST.removesuffix(".parquet")
    assert set(found.proposed.files) == {
        f"{FIRST}.dvc", f"{stem}.json", f"{stem}.profile.json", "data/feedback/m/.gitignore",
    }  # fmt: skip
    assert yard.left == [], "the checkout is as it was"
    assert {row["id"]: row["label"] for row in table(yard, FIRST)} == {"a": 1, "b": 0}
    record = json.loads(yard.git.files[f"{stem}.json"])
    assert (record["model"], record["environment"], record["begin"], record["end"]) == (
        "m",
        "production",
        WINDOW.begin,
        WINDOW.end,
    )
    assert record["joined"] == {
        "predictions": 4, "labelled": 2, "corrected": 0, "known": 0, "repeated": 0, "waiting": 2, "delivered": 3,
        "duplicates": 0, "changed": 0, "contradicting": 0, "unreadable": 0, "unknown": 1, "lacking": [],
    }  # fmt: skip


def test_nothing_new_proposes_nothing(yard: Yard) -> None:
    collected(yard, truth(a=1))
    again = collected(yard, truth(a=1))
    assert (again.path, again.proposed, again.joined.known) == ("", None, 1)
    assert collected(Yard(yard.root, MODEL), truth(z=1)).proposed is None, "no prediction has a label"


def test_a_later_run_brings_new_and_corrected_rows_under_a_later_name(yard: Yard) -> None:
    collected(yard, truth(a=1, b=0))
    found = collected(yard, truth(a=1, b=1, c=0))
    assert found.path == "data/feedback/m/20260508T000001Z.parquet"
    assert (found.joined.labelled, found.joined.corrected, found.joined.known) == (2, 1, 1)
    assert {row["id"]: row["label"] for row in table(yard, found.path)} == {"b": 1, "c": 0}
    assert collected(yard, truth(a=1, b=1, c=0)).proposed is None, "the newest label of b counts"


def test_what_a_killed_run_left_is_removed_and_files_of_others_stay(yard: Yard) -> None:
    folder = yard.root / "data/feedback/m"
    folder.mkdir(parents=True)
    ours = [f"20260507T000000Z{end}" for end in (".parquet", ".parquet.dvc", ".json", ".profile.json")]
    of_dvc = ".0BSqZyxWJFOc2Td0-f61cw.tmp"
    for name in (*ours, of_dvc, "notes.md", "20260507.csv", ".mine.tmp"):
        (folder / name).write_text("x")
    collected(yard, truth(a=1))
    assert sorted(path.name for path in folder.iterdir()) == [".mine.tmp", "20260507.csv", "notes.md"]


def test_an_increment_that_is_nowhere_is_an_error(yard: Yard) -> None:
    collected(yard, truth(a=1))
    yard.dvc.objects.clear()
    with pytest.raises(ModelyardError, match=f"{FIRST} is neither in this checkout nor on the remote"):
        collected(yard, truth(a=0))


def test_reviewers_are_in_the_rows_and_counted_by_what_they_labelled(yard: Yard) -> None:
    reviews = {
        f"r-{name}/0": (who, END) for name, who in (("a", "@ada"), ("b", "@grace"), ("c", "@grace"), ("z", "@eve"))
    }
    names = pa.array(list(reviews), pa.string())
    labels = pa.table({"prediction_id": names, "label": pa.array([1, 0, 1, 1], pa.int64())})
    found = collected(yard, ground_truth_of([Table(labels, Path("labels"))], MODEL), reviews)
    rows = {row["id"]: (row["label"], row["reviewer"], row["reviewed_at"]) for row in table(yard, found.path)}
    assert rows == {"a": (1, "@ada", END), "b": (0, "@grace", END), "c": (1, "@grace", END)}
    record = json.loads(yard.git.files[f"{FIRST.removesuffix('.parquet')}.json"])
    assert record["reviewers"] == {"@ada": 1, "@grace": 2}, "a label of no prediction is not counted"


labels = st.dictionaries(st.sampled_from("abcd"), st.sampled_from([0, 1]))


@settings(max_examples=25)  # each writes files
@given(runs=st.lists(labels, max_size=4))
def test_however_many_runs_every_prediction_ends_with_its_last_label(
    tmp_path_factory: pytest.TempPathFactory, runs: list[dict[str, int]]
) -> None:
    yard = Yard(tmp_path_factory.mktemp("yard"), MODEL)
    yard.log(*(entry(name) for name in "abcd"))
    expected: dict[str, int] = {}
    for run in runs:
        changed = {name for name, label in run.items() if expected.get(name) != label}
        found = collected(yard, truth(**run)) if run else None
        assert found is None or found.joined.labelled == len(changed)
        expected |= run
    for name in increments(yard.view.checkout.git, "m"):
        yard.dvc.pull(f"{name}.dvc")
        (yard.root / f"{name}.dvc").write_bytes(yard.git.files[f"{name}.dvc"])
    out = yard.root / "all.parquet"
    assert write_labelled(yard.root, MODEL, out) == len(expected)
    assert {row["id"]: row["label"] for row in pq.read_table(out).to_pylist()} == expected


# --- the table ----------------------------------------------------------------------------------------------------


def test_without_increments_the_table_is_empty_and_has_its_columns(tmp_path: Path) -> None:
    assert write_labelled(tmp_path, MODEL, tmp_path / "all.parquet") == 0
    assert pq.read_table(tmp_path / "all.parquet").column_names == [
        "id", "x", "colour", "label", "prediction_id", "predicted_at", "version", "score", "reviewer", "reviewed_at",
    ]  # fmt: skip


def test_a_column_that_an_older_increment_lacks_is_null(tmp_path: Path) -> None:
    folder = tmp_path / "data/feedback/m"
    folder.mkdir(parents=True)
    for name, columns in (("1", {}), ("2", {"x": [2.5]})):
        rows = pa.table({"id": [name], "label": [1], "prediction_id": [f"{name}/0"], **columns})
        pq.write_table(rows, folder / f"{name}.parquet")
        (folder / f"{name}.parquet.dvc").touch()
    assert write_labelled(tmp_path, MODEL, tmp_path / "all.parquet") == 2
    assert pq.read_table(tmp_path / "all.parquet")["x"].to_pylist() == [None, 2.5]


def test_an_increment_of_which_only_the_pointer_is_here_says_what_to_run(tmp_path: Path) -> None:
    folder = tmp_path / "data/feedback/m"
    folder.mkdir(parents=True)
    pointer = folder / "1.parquet.dvc"
    pointer.touch()
    with pytest.raises(ModelyardError, match=rf"not in this checkout, only its pointer\. Run dvc pull {pointer}\."):
        write_labelled(tmp_path, MODEL, tmp_path / "all.parquet")
    (folder / "1.parquet").write_bytes(b"PAR1")
    with pytest.raises(ModelyardError, match="is not a valid increment of labelled rows"):
        write_labelled(tmp_path, MODEL, tmp_path / "all.parquet")


def test_the_window_is_the_log_between_its_ends(yard: Yard) -> None:
    late = (END + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    yard.log(entry("a"), entry("b", time=late), entry("c", variant="shadow"), entry("d", scores=[], error="down"))
    found = collected(yard, truth(a=1, b=1, c=1, d=1))
    assert (found.joined.predictions, found.joined.labelled, found.joined.unknown) == (1, 1, 3)
