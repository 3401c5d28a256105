"""Requests and answers as servers log them become rows of the contract; invalid ones become failed requests."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.manifests.conversion import parse
from modelyard.manifests.model import Model
from modelyard.predictions.payload import PayloadRows, decoded, scores_of
from support.yard import MODEL_YAML

MODEL = parse(Model, MODEL_YAML.format(name="m").encode(), "model.yaml")
BY_COLOUR = parse(Model, MODEL_YAML.format(name="m").replace("id: id", "id: colour").encode(), "model.yaml")
CLASSES = parse(
    Model,
    MODEL_YAML.format(name="m")
    .replace("task: binary", "task: multiclass")
    .replace("  label: label\n", "  label: label\n  classes: [a, b]\n")
    .encode(),
    "model.yaml",
)
AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


EMBEDDED = parse(
    Model, (MODEL_YAML.format(name="m") + "    - {name: spot, type: vector, length: 2}\n").encode(), "model.yaml"
)


def rows(sent: object, answered: object, model: Model = MODEL) -> list[dict[str, Any]]:
    payload = PayloadRows(model)
    payload.add("r", AT, "v1.0.0", "champion", sent, answered)
    found: list[dict[str, Any]] = payload.table().to_pylist()
    return found


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ({"inputs": [{"name": "x", "shape": [2], "data": [1.5, 2.5]}, {"name": "colour", "shape": [2], "data": ["red", "blue"]}]},
         {"outputs": [{"name": "predict", "shape": [2], "data": [0.25, 0.75]}]}),
        ({"inputs": [{"name": "all", "shape": [2, 2], "data": [[1.5, "red"], [2.5, "blue"]]}]}, {"predictions": [0.25, 0.75]}),
        ({"inputs": [{"name": "all", "shape": [2, 2], "data": [1.5, "red", 2.5, "blue"]}]}, {"predictions": [[0.25], [0.75]]}),
        ({"instances": [{"x": 1.5, "colour": "red"}, {"x": 2.5, "colour": "blue"}]}, {"scores": [0.25, 0.75]}),
        ({"instances": [[1.5, "red"], [2.5, "blue"]]}, [0.25, 0.75]),
        ({"inputs": {"x": [1.5, 2.5], "colour": ["red", "blue"]}}, "0.25\n0.75\n"),
        ({"x": [1.5, 2.5], "colour": ["red", "blue"]}, "0.25\n\n0.75"),
        ([[1.5, "red"], [2.5, "blue"]], [[0.25], [0.75]]),
        ("1.5,red\n2.5,blue\n", {"predictions": [0.25, 0.75]}),
    ],
)  # fmt: skip
def test_every_form_of_a_request_gives_the_same_rows(sent: object, answered: object) -> None:
    found = rows(sent, answered)
    assert [(r["id"], r["inputs.x"], r["inputs.colour"], r["score"], r["error"]) for r in found] == [
        ("r/0", 1.5, "red", 0.25, None), ("r/1", 2.5, "blue", 0.75, None),
    ]  # fmt: skip
    assert {(r["time"], r["version"], r["variant"], r["latency_ms"]) for r in found} == {
        (AT, "v1.0.0", "champion", None)
    }


def tensors(*spot: Any, shape: list[int]) -> dict[str, Any]:
    return {"inputs": [
        {"name": "x", "shape": [2], "datatype": "FP64", "data": [0.5, 0.7]},
        {"name": "colour", "shape": [2], "datatype": "BYTES", "data": ["red", "blue"]},
        {"name": "spot", "shape": shape, "datatype": "FP64", "data": list(spot)},
    ]}  # fmt: skip


@pytest.mark.parametrize(
    "sent",
    [
        tensors(1.0, 2.0, 3.5, 4.0, shape=[2, 2]),
        tensors([1.0, 2.0], [3.5, 4.0], shape=[2, 2]),
        {"instances": [[0.5, "red", [1.0, 2.0]], [0.7, "blue", [3.5, 4.0]]]},
        {
            "instances": [
                {"x": 0.5, "colour": "red", "spot": [1.0, 2.0]},
                {"x": 0.7, "colour": "blue", "spot": [3.5, 4.0]},
            ]
        },
        {"inputs": {"x": [0.5, 0.7], "colour": ["red", "blue"], "spot": [[1.0, 2.0], [3.5, 4.0]]}},
        [[0.5, "red", 1.0, 2.0], [0.7, "blue", 3.5, 4.0]],
    ],
)
def test_a_vector_is_one_value_however_it_was_sent(sent: object) -> None:
    found = rows(sent, {"predictions": [0.1, 0.2]}, EMBEDDED)
    assert [(row["inputs.x"], row["inputs.colour"]) for row in found] == [(0.5, "red"), (0.7, "blue")]
    assert [json.loads(row["inputs.spot"]) for row in found] == [[1.0, 2.0], [3.5, 4.0]]


def test_a_vector_may_be_missing() -> None:
    found = rows(tensors(None, [3.5, 4.0], shape=[2, 2]), {"predictions": [0.1, 0.2]}, EMBEDDED)
    assert [row["inputs.spot"] for row in found] == [None, "[3.5, 4.0]"]


def test_one_row_may_come_without_lists() -> None:
    [found] = rows({"x": 1.5, "colour": "red"}, 0.25)
    assert (found["inputs.x"], found["inputs.colour"], found["score"]) == (1.5, "red", 0.25)


def test_a_caller_may_leave_an_input_out() -> None:
    [found] = rows({"inputs": [{"name": "x", "shape": [1], "data": [1.5]}]}, [0.25])
    assert (found["inputs.x"], found["inputs.colour"], found["score"]) == (1.5, None, 0.25)


def test_the_contracts_id_is_the_entity() -> None:
    found = rows({"colour": ["red", None], "x": [1, 2]}, [0.1, 0.2], BY_COLOUR)
    assert [r["entity"] for r in found] == ["red", None]
    assert [r["entity"] for r in rows({"x": [1, 2]}, [0.1, 0.2])] == [None, None]


@pytest.mark.parametrize(
    "answered",
    [
        {"outputs": [{"shape": [2, 2], "data": [0.1, 0.9, 0.8, 0.2]}]}, {"outputs": [{"shape": [2, 2], "data": [[0.1, 0.9], [0.8, 0.2]]}]},
        {"predictions": [[0.1, 0.9], [0.8, 0.2]]}, [[0.1, 0.9], [0.8, 0.2]], "0.1,0.9\n0.8,0.2\n",
    ],
)  # fmt: skip
def test_of_several_classes_a_row_has_a_score_each(answered: object) -> None:
    assert [r["score"] for r in rows({"x": [1, 2]}, answered, CLASSES)] == [[0.1, 0.9], [0.8, 0.2]]


@pytest.mark.parametrize(
    ("sent", "answered", "error"),
    [
        ({"x": [1]}, None, "the answer holds no scores"),
        ({"x": [1]}, {"error": "overloaded"}, "the answer holds no scores"),
        ({"x": [1]}, {"predictions": []}, "the answer holds no scores"),
        (None, [0.5], "the payload cannot be read: ValueError"),
        ([[1.0, "red", 3.0]], [0.5], "the payload cannot be read: ValueError"),
        ({"x": [1]}, {"predictions": ["high"]}, "the payload cannot be read: ValueError"),
        ({"x": [1]}, {"predictions": [None]}, "the payload cannot be read: TypeError"),
        ({"x": [1]}, [[0.1, 0.9]], "the payload cannot be read: ValueError"),
        ([{"x": 1}, [2.0, "red"]], [0.5, 0.5], "the payload cannot be read: AttributeError"),
        ({"x": [1]}, {"outputs": [{"shape": [1, 2], "data": [0.1, None]}]}, "the payload cannot be read: TypeError"),
        ({"x": [1]}, [10**400], "the payload cannot be read: OverflowError"),
        ({"inputs": [{"name": "x"}]}, [0.5], "the payload cannot be read: KeyError"),
        ({"inputs": [{"data": [1.0, 2.0]}]}, [0.5], "the payload cannot be read: KeyError"),
        ({"inputs": [{"name": "x", "data": 0}]}, [0.5], "the payload cannot be read: ValueError"),
    ],
)
def test_what_cannot_be_read_is_one_failed_request(sent: object, answered: object, error: str) -> None:
    [found] = rows(sent, answered)
    assert (found["id"], found["score"], found["error"]) == ("r/0", None, error)


def test_half_a_surrogate_pair_is_still_a_text() -> None:
    [found] = rows({"x": [1], "colour": ["\ud800red"]}, [0.5])
    assert found["inputs.colour"] == "?red"


def test_one_score_for_a_model_of_several_classes_cannot_be_read() -> None:
    assert rows({"x": [1]}, [0.5], CLASSES)[0]["error"] == "the payload cannot be read: ValueError"


def test_values_of_another_type_are_missing_and_lost_rows_too() -> None:
    found = rows({"x": ["1.5", "many", "", 10**400], "colour": [7]}, [0.1, 0.2, 0.3, 0.4])
    assert [r["inputs.x"] for r in found] == [1.5, None, None, None]
    assert [r["inputs.colour"] for r in found] == ["7", None, None, None]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["inputs", "outputs", "instances", "predictions", "name", "data", "shape", "x"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(json_values, json_values, st.sampled_from([MODEL, BY_COLOUR, CLASSES]))
def test_no_payload_stops_the_reader(sent: object, answered: object, model: Model) -> None:
    found = rows(sent, answered, model)
    assert [r["id"] for r in found] == [f"r/{n}" for n in range(len(found))] != []
    assert all((r["score"] is None) == (r["error"] is not None) for r in found)


numbers = st.floats(0, 1)


@given(st.lists(numbers, min_size=1, max_size=6))
def test_scores_are_read_back_from_every_form(scores: list[float]) -> None:
    forms: list[object] = [
        scores,
        [[score] for score in scores],
        {"predictions": scores},
        {"scores": [[score] for score in scores]},
        {"outputs": [{"shape": [len(scores)], "data": scores}]},
        {"outputs": [{"shape": [len(scores), 1], "data": [[score] for score in scores]}]},
        "\n".join(repr(score) for score in scores),
    ]
    assert all(scores_of(form) == scores for form in forms)


@given(json_values.filter(lambda value: value == value))
def test_a_captured_body_is_decoded_from_both_encodings(value: object) -> None:
    text = json.dumps(value)
    plain, encoded = decoded(text, "JSON"), decoded(base64.b64encode(text.encode()).decode(), "base64")
    assert json.dumps(plain) == json.dumps(encoded) == text


def test_a_captured_body_that_is_not_json_is_text() -> None:
    assert decoded("1.5,red\n", "CSV") == "1.5,red\n"
    assert decoded(base64.b64encode(b"\xff1").decode(), "BASE64") == "�1"


def test_a_captured_body_nested_too_deeply_for_a_parser_is_text() -> None:
    assert decoded("[" * 100_000, "JSON") == "[" * 100_000
