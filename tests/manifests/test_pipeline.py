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
from modelyard.manifests.pipeline import (
    LockedFile,
    is_import,
    locked_stages,
    pointer_outputs,
    read_lock,
    read_pipeline,
    read_pointer,
)

FILE = "models/churn/dvc.yaml"


PARAMS = "models/churn/params.yaml"


def pipeline(text: str, files: dict[str, str] | None = None) -> tuple[list[str], list[str]]:
    contents = {path: content.encode() for path, content in (files or {}).items()}
    found = read_pipeline(text.encode(), FILE, contents.get)
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
        ("{deps: ['${data.folder}/x', '${data.list[1]}']}", [PARAMS, "models/churn/d/x", "models/churn/two"], []),
        ("{deps: ['a/${unknown}/b'], outs: ['${unknown}.txt']}", [".", PARAMS], ["."]),
        ("{wdir: '${data.folder}', deps: [x], outs: ['\\${data}']}", [PARAMS, "models/churn/d/x"],
         ["models/churn/d/${data}"]),
        ("{wdir: '${unknown}', deps: [x], outs: [y]}", ["."], ["."]),
        ("{params: ['${data.folder}/p.yaml': [a]]}", [PARAMS, "models/churn/d/p.yaml"], []),
        ("{foreach: [a, ../b], do: {deps: ['${item}/x']}}", [PARAMS, "models/b/x", "models/churn/a/x"], []),
        ("{foreach: {k: {at: v}}, do: {deps: ['${key}/${item.at}']}}", [PARAMS, "models/churn/k/v"], []),
        ("{foreach: '${data.list}', do: {outs: ['${item}']}}", [PARAMS], ["models/churn/one", "models/churn/two"]),
        ("{matrix: {x: [a, b], y: '${data.list}'}, outs: ['${item.x}/${item.y}']}", [PARAMS],
         ["models/churn/a/one", "models/churn/a/two", "models/churn/b/one", "models/churn/b/two"]),
        ("{matrix: {x: [a]}, outs: ['${key}']}", [PARAMS], ["."]),
        ("{vars: [v.yaml, {more: m}], deps: ['${more}', '${deep.er}']}",
         [PARAMS, "models/churn/m", "models/churn/v.yaml", "models/churn/x"], []),
        ("{deps: [ds://dogs]}", ["ds://dogs"], []),
        ("{cmd: nothing}", [], []),
    ],
)  # fmt: skip
def test_what_a_stage_reads_and_writes(stage: str, reads: list[str], writes: list[str]) -> None:
    files = {PARAMS: "data: {folder: d, list: [one, two]}", "models/churn/v.yaml": "deep: {er: x}"}
    assert pipeline(f"stages: {{s: {stage}}}", files) == (sorted(reads), sorted(writes))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("v.yaml", "at: {x: d}"),
        ("v.json", '{"at": {"x": "d"}}'),
        ("v.toml", "[at]\nx = 'd'"),
        ("v.yaml:at", "at: {x: d}"),
    ],
)
def test_variables_are_read_from_every_kind_of_file(name: str, content: str) -> None:
    text = f"vars: ['../../{name}', {{at: {{y: e}}}}]\nstages: {{s: {{deps: ['${{at.x}}/${{at.y}}']}}}}"
    file = name.partition(":")[0]
    assert pipeline(text, {file: content})[0] == sorted(["models/churn/d/e", PARAMS, file])


@pytest.mark.parametrize("spelled", ["0x1F", "1e5", "1_000", "2026-05-03T10:00:00Z", "[a]", "null"])
def test_a_value_that_dvc_may_spell_otherwise_is_any_path(spelled: str) -> None:
    assert pipeline("stages: {s: {deps: ['data/${x}']}}", {PARAMS: f"x: {spelled}"})[0] == [".", PARAMS]


def test_aliases_and_merge_keys_are_written_out() -> None:
    text = "shared: &s {deps: [a]}\nstages:\n  one: {<<: *s, outs: [o]}\n  two: {<<: [{deps: [b]}, *s]}\n"
    assert pipeline(text) == (["models/churn/a", "models/churn/b"], ["models/churn/o"])


def test_aliases_cannot_blow_up() -> None:
    text = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))
    with pytest.raises(ManifestErrors, match="when its aliases are written out"):
        pipeline(text)


def test_an_empty_pipeline_names_nothing() -> None:
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


def test_paths_of_a_lock_start_from_the_folder_of_their_stage() -> None:
    lock = b"stages: {t: {deps: [{path: data/x, md5: a}], params: {p.yaml: {lr: 1}}, outs: [{path: models/churn/m.txt, md5: b}]}}"
    pipelines = {FILE: b"stages: {t: {cmd: x, wdir: '${up}', outs: [models/churn/m.txt]}}", PARAMS: b"up: ../.."}
    found = read_lock(lock, "models/churn/dvc.lock", pipelines.get)
    assert [entry.path for entry in found.inputs] == ["data/x"] and found.params == {"p.yaml:lr": 1}
    assert found.output("models/churn/m.txt") == LockedFile("models/churn/m.txt", "b", 0)


def test_one_parameter_of_two_files_is_two_parameters() -> None:
    text = b"stages: {t: {params: {params.yaml: {lr: 1}, own.yaml: {lr: 2}, ../../shared/tuning.yaml: {lr: 3}}}}"
    params = read_lock(text, "models/churn/dvc.lock").params
    assert params == {"lr": 1, "own.yaml:lr": 2, "shared/tuning.yaml:lr": 3}


def test_a_pointer_names_its_data() -> None:
    content = b"wdir: ..\nouts:\n- {path: raw, md5: a.dir}\n- {path: b.csv, md5: b, size: 3}\n"
    assert pointer_outputs(content, "data/in/x.dvc") == (
        LockedFile("data/raw", "a.dir", 0),
        LockedFile("data/b.csv", "b", 3),
    )
    assert (
        not is_import(content, "x.dvc") and is_import(b"deps: [{url: s3://x}]", "x.dvc") and not is_import(b"", "x.dvc")
    )


def test_an_import_reads_its_source_in_this_repository() -> None:
    local = read_pointer(b"wdir: ..\ndeps: [{path: raw.csv}]\nouts: [{path: own.csv}]", "data/in/x.dvc")
    assert local.reads == {"data/raw.csv"} and local.writes == {"data/own.csv"}
    other = read_pointer(b"deps: [{path: raw.csv, repo: {url: u}}]\nouts: [{path: own.csv}]", "data/x.dvc")
    assert not other.reads


def test_a_lock_has_entries_by_stage() -> None:
    content = b"stages: {a: {cmd: x}, b@1: {cmd: y}, b@2: {cmd: z}}\ndatasets: [{name: dogs}]"
    assert locked_stages(content, "dvc.lock") == {
        "a": {"a": {"cmd": "x"}},
        "b": {"b@1": {"cmd": "y"}, "b@2": {"cmd": "z"}},
        "ds://dogs": {"name": "dogs"},
    }


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
    for read in (read_lock, read_pipeline, pointer_outputs, is_import, read_pointer, locked_stages):
        try:
            read(content, "models/churn/dvc.lock")
        except ModelyardError as error:
            assert isinstance(error, ManifestErrors)


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_a_fault(content: bytes) -> None:
    for read in (read_lock, read_pipeline, pointer_outputs, read_pointer, locked_stages):
        try:
            read(content, "models/churn/dvc.lock")
        except ModelyardError as error:
            assert isinstance(error, ManifestErrors)
