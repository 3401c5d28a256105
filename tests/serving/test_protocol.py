"""Bodies of the Open Inference Protocol v2 as others send them, without a server."""

from __future__ import annotations

import base64
import gzip
import struct
import zlib
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.manifests.model import Contract
from modelyard.serving.protocol import BadRequest, unpacked
from modelyard.serving.tensors import ContractCheck, Rows, decode_request

CONTRACT = msgspec.convert(
    {"id": "id", "label": "label", "inputs": [
        {"name": "grade", "type": "integer", "nullable": True}, {"name": "zone", "type": "string", "nullable": True},
        {"name": "x", "type": "float", "nullable": True},
    ]}, Contract,
)  # fmt: skip


def tensor(
    name: str, datatype: str, data: list[Any], shape: list[int] | None = None, **parameters: Any
) -> dict[str, Any]:
    found = {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": data}
    return found | ({"parameters": parameters} if parameters else {})


def rows(*changed: dict[str, Any]) -> Rows:
    plain = [tensor("grade", "INT64", [1, 2]), tensor("zone", "BYTES", ["a", "b"]), tensor("x", "FP64", [1.5, None])]
    inputs = {one["name"]: one for one in (*plain, *changed)}
    body = msgspec.json.encode({"inputs": list(inputs.values())})
    return ContractCheck(CONTRACT, 100).rows(decode_request(body))


def test_nested_data_and_a_column_of_one() -> None:
    found = rows(
        tensor("grade", "INT64", [[1], [2]], [2, 1]), tensor("zone", "BYTES", [["a"], ["b"]], [2, 1]),
        tensor("id", "INT64", [[7], [8]], [2, 1]),
    )  # fmt: skip
    assert np.asarray(found.columns["grade"]).tolist() == [1, 2] and list(found.columns["zone"]) == ["a", "b"]
    assert found.ids == [7, 8]


def test_whole_numbers_and_nulls_as_pandas_sends_them() -> None:
    found = np.asarray(rows(tensor("grade", "FP64", [17.0, None])).columns["grade"])
    assert found[0] == 17 and np.isnan(found[1])
    with pytest.raises(BadRequest, match=r"'grade', row 0: 17\.5 is not a whole number"):
        rows(tensor("grade", "FP64", [17.5, None]))


@pytest.mark.parametrize("name", ["grade", "x"])
def test_a_null_in_a_binary_tensor_is_not_a_number(name: str) -> None:
    blob = struct.pack("<2d", 17.0, float("nan"))
    sent = {"name": name, "shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": len(blob)}}
    others = [tensor("grade", "INT64", [1, 2]), tensor("zone", "BYTES", ["a", "b"]), tensor("x", "FP64", [1.5, None])]
    part = msgspec.json.encode({"inputs": [one for one in others if one["name"] != name] + [sent]})
    found = ContractCheck(CONTRACT, 100).rows(decode_request(part + blob, len(part)))
    values = np.asarray(found.columns[name])
    assert values[0] == 17 and np.isnan(values[1])


def test_texts_in_base64() -> None:
    sent = [base64.b64encode("zürich".encode()).decode(), None]
    assert list(rows(tensor("zone", "BYTES", sent, content_type="base64")).columns["zone"]) == ["zürich", None]
    for wrong in ("%%", base64.b64encode(b"\xff").decode()):
        with pytest.raises(BadRequest, match="'zone', row 0: it is no UTF-8 text in base64"):
            rows(tensor("zone", "BYTES", [wrong, None], content_type="base64"))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [NaN]}]}', "JSON has no NaN; send null"),
        (b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": 8}}]}12345678',
         "Inference-Header-Content-Length gives the length of the JSON part"),
    ],
)  # fmt: skip
def test_what_callers_forget_is_named(body: bytes, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        decode_request(body)


@pytest.mark.parametrize("wrong", [[1], {"a": 1}])
def test_an_id_is_a_scalar(wrong: Any) -> None:
    with pytest.raises(BadRequest, match="'id', row 1: an id is a text or a number"):
        rows(tensor("id", "BYTES", ["a", wrong]))


PACKED = {
    b"gzip": gzip.compress, b"GZIP": gzip.compress, b"x-gzip": gzip.compress, b"deflate": zlib.compress,
    b"deflate ": lambda content: zlib.compress(content, wbits=-15), b"identity": bytes, b"": bytes,
}  # fmt: skip


@given(st.binary(max_size=2000), st.sampled_from(sorted(PACKED)))
def test_a_packed_body_is_the_body(content: bytes, encoding: bytes) -> None:
    headers = [(b"content-encoding", encoding)]
    packed = PACKED[encoding](content)
    assert unpacked(headers, packed, len(content)) == content
    if len(content) > 1 and encoding not in (b"", b"identity"):
        assert len(unpacked(headers, packed, len(content) - 1)) == len(content), "one byte more than allowed"
        with pytest.raises(BadRequest, match="is not what Content-Encoding"):
            unpacked(headers, packed[: len(packed) // 2], 10_000)


@pytest.mark.parametrize(
    ("encoding", "said"), [(b"br", "'br' is not known"), (b"gzip", "is not what Content-Encoding")]
)
def test_what_is_not_packed_so_is_refused(encoding: bytes, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        unpacked([(b"content-encoding", encoding)], b"plain", 100)


def test_a_packed_bomb_is_never_unpacked_whole() -> None:
    assert len(unpacked([(b"content-encoding", b"gzip")], gzip.compress(bytes(10_000_000)), 1000)) == 1001
