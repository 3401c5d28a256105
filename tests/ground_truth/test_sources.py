"""Sources of ground truth: local and remote files, a query, and logs that hold digests of ids."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import fsspec
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from modelyard.errors import ModelyardError, UsageError
from modelyard.ground_truth.labels import GroundTruth
from modelyard.ground_truth.sources import find_ground_truth, known_ground_truth
from modelyard.manifests.configuration import Environment, PredictionLogging, Predictions
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import GroundTruthSource, Model
from modelyard.manifests.repository import ModelRepository
from modelyard.predictions.ids import text_hashes
from modelyard.predictions.writer import Privacy
from modelyard.secrets.interface import Secrets
from support.yard import MODEL_YAML, small_repository

MODEL = parse(Model, MODEL_YAML.format(name="churn").encode(), "model.yaml")
HERE = Environment(name="production")
NAMES = {"id": "flight", "label": "delayed", "label_time": "landed"}


def declaring(**source: object) -> Model:
    return msgspec.structs.replace(MODEL, ground_truth=msgspec.convert(source, GroundTruthSource))


def personal(kind: str) -> Model:
    return msgspec.structs.replace(MODEL, contract=msgspec.structs.replace(MODEL.contract, personal_id=kind))


def asked(model: Model, root: Path = Path(), environment: Environment = HERE, file: Path | None = None) -> GroundTruth:
    found = find_ground_truth(
        model, environment, root, Secrets({"BASE": f"sqlite:///{root}/base.db", "KEY": "k"}), file
    )
    assert found is not None
    return found


def labels(found: GroundTruth, *names: str, at: float = 0.0) -> list[float | None]:
    places = found.places(text_hashes(pa.array(names)), np.full(len(names), at))
    return [None if place < 0 else float(found.labels[place]) for place in places]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four labels in three files of three kinds, and a note that is none of them."""
    where = tmp_path / "landed" / "churn"
    (where / "2026").mkdir(parents=True)
    table = pa.table({"flight": ["a", "b"], "delayed": [1, 0], "landed": [5.0, 5.0], "gate": ["x", "y"]})
    pq.write_table(table, where / "1.parquet")
    (where / "2026" / "2.csv").write_text("flight,delayed,landed\nc,1,1970-01-01T00:00:05Z\n")
    (where / "3.jsonl").write_text('{"flight": "d", "delayed": 0, "landed": 5.0}\n{"flight": "cut in the mid')
    (where / "README.txt").write_text("not a label")
    return where


@pytest.fixture
def elsewhere(folder: Path) -> Iterator[str]:
    """The same in an object store, as fsspec has it in memory."""
    store = fsspec.filesystem("memory")
    store.put(f"{folder}/", "/bucket/churn/", recursive=True)
    yield "memory://bucket/{model}"
    store.rm("/bucket", recursive=True)


def test_a_folder_of_files_with_names_of_their_own(folder: Path) -> None:
    found = asked(declaring(uri="landed/{model}", columns=NAMES), folder.parents[1])
    assert labels(found, "a", "b", "c", "d", "e") == [1, 0, 1, 0, None]
    assert labels(found, "a", "c", at=6.0) == [None, None], "their times were read"
    assert found.delivered == 4


def test_an_object_store_gives_the_same(folder: Path, elsewhere: str) -> None:
    found = asked(declaring(uri=elsewhere, columns=NAMES))
    assert labels(found, "a", "b", "c", "d", "e") == [1, 0, 1, 0, None]


def test_ids_of_digits_keep_their_zeros(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("flight,delayed\n007,1\n")
    found = asked(declaring(uri="o.csv", columns=NAMES), tmp_path)
    assert labels(found, "007", "7") == [1.0, None]


def test_one_file_is_a_source_too(folder: Path) -> None:
    found = asked(declaring(uri="landed/churn/2026/2.csv", columns=NAMES), folder.parents[1])
    assert labels(found, "a", "c") == [None, 1]


def test_a_source_without_rows_has_no_labels_and_one_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert labels(asked(declaring(uri="empty"), tmp_path), "a") == [None]
    with pytest.raises(ModelyardError, match=r"does not exist.*models/churn/model.yaml: ground_truth: uri"):
        asked(declaring(uri="emtpy"), tmp_path)


def test_a_file_cut_off_is_named(folder: Path) -> None:
    whole = (folder / "1.parquet").read_bytes()
    (folder / "1.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelyardError, match=r"1\.parquet cannot be read"):
        asked(declaring(uri="landed/churn", columns=NAMES), folder.parents[1])


def test_files_that_name_predictions_and_files_that_name_ids_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("id,label\na,1\n")
    (tmp_path / "2.csv").write_text("prediction_id,label\np/0,1\n")
    with pytest.raises(UsageError, match="Some labels have prediction_id, others id"):
        asked(declaring(uri=str(tmp_path)))


def test_a_declared_query(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "base.db") as base:
        base.execute("create table landed (flight text, delayed integer)")
        base.executemany("insert into landed values (?, ?)", [("a", 1), ("b", 0)])
    query = "select flight as id, delayed as label from landed"
    found = asked(declaring(sql="env:BASE", query=query), tmp_path)
    assert labels(found, "a", "b", "c") == [1, 0, None]


@pytest.mark.parametrize("more", [{"sql": "env:BASE"}, {"file": Path("x"), "sql": "env:BASE", "query": "select 1"}])
def test_half_a_source_or_two_are_wrong_use(more: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="must have exactly one source"):
        find_ground_truth(MODEL, HERE, Path(), Secrets({}), **more)  # type: ignore[arg-type]


def test_without_a_source_there_is_no_ground_truth() -> None:
    assert find_ground_truth(MODEL, HERE, Path(), Secrets({})) is None


def test_ids_meet_a_log_of_digests_under_its_key(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("id,label\na,1\n,0\nb,0\n")
    keyed = Environment(name="production", log=PredictionLogging(hash_key="env:KEY"))
    found = asked(personal("hash"), environment=keyed, file=tmp_path / "1.csv")
    logged = Privacy(personal("hash").contract, b"k").entities(["a", "b"])
    assert logged is not None and labels(found, *logged, "a") == [1, 0, None]
    assert found.unreadable == 1, "a row without an id has no digest"
    with pytest.raises(ModelyardError, match=r"has no log\.hash_key"):
        asked(personal("hash"), file=tmp_path / "1.csv")
    foreign = Environment(name="production", predictions=Predictions(reader="files", uri="x"))
    assert labels(asked(personal("hash"), environment=foreign, file=tmp_path / "1.csv"), "a") == [1]


def test_ids_that_are_not_logged_find_nothing_and_predictions_do(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("id,label\na,1\n")
    (tmp_path / "2.csv").write_text("prediction_id,label\np/0,1\n")
    with pytest.raises(UsageError, match=r"does not hold id.*prediction_id"):
        asked(personal("drop"), file=tmp_path / "1.csv")
    assert labels(asked(personal("drop"), file=tmp_path / "2.csv"), "p/0") == [1]


def test_a_file_is_for_the_models_whose_columns_it_has(tmp_path: Path) -> None:
    repository, secrets = ModelRepository(small_repository(tmp_path)), Secrets({})
    file = tmp_path / "ground_truth.csv"
    file.write_text("id,label\na,1\n")
    known = known_ground_truth(repository, secrets, file)
    mine = known(MODEL, HERE)
    assert mine is not None and labels(mine, "a") == [1]
    assert known(MODEL, HERE) is mine, "read once"
    other = msgspec.structs.replace(MODEL, name="other", contract=msgspec.structs.replace(MODEL.contract, label="y"))
    assert known(other, HERE) is None
    file.write_text("id,y\na,1\n")
    with pytest.raises(UsageError, match="does not have the id and label columns of any model"):
        known_ground_truth(repository, secrets, file)
