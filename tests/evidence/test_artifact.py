"""Formats are told by content."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.checkout.trust import sniff_file
from modelyard.evidence.artifact import rounded_up
from modelyard.flavors.formats import format_of


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return buffer.getvalue()


def safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"tree\nversion=v4\n", "lightgbm-text"),
        (b'{"learner":{"attributes":{}},"version":[2,1,0]}', "xgboost-json"),
        (b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{L", "xgboost-ubj"),
        (b"\x08\x08\x12\x07pytorch\x1a\x052.3.0", "onnx"),
        (safetensors(), "safetensors"),
        (zipped("schema.json", "1.npy"), "skops"),
        (zipped("archive/data.pkl", "archive/data/0"), "pickle"),
        (zipped("readme.txt"), None),
        (pickle.dumps({"a": 1}, protocol=2), "pickle"),
        (pickle.dumps([1, 2, 3]), "pickle"),
        (pickle.dumps([1], protocol=0), None),
        (b"", None),
        (b"#!/bin/sh\nrm -rf /", None),
        (b"\x7fELF", None),
    ],
)
def test_by_content(content: bytes, found: str | None, tmp_path: Path) -> None:
    path = tmp_path / "model.txt"  # the name says nothing
    path.write_bytes(content)
    assert sniff_file(path) == found


@given(st.binary(max_size=200))
def test_any_bytes_have_an_answer(content: bytes) -> None:
    format_of(content)


@given(st.floats(1e-3, 1e6))
def test_times_are_rounded_up_to_steps(milliseconds: float) -> None:
    step = rounded_up(milliseconds)
    assert milliseconds <= step * (1 + 1e-9) and step <= 2.5 * milliseconds * (1 + 1e-9)
    assert rounded_up(step) == step
