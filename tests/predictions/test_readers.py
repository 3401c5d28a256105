"""Logs of other servers in their own formats, read as one table."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError, UsageError
from modelyard.manifests.configuration import Environment, Predictions
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.predictions.discovery import open_reader
from modelyard.predictions.ids import once
from support.yard import MODEL_YAML

MODEL = parse(Model, MODEL_YAML.format(name="m").encode(), "model.yaml")
BEGIN, END = datetime(2026, 5, 1, tzinfo=UTC).timestamp(), datetime(2026, 5, 8, tzinfo=UTC).timestamp()


def read(folder: Path, reader: str, uri: str = "captured/{model}", **columns: str) -> list[dict[str, Any]]:
    environment = Environment(name="production", predictions=Predictions(reader=reader, uri=uri, columns=columns))
    tables = list(open_reader(environment, folder).read(MODEL, BEGIN, END))
    rows = [row for table in tables for row in table.to_pylist()]
    return sorted(rows, key=lambda row: (row["time"], row["id"] or ""))


def lines(path: Path, *content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in content))
    return path


def capture(event: str, time: str, sent: str, answered: str, encoding: str = "CSV") -> dict[str, Any]:
    return {
        "captureData": {
            "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": sent, "encoding": encoding},
            "endpointOutput": {
                "observedContentType": "text/csv",
                "mode": "OUTPUT",
                "data": answered,
                "encoding": encoding,
            },
        },
        "eventMetadata": {"eventId": event, "inferenceTime": time},
        "eventVersion": "0",
    }


def test_sagemaker_data_capture(tmp_path: Path) -> None:
    folder = tmp_path / "captured/m/production-m/v1-2-0/2026/05/03/14"
    tensors = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": [7.5]},
                          {"name": "colour", "datatype": "BYTES", "shape": [1], "data": ["blue"]}]}  # fmt: skip
    encoded = [base64.b64encode(json.dumps(part).encode()).decode() for part in (tensors, {"predictions": [0.9]})]
    path = lines(
        folder / "00-10-1.jsonl",
        capture("e1", "2026-05-03T14:00:01Z", "1.5,red\n2.5,green\n", "0.25\n0.75\n"),
        capture("e2", "2026-05-03T14:00:02Z", encoded[0], encoded[1], "BASE64"),
        capture("e3", "2026-05-03T14:00:03Z", "1,2,3,4", "0.5"),
        capture("old", "2026-04-03T14:00:03Z", "1,red", "0.5"),
    )
    path.write_text(path.read_text() + json.dumps(capture("cut", "2026-05-03T14:00:09Z", "1,red", "0.5"))[:50])
    lines(folder / "00-20-2.jsonl", capture("e1", "2026-05-03T14:00:01Z", "1.5,red\n2.5,green\n", "0.25\n0.75\n"))
    rows = read(tmp_path, "sagemaker")
    assert [(r["id"], r["inputs.x"], r["inputs.colour"], r["score"]) for r in rows] == [
        ("e1/0", 1.5, "red", 0.25), ("e1/1", 2.5, "green", 0.75), ("e2/0", 7.5, "blue", 0.9), ("e3/0", None, None, None),
    ]  # fmt: skip
    assert {r["version"] for r in rows} == {"v1.2.0"}
    assert rows[-1]["error"]


def event(name: str, kind: str, time: str, data: object, **more: str) -> dict[str, Any]:
    return {"specversion": "1.0", "id": name, "type": kind, "source": "http://localhost:9081/", "time": time,
            "inferenceservicename": "m", "data": data} | more  # fmt: skip


def test_payload_logs_of_kserve_and_seldon(tmp_path: Path) -> None:
    kserve, seldon = "org.kubeflow.serving.inference", "io.seldon.serving.inference"
    sent = {"instances": [{"x": 1.0, "colour": "red"}, {"x": 2.0, "colour": "blue"}]}
    matrix = {"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP64", "data": [[3.0, 4.0]]}]}
    lines(
        tmp_path / "captured/m/a.json",
        event("1", f"{kserve}.request", "2026-05-02T00:00:00Z", sent),
        event("1", f"{kserve}.response", "2026-05-02T00:00:01Z", {"predictions": [0.1, 0.2]}, modelversion="v1.0.0"),
        event("2", f"{seldon}.request", "2026-05-03T00:00:00+02:00", matrix),
        event("9", f"{kserve}.request", "2026-05-02T00:00:00Z", sent, inferenceservicename="other"),
        event("3", f"{kserve}.request", "2026-05-04T00:00:00Z", sent, component="v1.1.0"),
        event("7", f"{kserve}.response", "2026-05-02T00:00:01Z", {"predictions": [0.1, 0.2]}),
    )
    answer = {"model_version": "v1.0.0", "outputs": [{"name": "predict", "shape": [1], "data": [0.3]}]}
    lines(tmp_path / "captured/m/b.json", event("2", f"{seldon}.response", "2026-05-03T00:00:01+02:00", answer))
    rows = read(tmp_path, "cloudevents")
    assert [(r["id"], r["version"], r["score"], r["inputs.x"]) for r in rows] == [
        ("1/0", "v1.0.0", 0.1, 1.0), ("1/1", "v1.0.0", 0.2, 2.0), ("2/0", "v1.0.0", 0.3, 3.0), ("3/0", "v1.1.0", None, 1.0),
    ]  # fmt: skip
    assert rows[2]["time"] == datetime(2026, 5, 2, 22, tzinfo=UTC)
    assert rows[3]["error"] == "the answer holds no scores"


def test_tables_of_any_names_in_any_format(tmp_path: Path) -> None:
    folder = tmp_path / "captured/m"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("request,when,prediction,x,colour\n1,2026-05-02 00:00:00,0.5,1,red\n")
    moment = pa.array([datetime(2026, 5, 3, 2)], pa.timestamp("ns"))
    pq.write_table(pa.table({"request": [2], "when": moment, "prediction": [0.25], "x": [2.0], "colour": ["blue"]}), folder / "b.parquet")  # fmt: skip
    lines(
        folder / "c.jsonl", {"request": "3", "when": END - 1, "prediction": 0.75, "inputs": {"x": 3, "colour": "red"}}
    )
    rows = read(tmp_path, "files", id="request", time="when")
    assert [(r["id"], r["score"], r["inputs.x"], r["inputs.colour"]) for r in rows] == [
        ("1", 0.5, 1, "red"), ("2", 0.25, 2.0, "blue"), ("3", 0.75, 3, "red"),
    ]  # fmt: skip
    assert rows[1]["time"] == datetime(2026, 5, 3, 2, tzinfo=UTC)
    with pytest.raises(ModelyardError, match="has no column 'moment'"):
        read(tmp_path, "files", time="moment")


def test_what_cannot_be_read_says_which_file(tmp_path: Path) -> None:
    with pytest.raises(ModelyardError, match="does not exist"):
        read(tmp_path, "files")
    with pytest.raises(UsageError, match="'file' is not installed"):
        read(tmp_path, "file")
    with pytest.raises(UsageError, match="has no uri"):
        read(tmp_path, "files", uri="")
    broken = lines(tmp_path / "captured/m/a.jsonl", {"captureData": 1})
    with pytest.raises(ModelyardError, match=f"{broken} is not data capture"):
        read(tmp_path, "sagemaker")
    broken.unlink()
    (tmp_path / "captured/m/b.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(ModelyardError, match=r"b\.parquet cannot be read"):
        read(tmp_path, "files")


def test_a_last_line_counts_when_it_is_whole_and_is_left_out_when_it_was_cut(tmp_path: Path) -> None:
    folder = tmp_path / "captured/m"
    captured = [capture(f"e{n}", "2026-05-03T14:00:01Z", "1.5,red", "0.25") for n in range(2)]
    events = [event("1", f"org.kubeflow.serving.inference.{part}", "2026-05-02T00:00:00Z", data)
              for part, data in (("request", {"instances": [[1.0, "red"]]}), ("response", {"predictions": [0.1]}))]  # fmt: skip
    logged = [{"id": n, "time": "2026-05-02T00:00:00Z", "score": 0.5, "version": "v1.0.0"} for n in ("a", "b")]
    header, rows = (
        "id,time,score,version,x\n",
        ["a,2026-05-02T00:00:00Z,0.5,v1.0.0,1", "b,2026-05-02T00:00:00Z,0.5,v1.0.0,2"],
    )
    for reader, name, content, cut in (
        ("sagemaker", "one.jsonl", captured, 1), ("cloudevents", "one.json", events, 1), ("files", "one.jsonl", logged, 1),
        ("files", "one.csv", rows, 1),
    ):  # fmt: skip
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in content)
        text = header + text if name.endswith("csv") else text
        (folder / name).write_text(text)
        whole = read(tmp_path, reader)
        assert all(row["score"] is not None for row in whole) and len(whole) == (1 if reader == "cloudevents" else 2)
        (folder / name).write_text(text[: -9 if name.endswith("csv") else -3])
        assert [row["id"] for row in read(tmp_path, reader) if row["error"] is None] == [r["id"] for r in whole[:-cut]]
    (folder / "one.csv").write_text(header + "\n".join([rows[0], "b,2026", rows[1]]))
    with pytest.raises(ModelyardError, match=r"one\.csv cannot be read"):
        read(tmp_path, "files")


def test_zipped_lines_are_read_and_one_that_was_cut_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "captured/m"
    folder.mkdir(parents=True)
    logged = "".join(json.dumps({"id": str(n), "time": BEGIN + n, "score": 0.5}) + "\n" for n in range(3))
    (folder / "a.ndjson.gz").write_bytes(gzip.compress(logged.encode()))
    (folder / "b.csv.gz").write_bytes(gzip.compress(b"id,time,score\n007,2026-05-02,0.5\n"))
    assert [row["id"] for row in read(tmp_path, "files")] == ["0", "1", "2", "007"]
    shutil.rmtree(folder)
    folder.mkdir()
    captured = json.dumps(capture("e1", "2026-05-03T14:00:01Z", "1.5,red", "0.25")).encode()
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(captured))
    assert [row["id"] for row in read(tmp_path, "sagemaker")] == ["e1/0"]
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(captured)[:-9])
    for reader in ("files", "sagemaker", "cloudevents"):
        with pytest.raises(ModelyardError, match=r"a\.jsonl\.gz"):
            read(tmp_path, reader)


def test_digits_that_are_texts_stay_texts_and_the_contracts_id_is_the_entity(tmp_path: Path) -> None:
    model = parse(Model, MODEL_YAML.format(name="m").replace("id: id", "id: customer").encode(), "model.yaml")
    folder = tmp_path / "captured/m"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text(
        "request,time,p,customer,colour\n0042,2026-05-02,0.5,007,02139\n0043,2026-05-02,0.5,,\n"
    )
    predictions = Predictions(reader="files", uri="captured/m", columns={"id": "request", "score": "p"})
    environment = Environment(name="production", predictions=predictions)
    [table] = open_reader(environment, tmp_path).read(model, BEGIN, END)
    rows = table.select(["id", "entity", "inputs.colour"]).to_pylist()
    assert [list(row.values()) for row in rows] == [["0042", "007", "02139"], ["0043", None, None]]


def test_files_outside_of_the_window_are_not_read(tmp_path: Path) -> None:
    lines(tmp_path / "captured/m/e/v1-0-0/2026/04/03/14/a.jsonl", {"captureData": "of another month"})
    lines(tmp_path / "captured/m/e/v1-0-0/2026/05/03/14/a.jsonl", capture("e", "2026-05-03T14:00:01Z", "1,red", "0.25"))
    assert [row["id"] for row in read(tmp_path, "sagemaker")] == ["e/0"]
    shutil.rmtree(tmp_path / "captured/m/e")
    path = tmp_path / "captured/m/b.parquet"
    days = [datetime(2026, 4, 1), datetime(2026, 5, 2)]
    rows = {"id": [f"{day:%m%d}-{n}" for day in days for n in range(50)], "score": [0.5] * 100, "colour": ["red"] * 100,
            "time": pa.array([day for day in days for _ in range(50)], pa.timestamp("us")), "notes": ["x" * 9] * 100}  # fmt: skip
    pq.write_table(pa.table(rows), path, row_group_size=50, compression="none")
    april = pq.ParquetFile(path).metadata.row_group(0).column(0)
    content = bytearray(path.read_bytes())
    content[april.data_page_offset : april.data_page_offset + 40] = b"\xff" * 40
    path.write_bytes(content)
    assert len(read(tmp_path, "files")) == 50
    with pytest.raises(ModelyardError, match="cannot be read"):
        list(open_reader(_at("captured/m"), tmp_path).read(MODEL, BEGIN - 40 * 86400, END))


@given(
    st.lists(st.floats(BEGIN - 9, END + 9), min_size=1, max_size=30),
    st.integers(1, 9),
    st.sampled_from(["us", "float"]),
)
def test_skipping_row_groups_loses_nothing(moments: list[float], size: int, kind: str) -> None:
    moments = [round(moment, 3) for moment in moments]
    column = pa.array(moments) if kind == "float" else pa.array([int(m * 1e6) for m in moments], pa.timestamp("us"))
    with TemporaryDirectory() as scratch:
        table = pa.table({"id": [str(n) for n in range(len(moments))], "time": column, "score": [0.5] * len(moments)})
        pq.write_table(table, Path(scratch) / "a.parquet", row_group_size=size)
        rows = [
            row for table in open_reader(_at("."), Path(scratch)).read(MODEL, BEGIN, END) for row in table.to_pylist()
        ]
    assert len(rows) == sum(BEGIN <= moment < END for moment in moments)


def _at(uri: str) -> Environment:
    return Environment(name="production", predictions=Predictions(reader="files", uri=uri))


cells = st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from(["v1.0.0", "v1.1.0"]))


@given(st.lists(st.lists(cells, max_size=6), max_size=5))
def test_every_prediction_is_counted_once(tables: list[list[tuple[str | None, str]]]) -> None:
    given_tables = [
        pa.table({"id": pa.array([i for i, _ in rows], pa.string()), "version": pa.array([v for _, v in rows], pa.string()),
                  "variant": pa.array(["champion"] * len(rows), pa.string())})
        for rows in tables
    ]  # fmt: skip
    kept = [(row["id"], row["version"]) for table in once(given_tables) for row in table.to_pylist()]
    everything = [cell for rows in tables for cell in rows]
    named = [cell for cell in kept if cell[0] is not None]
    assert len(named) == len(set(named)) and set(named) == {cell for cell in everything if cell[0] is not None}
    assert kept.count((None, "v1.0.0")) == everything.count((None, "v1.0.0"))
