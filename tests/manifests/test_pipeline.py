"""The files of DVC, read without DVC: what they name, and what is not such a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import ModelyardError
from modelyard.manifests.document import ManifestErrors
from modelyard.manifests.pipeline import LockedFile, is_import, pointer_outputs, read_lock, read_pipeline

FILE = "models/churn/dvc.yaml"


def pipeline(text: str, **variables: Any) -> tuple[list[str], list[str]]:
    found = read_pipeline(text.encode(), FILE, variables)
    return sorted(found.reads), sorted(found.writes)


@pytest.mark.parametrize(
    ("stage", "reads", "writes"),
    [
        ("{deps: [src/a.py, ../../data/x], outs: [m.txt]}", ["data/x", "models/churn/src/a.py"], ["models/churn/m.txt"]),
        ("{wdir: ../.., deps: [data/x], outs: [o]}", ["data/x"], ["o"]),
        ("{params: [train, {other.yaml: [a]}]}", ["models/churn/other.yaml", "models/churn/params.yaml"], []),
        ("{outs: [{m.txt: {cache: false}}], metrics: [{s.json: {}}], plots: p.csv}", [],
         ["models/churn/m.txt", "models/churn/p.csv", "models/churn/s.json"]),
        ("{foreach: [1, 2], do: {deps: [a], outs: [b]}}", ["models/churn/a"], ["models/churn/b"]),
        ("{deps: ['${data.folder}/x', 'a/${unknown}/b'], outs: ['${unknown}.txt']}", ["models/churn/a", "models/churn/d/x"],
         ["models/churn"]),
        ("{cmd: nothing}", [], []),
    ],
)  # fmt: skip
def test_what_a_stage_reads_and_writes(stage: str, reads: list[str], writes: list[str]) -> None:
    assert pipeline(f"stages: {{s: {stage}}}", data={"folder": "d"}) == (reads, writes)


def test_own_variables_count_too() -> None:
    assert pipeline("vars: [{where: v}, other.yaml]\nstages: {s: {deps: ['${where}/x']}}")[0] == ["models/churn/v/x"]
    assert pipeline("") == ([], []) and pipeline("stages:") == ([], [])


LOCK = """\
schema: '2.0'
stages:
  prepare:
    deps: [{path: ../../data/x, md5: a.dir, size: 7}, {path: src/p.py, md5: b}]
    outs: [{path: rows, md5: c, size: 9}]
  train:
    deps: [{path: rows, md5: c}]
    params: {params.yaml: {train.trees: 5}}
    outs: [{path: m.txt, md5: d}]
"""


def test_a_lock_pins_inputs_outputs_and_parameters() -> None:
    lock = read_lock(LOCK.encode(), "models/churn/dvc.lock")
    assert lock.inputs == (LockedFile("data/x", "a.dir", 7), LockedFile("models/churn/src/p.py", "b", 0))
    assert [entry.path for entry in lock.outputs] == ["models/churn/m.txt", "models/churn/rows"]
    assert lock.params == {"train.trees": 5} and lock.data("churn") == (LockedFile("data/x", "a.dir", 7),)
    assert lock.output("models/churn/rows") == LockedFile("models/churn/rows", "c", 9) and lock.output("x") is None


def test_a_pointer_names_its_data() -> None:
    content = b"wdir: ..\nouts:\n- {path: raw, md5: a.dir}\n- {path: b.csv, md5: b, size: 3}\n"
    assert pointer_outputs(content, "data/in/x.dvc") == (
        LockedFile("data/raw", "a.dir", 0),
        LockedFile("data/b.csv", "b", 3),
    )
    assert (
        not is_import(content, "x.dvc") and is_import(b"deps: [{url: s3://x}]", "x.dvc") and not is_import(b"", "x.dvc")
    )


@pytest.mark.parametrize(
    ("read", "content", "match"),
    [
        (read_lock, "[]", "dvc.lock:1: is not a mapping"),
        (read_lock, "stages: [a]", "stages is not a mapping"),
        (read_lock, "stages: {t: 1}", "stages.t is not a mapping"),
        (read_lock, "stages: {t: {outs: [x]}}", "stages.t.outs is not a mapping"),
        (read_lock, "stages: {t: {outs: [{md5: a}]}}", "stages.t.outs has an entry without a valid path"),
        (read_lock, "stages: {t: {deps: [{path: a, size: b}]}}", "stages.t.deps has an entry without a valid path"),
        (read_lock, "stages: {t: {params: {f: 1}}}", "stages.t.params is not a mapping"),
        (read_pipeline, "- a", "is not a mapping"),
        (read_pipeline, "stages: {t: [1]}", "stages.t is not a mapping"),
        (read_pipeline, "stages: {t: {do: 1}}", "stages.t.do is not a mapping"),
        (pointer_outputs, "outs: [1]", "outs is not a mapping"),
    ],
)
def test_other_files_are_faults_with_their_field(read: Callable[..., Any], content: str, match: str) -> None:
    with pytest.raises(ManifestErrors) as error:
        read(content.encode(), "models/churn/dvc.lock")
    assert match in error.value.problem and error.value.remedy


KEYS = st.sampled_from(
    ["stages", "t", "deps", "outs", "params", "path", "md5", "size", "vars", "do", "wdir", "metrics"]
)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["a", "../..", "${x}", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)
STAGES = st.dictionaries(KEYS, TREES, max_size=3).map(lambda stage: {"stages": {"t": stage}})


@given(TREES | STAGES)
def test_any_document_is_read_or_a_fault(value: Any) -> None:
    content = json.dumps(value).encode()
    for read in (read_lock, read_pipeline, pointer_outputs, is_import):
        try:
            read(content, "models/churn/dvc.lock")
        except ModelyardError as error:
            assert isinstance(error, ManifestErrors)


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_a_fault(content: bytes) -> None:
    for read in (read_lock, read_pipeline, pointer_outputs):
        try:
            read(content, "models/churn/dvc.lock")
        except ModelyardError as error:
            assert isinstance(error, ManifestErrors)
