from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from modelyard.manifests.document import MAXIMUM_BYTES, ManifestErrors, parse_document


def fault(content: bytes) -> tuple[int, str, str]:
    with pytest.raises(ManifestErrors) as caught:
        parse_document(content, "f.yaml")
    problem = caught.value.problems[0]
    assert problem.file == "f.yaml" and problem.remedy
    return problem.line, problem.field, problem.what


def test_values_and_lines() -> None:
    document = parse_document(b"a: 1\nb:\n  - {c: no}\n  - 2026-05-03\n", "f.yaml")
    assert document.value == {"a": 1, "b": [{"c": "no"}, "2026-05-03"]}
    assert document.line(("b", 0, "c")) == 3
    assert document.line(("b", 1, "missing")) == 4


def test_tab() -> None:
    with pytest.raises(ManifestErrors) as caught:
        parse_document(b"a:\n\tb: 1\n", "f.yaml")
    assert "tabs" in caught.value.remedy and caught.value.problems[0].line == 2


def test_duplicate_key_names_both_lines() -> None:
    assert fault(b"a: 1\nb: 2\na: 3\n") == (3, "a", "is given twice (first on line 1).")


def test_billion_laughs() -> None:
    bomb = b"a: &a [x, x]\n" + b"".join(
        f"{c}: &{c} [*{p}, *{p}]\n".encode() for p, c in zip("abcdefgh", "bcdefghi", strict=False)
    )
    assert "anchor or alias" in fault(bomb)[2]


def test_ten_megabytes_of_nesting() -> None:
    assert f"{MAXIMUM_BYTES:,}" in fault(b"[" * 10_000_000)[2]
    assert "nested deeper" in fault(b"[" * 100_000)[2]


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"a: [", b"!!python/object:os.system x", b"--- 1\n--- 2\n", b"? [a]\n: 1"]
)
def test_hostile_files_are_faults(content: bytes) -> None:
    fault(content)


# YAML folds the line breaks of Unicode in quoted text, and forbids control characters.
WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn")), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-(10**15), 10**15) | WORDS


@given(st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4)))
def test_whatever_is_written_as_json_is_read_back(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    try:
        yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return  # control characters that YAML forbids
    assert parse_document(text.encode(), "f.yaml").value == value


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_fault(content: bytes) -> None:
    try:
        parse_document(content, "f.yaml")
    except ManifestErrors as errors:
        assert errors.problems[0].line >= 1
