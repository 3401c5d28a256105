"""Labels that reviewers filled in: which count, what is skipped, and what is refused with its line."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import UsageError
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.predictions.ids import text_hashes
from modelyard.production.feedback.reviews import Labels, read_labels
from modelyard.production.feedback.sample import _cell
from predictions.test_payload import CLASSES, MODEL
from support.yard import MODEL_YAML

REGRESSION = parse(
    Model, MODEL_YAML.format(name="m").replace("task: binary", "task: regression").encode(), "model.yaml"
)
ROW = {"prediction_id": "a/0", "label": "1", "reviewer": "@ada", "reviewed_at": "2026-05-01T10:00Z"}


def written(folder: Path, *rows: dict[str, str], encoding: str = "utf-8") -> Path:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(ROW))
    writer.writeheader()
    writer.writerows(rows)
    path = folder / "labelled.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def label(found: Labels, name: str) -> float | None:
    place = int(found.ground_truth.places(text_hashes(pa.array([name])), np.zeros(1))[0])
    return None if place < 0 else float(found.ground_truth.labels[place])


def test_of_several_labels_the_latest_counts_with_its_reviewer(tmp_path: Path) -> None:
    later = ROW | {"label": "0", "reviewer": "@grace", "reviewed_at": "2026-05-01T11:30+02:00"}
    found = read_labels(written(tmp_path, ROW, later | {"reviewed_at": "2026-05-01T12:00:01+02:00"}, later), MODEL)
    assert label(found, "a/0") == 0
    assert found.reviews == {"a/0": ("@grace", datetime(2026, 5, 1, 10, 0, 1, tzinfo=UTC))}


def test_rows_without_a_label_are_counted_and_skipped(tmp_path: Path) -> None:
    found = read_labels(
        written(tmp_path, ROW, ROW | {"prediction_id": "b/0", "label": " ", "reviewer": "", "reviewed_at": ""}), MODEL
    )
    assert (found.unlabelled, label(found, "a/0"), label(found, "b/0")) == (1, 1, None)


def test_a_time_without_a_zone_is_utc_and_a_byte_order_mark_is_no_column(tmp_path: Path) -> None:
    found = read_labels(written(tmp_path, ROW | {"reviewed_at": "2026-05-01 10:00"}, encoding="utf-8-sig"), MODEL)
    assert found.reviews["a/0"][1] == datetime(2026, 5, 1, 10, tzinfo=UTC)


def test_a_file_without_a_label_is_no_error(tmp_path: Path) -> None:
    found = read_labels(written(tmp_path), MODEL)
    assert (found.unlabelled, found.reviews, found.ground_truth.delivered) == (0, {}, 0)


@pytest.mark.parametrize("missing", list(ROW))
def test_a_missing_column_is_named(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "labelled.csv"
    path.write_text(",".join(name for name in ROW if name != missing) + "\n")
    with pytest.raises(UsageError, match=f"has no column '{missing}'"):
        read_labels(path, MODEL)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": "yes"}, "has label 'yes', which the contract does not know"),
        ({"label": "2"}, "has label '2', which the contract does not know"),
        ({"prediction_id": " "}, "has a label but no prediction_id"),
        ({"prediction_id": "'"}, "has a label but no prediction_id"),
        ({"reviewer": " "}, "has a label but no reviewer"),
        ({"reviewed_at": ""}, "has a label, but reviewed_at '' is not a time"),
        ({"reviewed_at": "1 May"}, "has a label, but reviewed_at '1 May' is not a time"),
    ],
)
def test_an_invalid_label_is_refused_with_its_line(tmp_path: Path, change: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        read_labels(written(tmp_path, ROW | {"label": ""}, ROW, ROW | change), MODEL)
    assert raised.value.problem.endswith(f"labelled.csv:4 {said}.")


@pytest.mark.parametrize(
    ("model", "good", "bad"),
    [
        (MODEL, ["0", "1", "1.0"], ["0.5", "nan", ""]),
        (CLASSES, ["a", "b"], ["c", "A", "0"]),
        (REGRESSION, ["0.5", "-7", "1e3"], ["nan", "inf", "-inf", "much"]),
    ],
)
def test_the_labels_that_each_task_knows(tmp_path: Path, model: Model, good: list[str], bad: list[str]) -> None:
    for value in good:
        assert label(read_labels(written(tmp_path, ROW | {"label": value}), model), "a/0") is not None
    for value in filter(None, bad):
        with pytest.raises(UsageError, match="which the contract does not know"):
            read_labels(written(tmp_path, ROW | {"label": value}), model)


ids = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(
    lambda name: name == name.strip()
)


@given(st.lists(st.tuples(ids, st.sampled_from("01"), st.integers(0, 5)), min_size=1, max_size=6))
def test_ids_come_back_from_a_spreadsheet_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, given_labels: list[tuple[str, str, int]]
) -> None:
    rows = [
        ROW | {"prediction_id": _cell(name), "label": value, "reviewed_at": f"2026-05-01T10:0{at}Z"}
        for name, value, at in given_labels
    ]
    found = read_labels(written(tmp_path_factory.mktemp("labels"), *rows), MODEL)
    assert set(found.reviews) == {name for name, _, _ in given_labels}
    for name in found.reviews:
        latest = max(at for other, _, at in given_labels if other == name)
        values = {float(value) for other, value, at in given_labels if (other, at) == (name, latest)}
        assert label(found, name) == (values.pop() if len(values) == 1 else None)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'x"])
def test_a_formula_is_quoted_and_a_number_is_not(text: str) -> None:
    assert _cell(text) == f"'{text}"
    values: list[tuple[Any, str]] = [(-1.5, "-1.5"), (None, ""), ("plain", "plain"), (True, "True")]
    assert [_cell(value) for value, _ in values] == [cell for _, cell in values]
    assert _cell(datetime(2026, 5, 1, tzinfo=UTC)) == "2026-05-01T00:00:00+00:00"


def test_a_ranking_has_labels_of_any_finite_number(tmp_path: Path) -> None:
    ranking = msgspec.structs.replace(REGRESSION, task="ranking")
    assert label(read_labels(written(tmp_path, ROW | {"label": "3"}), ranking), "a/0") == 3
