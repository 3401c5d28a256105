"""However the values of a table are spelled, a model gets the same columns and gives the same scores."""

from __future__ import annotations

import csv
import json
import math
import struct
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from flavors.conftest import FLAVORS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modelyard.errors import ModelyardError
from modelyard.flavors.frames import arrow_table
from modelyard.flavors.served import checked
from modelyard.flavors.signature import Input, Signature
from modelyard.flavors.tensors import rows_of, tensors_of
from modelyard.flavors.values import Column, Columns, Unreadable, canonical
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.predictions.payload import PayloadRows
from modelyard.predictions.segments import table_of
from modelyard.predictions.writer import Entry
from modelyard.scoring.scorer import LoadedArtifact, loaded
from modelyard.serving.protocol import BadRequest
from modelyard.serving.tensors import ContractCheck, decode_request
from modelyard.tables.file import read_table
from modelyard.tables.table import Table
from support.models import GRADES, REGIONS, Trained, train

LOG = Path("the prediction log")
MOMENT = datetime(2026, 5, 1, tzinfo=UTC)
NUMBERS = (-3.5, 0.0, -0.0, 0.1, 1e-9, 2.0**24 + 1, 5e-324, -1e-300, 1e300, -1e300, 2.0**53, 3.5e38)
FIRST, LAST = date(1, 1, 1), date(9999, 12, 31)
texts = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=8)
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)) | st.just(datetime(2107, 1, 1, 0, 0, 0, 7))


def values_of(column: Input) -> st.SearchStrategy[Any]:
    """Values as Python has them."""
    numbers = st.sampled_from(NUMBERS) | st.floats(-1e6, 1e6)
    found: dict[str, st.SearchStrategy[Any]] = {
        "float": numbers,
        "integer": st.sampled_from([*GRADES, 0, -1, 5]) | st.integers(-(2**53), 2**53),
        "string": st.sampled_from([*REGIONS, "EAST", "null", "NA", "nan", "0", "007", "true", " east", 'a,"b'] ) | texts,
        "boolean": st.booleans(),
        "date": st.sampled_from([FIRST, LAST, date(1970, 1, 1), date(2024, 2, 29)]) | st.dates(),
        "timestamp": moments,
        "vector": st.lists(numbers, min_size=column.length, max_size=column.length),
    }  # fmt: skip
    return found[column.kind] | st.none() if column.nullable else found[column.kind]


@st.composite
def tables(draw: st.DrawFn, signature: Signature) -> dict[str, list[Any]]:
    rows = draw(st.integers(1, 5))
    return {c.name: draw(st.lists(values_of(c), min_size=rows, max_size=rows)) for c in signature.inputs}


def require_equal(signature: Signature, expected: Columns, found: Columns, how: str) -> None:
    for column in signature.inputs:
        one, other = expected[column.name], found[column.name]
        if column.is_text:
            assert list(one) == list(other), f"{how}: {column.name}"
        else:
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other), f"{how}: {column.name}")


# --- Parquet ------------------------------------------------------------------------------------------------------


def parquet(draw: st.DrawFn, column: Input, values: list[Any]) -> Any:
    """A column as one of the types that writers choose for it."""
    gaps = None in values
    match column.kind:
        case "integer":
            kind = draw(st.sampled_from([pa.int64(), pa.float64(), pa.string(), pa.decimal128(38, 0)]))
            return pa.array([None if v is None else float(v) if kind == pa.float64() else v for v in values] if
                            kind != pa.string() else [None if v is None else str(v) for v in values], kind)  # fmt: skip
        case "boolean":
            kind = draw(st.sampled_from([pa.bool_(), pa.int8(), pa.float64(), pa.string()]))
            spell = {pa.bool_(): bool, pa.int8(): int, pa.float64(): float, pa.string(): str}[kind]
            return pa.array([None if v is None else spell(v) for v in values], kind)
        case "string":
            kind = draw(st.sampled_from([pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]))
            return pa.array(values, pa.string()).cast(kind)
        case "date":
            kind = draw(st.sampled_from([pa.date32(), pa.string(), pa.timestamp("s"), pa.int32()]))
            return pa.array(values, pa.date32()).cast(kind)
        case "timestamp":
            kind = draw(
                st.sampled_from([pa.timestamp("us", "UTC"), pa.timestamp("us"), pa.timestamp("us", "Asia/Tokyo")])
            )
            aware = [None if v is None else v.replace(tzinfo=UTC) for v in values]
            return pa.array(aware, pa.timestamp("us", "UTC")).cast(kind)
        case "vector":
            fixed = draw(st.booleans()) and not gaps
            return pa.array(values, pa.list_(pa.float64(), column.length) if fixed else pa.list_(pa.float64()))
    return pa.array(values, pa.float64())


# --- CSV ----------------------------------------------------------------------------------------------------------


def cell(column: Input, value: Any) -> str:
    if value is None:
        return ""
    if column.kind == "vector":
        return json.dumps(value)
    if column.kind == "timestamp":
        return str(value.replace(tzinfo=UTC).isoformat())
    return value.isoformat() if column.kind == "date" else str(value)


def write_csv(path: Path, signature: Signature, rows: dict[str, list[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(rows)
        for row in range(len(next(iter(rows.values())))):
            writer.writerow([cell(column, rows[column.name][row]) for column in signature.inputs])


# --- requests -----------------------------------------------------------------------------------------------------


def sent(draw: st.DrawFn, column: Input, value: Any) -> Any:
    """One value as a caller may write it in JSON."""
    if value is None:
        return None
    match column.kind:
        case "integer":
            return draw(st.sampled_from([value, float(value)]))
        case "boolean":
            return draw(
                st.sampled_from([value, int(value), float(value), str(value), str(value).lower(), str(int(value))])
            )
        case "date":
            return draw(st.sampled_from([value.isoformat(), value.toordinal() - date(1970, 1, 1).toordinal()]))
        case "timestamp":
            zone = timezone(timedelta(hours=draw(st.sampled_from([0, 2, -11]))))
            aware = value.replace(tzinfo=UTC)
            return draw(st.sampled_from([
                value.isoformat(), value.isoformat() + "Z", str(aware), aware.astimezone(zone).isoformat(),
            ]))  # fmt: skip
    return value


def request(draw: st.DrawFn, signature: Signature, rows: dict[str, list[Any]]) -> bytes:
    """An inference request with JSON data."""
    inputs = []
    for column in signature.inputs:
        values = [sent(draw, column, value) for value in rows[column.name]]
        datatype = {"integer": "INT64", "float": "FP64", "string": "BYTES", "vector": "FP64"}.get(column.kind, "BYTES")
        shape = [len(values), column.length] if column.kind == "vector" else [len(values)]
        if column.kind == "integer" and draw(st.booleans()):
            datatype = "FP64"
        if column.kind == "vector" and draw(st.booleans()) and None not in values:
            values = [number for vector in values for number in vector]
        inputs.append({"name": column.name, "shape": shape, "datatype": datatype, "data": values})
    return json.dumps({"inputs": inputs}).encode()


def blobs(draw: st.DrawFn, signature: Signature, rows: dict[str, list[Any]], columns: Columns) -> tuple[bytes, int]:
    """The same with binary tensors, and the length of its JSON part. A null text has no bytes, so it stays in JSON."""
    inputs, tail = [], b""
    for column in signature.inputs:
        values, shape = rows[column.name], [len(rows[column.name])]
        tensor: dict[str, Any] = {"name": column.name}
        if column.is_text and None in values:
            inputs.append({**tensor, "shape": shape, "datatype": "BYTES", "data": values})
            continue
        if column.is_text:
            datatype = "BYTES"
            encoded = [value.encode() for value in values]
            blob = b"".join(struct.pack("<I", len(value)) + value for value in encoded)
        elif column.kind == "boolean" and None not in values:
            datatype, blob = "BOOL", bytes(map(int, values))
        elif column.kind == "integer" and None not in values and draw(st.booleans()):
            datatype, blob = "INT64", np.array(values, dtype="<i8").tobytes()
        else:
            numbers = np.asarray(canonical(replace(column, categories=()), values), dtype="<f8")
            datatype, blob = "FP64", numbers.tobytes()
            shape = list(numbers.shape)
        tail += blob
        inputs.append({**tensor, "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": len(blob)}})
    head = json.dumps({"inputs": inputs}).encode()
    return head + tail, len(head)


# --- the properties -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scorers(cells: dict[str, Trained]) -> Iterator[dict[str, tuple[Model, LoadedArtifact]]]:
    found = {}
    for name, trained in cells.items():
        model = parse(Model, (trained.folder / "model.yaml").read_bytes(), "model.yaml")
        found[name] = (
            model,
            LoadedArtifact.load(model, trained.folder / model.files.artifact, trained.folder, threads=1),
        )
    yield found
    for _, scorer in found.values():
        scorer.close()


@pytest.mark.parametrize("flavor", FLAVORS)
def test_every_spelling_gives_the_same_score(
    scorers: dict[str, tuple[Model, LoadedArtifact]], tmp_path: Path, flavor: str
) -> None:
    model, scorer = scorers[flavor]
    signature = scorer.signature
    check = ContractCheck(model.contract, 1000)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        draw: Any = data.draw
        rows = draw(tables(signature))
        expected = {c.name: canonical(c, rows[c.name]) for c in signature.inputs}
        found: dict[str, Columns] = {}
        path = tmp_path / "rows.parquet"
        pq.write_table(pa.table({c.name: parquet(draw, c, rows[c.name]) for c in signature.inputs}), path)
        found["Parquet"] = read_table(path).columns(signature.inputs, "the test")
        pq.write_table(arrow_table(signature, expected), path)
        found["Arrow of the worker"] = read_table(path).columns(signature.inputs, "the test")
        write_csv(tmp_path / "rows.csv", signature, rows)
        found["CSV"] = read_table(tmp_path / "rows.csv", texts=model.contract.texts).columns(
            signature.inputs, "the test"
        )
        body = request(draw, signature, rows)
        asked = check.rows(decode_request(body))
        found["JSON"] = asked.columns
        content, length = blobs(draw, signature, rows, expected)
        binary = check.rows(decode_request(content, length))
        found["binary tensors"] = binary.columns
        if all(c.nullable or not missing(c, expected[c.name]) for c in signature.inputs):
            # Otherwise an unknown level is missing by now, and null may not be sent.
            ours = {t["name"]: rows_of(t["data"], t["shape"], 2) for t in tensors_of(signature, expected)}
            found["our own requests"] = {c.name: checked(c, ours[c.name]) for c in signature.inputs}
        count = asked.count
        entries = [
            Entry(id=str(n), time="2026-05-01T00:00:00Z", version="v1", variant="champion", latency_ms=1.0,
                  inputs=written(one.sent), scores=[0.5] * count)
            for n, one in enumerate((asked, binary))
        ]  # fmt: skip
        logged = table_of(entries)
        for n, how in enumerate(("JSON in the log", "binary tensors in the log")):
            found[how] = inputs_of(logged.slice(n * count, count)).columns(signature.inputs, "the test")
        payloads = PayloadRows(model)
        payloads.add("r", MOMENT, "v1", "champion", json.loads(body), {"predictions": [0.5] * count})
        found["JSON in another server's log"] = inputs_of(payloads.table()).columns(signature.inputs, "the test")
        scores = scorer.score(expected)
        for how, columns in found.items():
            require_equal(signature, expected, columns, how)
            np.testing.assert_array_equal(scorer.score(columns), scores, how)

    holds()


def inputs_of(logged: Any) -> Table:
    """The inputs of a table of predictions, as monitoring reads them."""
    return Table(logged.rename_columns([name.removeprefix("inputs.") for name in logged.column_names]), LOG)


def missing(column: Input, values: Column) -> bool:
    if column.is_text:
        return any(value is None for value in values)
    return bool(np.isnan(np.asarray(values, dtype=np.float64)).any())


def written(inputs: Any) -> dict[str, Any]:
    """What a line of the log holds of inputs, read back."""
    import msgspec

    line = msgspec.json.encode(Entry("", "", "", "", 0.0, inputs=inputs))
    return dict(msgspec.json.decode(line, type=Entry).inputs)


REFUSED: list[tuple[Input, list[Any], str]] = [
    (Input("x", "integer"), [7.5], "is not a whole number"),
    (Input("x", "integer"), ["7"], "is not a whole number"),
    (Input("x", "integer"), [True], "is not a whole number"),
    (Input("x", "integer"), [2**53 + 2], "within"),
    (Input("x", "float"), [math.inf], "is not a finite number"),
    (Input("x", "float"), [10**400], "is not a finite number"),
    (Input("x", "float"), [1e301], "is not a finite number"),
    (Input("x", "boolean"), [2], "is not a boolean"),
    (Input("x", "boolean"), ["yes"], "is not a boolean"),
    (Input("x", "date"), ["31.5.2026"], "is not a date such as 2026-05-31"),
    (Input("x", "date"), ["2026-05-31T10:00:00Z"], "is not a date such as 2026-05-31"),
    (Input("x", "date"), ["2026-02-30"], "is not a date such as 2026-05-31"),
    (Input("x", "date"), [20260531], "of the years 1 to 9999"),
    (Input("x", "date"), ["20260531"], "of the years 1 to 9999"),
    (Input("x", "timestamp"), ["yesterday"], "is not a time such as"),
    (Input("x", "timestamp"), [1_780_000_000_000], "of the years 1 to 9999"),
    (Input("x", "string"), [7], "is not a string"),
    (Input("x", "vector", length=2), [[1.0]], "holds 1 numbers, not 2"),
    (Input("x", "vector", length=2), ["[1, 2]"], "is not a list of numbers"),
    (Input("x", "vector", length=2), [[1.0, math.inf]], "not a finite number|not finite"),
]


@pytest.mark.parametrize(("column", "values", "said"), REFUSED)
def test_what_is_no_value_of_its_type_is_refused_with_its_row(column: Input, values: list[Any], said: str) -> None:
    good: dict[str, Any] = {
        "integer": 1,
        "float": 1.0,
        "boolean": True,
        "date": "2026-05-31",
        "timestamp": 0,
        "string": "a",
    }
    with pytest.raises(Unreadable, match=f"row 1: .*({said})"):
        canonical(column, [good.get(column.kind, [1.0, 2.0]), *values])


@pytest.mark.parametrize("flavor", FLAVORS)
def test_a_null_is_no_level_and_an_unknown_level_is_like_null(
    scorers: dict[str, tuple[Model, LoadedArtifact]], flavor: str
) -> None:
    _, scorer = scorers[flavor]
    signature = scorer.signature
    spell = {
        "amount": 0.5,
        "grade": 7,
        "region": "east",
        "member": True,
        "opened": "2024-05-01",
        "seen": 0.0,
        "spot": [1, 2],
    }

    def score(**changed: Any) -> float:
        rows = {name: [value] for name, value in (spell | changed).items()}
        return float(scorer.score({c.name: canonical(c, rows[c.name]) for c in signature.inputs})[0])

    if flavor in (
        "lightgbm",
        "xgboost",
    ):  # their files list the levels; other libraries have their own way with new ones
        assert score(region=None) == score(region="unheard of") == score(region="")
    assert score(grade=5) == score(grade=10_000) == score(grade=None), "the contract lists its levels"
    assert score(member=True) == score(member="True") == score(member=1) == score(member=1.0) == score(member="1.0")
    assert score(grade=7) == score(grade=7.0)


def test_a_nullable_integer_as_pandas_sends_it() -> None:
    contract = parse(Model, CONTRACT.encode(), "model.yaml").contract
    check = ContractCheck(contract, 100)

    def rows(datatype: str, data: list[Any], **more: Any) -> Columns:
        tensors = [
            {"name": "amount", "shape": [2], "datatype": "FP64", "data": [1.0, 2.0]},
            {"name": "grade", "shape": [2], "datatype": datatype, "data": data, **more},
            {"name": "region", "shape": [2], "datatype": "BYTES", "data": ["north", "south"]},
        ]
        return check.rows(decode_request(json.dumps({"inputs": tensors}).encode())).columns

    for datatype in ("FP64", "FP32", "INT64", "INT32"):
        np.testing.assert_array_equal(np.asarray(rows(datatype, [17.0, None])["grade"]), [17, np.nan])
    np.testing.assert_array_equal(np.asarray(rows("FP64", [[17.0], [None]], shape=[2, 1])["grade"]), [17, np.nan])
    with pytest.raises(BadRequest, match=r"'grade', row 0: 17.5 is not a whole number"):
        rows("FP64", [17.5, None])
    with pytest.raises(BadRequest, match=r"'grade' has datatype BYTES; the contract needs INT64"):
        rows("BYTES", ["17", None])
    blob = np.array([17.0, np.nan]).astype("<f8").tobytes()
    head = json.dumps({"inputs": [
        {"name": "amount", "shape": [2], "datatype": "FP64", "data": [1.0, 2.0]},
        {"name": "grade", "shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": len(blob)}},
        {"name": "region", "shape": [2], "datatype": "BYTES", "data": ["north", "south"]},
    ]}).encode()  # fmt: skip
    found = check.rows(decode_request(head + blob, len(head))).columns
    np.testing.assert_array_equal(np.asarray(found["grade"]), [17, np.nan])


CONTRACT = """\
name: loan
description: d
owners: ["@us"]
task: binary
policy: standard
files: {artifact: model.txt}
contract:
  id: loan_id
  label: bad
  inputs:
    - {name: amount, type: float}
    - {name: grade, type: integer, nullable: true}
    - {name: region, type: string}
"""


def test_a_score_that_is_no_number_is_no_answer(tmp_path: Path) -> None:
    trained = train(tmp_path, "onnx", "regression")
    model = parse(Model, (trained.folder / "model.yaml").read_bytes(), "model.yaml")
    rows: dict[str, list[Any]] = {"amount": [1.0, 1e300], "grade": [7, 7], "member": [True, True]}
    with loaded(model, trained.folder / model.files.artifact, trained.folder) as scorer:
        columns = {c.name: canonical(c, rows[c.name]) for c in scorer.signature.inputs}
        with pytest.raises(ModelyardError, match="gives 1 scores that are not finite numbers"):
            scorer.score(columns)
