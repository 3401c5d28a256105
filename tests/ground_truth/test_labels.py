"""Labels as they are delivered: late, twice, changed, contradicting, without a prediction."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError, UsageError
from modelyard.ground_truth.labels import GroundTruth, ground_truth_of, read_ground_truth
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.predictions.ids import Lookup, sorting_order, text_hashes
from modelyard.tables.table import Table
from support.yard import MODEL_YAML

MODEL = parse(Model, MODEL_YAML.format(name="m").encode(), "model.yaml")


def ground_truth(rows: list[tuple[str | None, int | None, float | None]]) -> GroundTruth:
    table = pa.table({"id": pa.array([r[0] for r in rows], pa.string()), "label": pa.array([r[1] for r in rows], pa.int64()),
                      "label_time": pa.array([r[2] for r in rows], pa.float64())})  # fmt: skip
    return ground_truth_of([Table(table, Path("ground_truth"))], MODEL)


def label(found: GroundTruth, name: str, at: float = 0.0) -> float | None:
    place = int(found.places(text_hashes(pa.array([name])), np.array([at]))[0])
    return None if place < 0 else float(found.labels[place])


def test_the_latest_counts_and_everything_else_is_counted() -> None:
    found = ground_truth(
        [("a", 1, 5.0), ("a", 1, 5.0), ("b", 0, 1.0), ("b", 1, 9.0), ("c", 0, None), ("c", 1, None), ("d", 1, None),
         (None, 1, 1.0), ("e", None, 1.0), ("f", 7, 1.0)]
    )  # fmt: skip
    assert [label(found, name) for name in "abcdef"] == [1, 1, None, 1, None, None]
    assert (found.delivered, found.duplicates, found.changed, found.contradicting, found.unreadable) == (10, 1, 1, 1, 3)


def test_a_label_older_than_a_prediction_is_not_its_label() -> None:
    found = ground_truth([("a", 1, 100.0)])
    assert label(found, "a", at=50.0) == 1
    assert label(found, "a", at=150.0) is None
    assert label(found, "z") is None


def test_without_labels_there_is_none() -> None:
    assert label(ground_truth([]), "a") is None


rows = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d", None]),
        st.sampled_from([0, 1, None]),
        st.sampled_from([None, 1.0, 2.0, 3.0]),
    ),
    max_size=12,
)


@given(rows)
def test_the_order_of_delivery_does_not_matter(
    delivered: list[tuple[str | None, int | None, float | None]],
) -> None:
    found, turned = ground_truth(delivered), ground_truth(delivered[::-1])
    for name in "abcd":
        mine = [
            (time if time is not None else -1.0, value)
            for i, value, time in delivered
            if i == name and value is not None
        ]
        latest = {value for time, value in mine if time == max(t for t, _ in mine)} if mine else set()
        assert label(found, name) == label(turned, name) == (float(latest.pop()) if len(latest) == 1 else None)
    assert found.contradicting == turned.contradicting


@given(st.lists(st.text(max_size=9), max_size=30))
def test_hashes_differ_where_texts_differ_and_are_the_same_every_time(texts: list[str]) -> None:
    clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
    hashes = text_hashes(
        pa.chunked_array([pa.array(clean[:7], pa.string()), pa.array(clean[7:], pa.string())])
    ).tolist()
    assert len(set(hashes)) == len(set(clean))
    assert hashes == [int(text_hashes(pa.array([text], pa.string()))[0]) for text in clean]


def test_a_file_without_the_columns_names_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "ground_truth.csv"
    file.write_text("id,labels\n1,0\n")
    with pytest.raises(UsageError, match="no column 'label'"):
        read_ground_truth(file, MODEL)


def test_ids_of_digits_keep_their_zeros(tmp_path: Path) -> None:
    file = tmp_path / "ground_truth.csv"
    file.write_text("id,label\n007,1\n1e5,0\n,1\n2026-05-01,1\n")
    found = read_ground_truth(file, MODEL)
    wanted = text_hashes(pa.array(["007", "1e5", "2026-05-01", "7", "100000"]))
    assert (found.places(wanted, np.zeros(5)) >= 0).tolist() == [True, True, True, False, False]
    assert (found.delivered, found.unreadable) == (4, 1)


@given(st.lists(st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 9)), max_size=60))
def test_sorting_and_looking_up_are_those_of_numpy(numbers: list[int]) -> None:
    hashes = np.array(numbers, dtype=np.uint64)
    order, ordered = sorting_order(hashes)
    assert (hashes[order] == np.sort(hashes)).all() and (ordered == np.sort(hashes)).all()
    assert sorted(order.tolist()) == list(range(len(numbers)))
    known = np.unique(hashes[::2])
    places = Lookup(known).places(hashes)
    assert [int(known[p]) if p >= 0 else None for p in places] == [n if n in known.tolist() else None for n in numbers]


def test_times_in_texts_of_several_zones_are_one_clock(tmp_path: Path) -> None:
    file = tmp_path / "ground_truth.csv"
    file.write_text("id,label,label_time\na,0,2026-05-01T02:00:00+02:00\na,1,2026-05-01T00:30:00\nb,1,\n")
    found = read_ground_truth(file, MODEL)
    half_past = datetime(2026, 5, 1, 0, 30, tzinfo=UTC).timestamp()
    assert label(found, "a", at=half_past) == 1 and label(found, "b", at=half_past) == 1
    assert label(found, "a", at=half_past + 1) is None
    assert found.changed == 1, "two in the morning elsewhere was midnight in UTC"
    file.write_text("id,label,label_time\na,0,yesterday\n")
    with pytest.raises(ModelyardError, match=r"The times in .*ground_truth.csv cannot be read"):
        read_ground_truth(file, MODEL)


@pytest.mark.parametrize(
    "labels", [[1, 0, None], [True, False, None], ["True", "false", None], ["yes", "no", "perhaps"], ["1", "0.0", ""]]
)
def test_a_binary_label_in_every_spelling(labels: list[Any]) -> None:
    table = pa.table({"id": ["a", "b", "c"], "label": labels, "label_time": [1.0, 1.0, 1.0]})
    found = ground_truth_of([Table(table, Path("t"))], MODEL)
    assert sorted(found.labels.tolist()) == [0, 1] and found.unreadable == 1


@pytest.mark.parametrize("ids", [["900011", "x"], [900011, 7], [900011.0, 7.0], [b"900011", b"x"]])
def test_an_id_joins_however_it_is_spelled(ids: list[Any]) -> None:
    table = pa.table({"id": ids, "label": [1, 0]})
    found = ground_truth_of([Table(table, Path("t"))], MODEL)
    assert found.hashes[found.labels == 1].tolist() == text_hashes(pa.array(["900011"])).tolist()


def test_label_times_in_milliseconds_are_refused() -> None:
    table = pa.table({"id": ["a"], "label": [1], "label_time": [1_780_000_000_000]})
    with pytest.raises(ModelyardError, match="1780000000000 is not a number of seconds since 1970"):
        ground_truth_of([Table(table, Path("t"))], MODEL)
