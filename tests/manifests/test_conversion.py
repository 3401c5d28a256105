from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from modelyard.manifests.approvals import Waiver
from modelyard.manifests.configuration import Repository
from modelyard.manifests.conversion import MANIFEST_KINDS, convert, explain, json_schema, parse
from modelyard.manifests.deployment import Deployment
from modelyard.manifests.document import Document, ManifestErrors
from modelyard.manifests.names import Version, is_name
from modelyard.manifests.policy import Policy


def faults(kind: Any, text: str) -> list[str]:
    with pytest.raises(ManifestErrors) as caught:
        parse(kind, text.encode(), "f.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_every_fault_at_once_with_line_field_and_near_match() -> None:
    found = faults(Deployment, "modle: churn\nversion: 1.0\nrollout: {strategy: all-at-one}\n")
    assert [line.split(" ")[0] for line in found] == ["f.yaml:1:", "f.yaml:1:", "f.yaml:2:", "f.yaml:3:"]
    assert any("model is missing" in line for line in found)
    assert any("modle is not a known key. Did you mean 'model'?" in line for line in found)
    assert any("version must be text, not 1.0" in line for line in found)
    assert any("Did you mean 'all-at-once'?" in line for line in found)


def test_checks_are_told_apart_by_kind() -> None:
    found = faults(
        Policy,
        "name: p\ndescription: d\nchecks:\n"
        "  - {kind: champion, id: a, why: b, metric: auk, margin: -1}\n"
        "  - {kind: champoin, id: a}\n"
        "  - {id: a}\n",
    )
    assert any("checks[0].metric" in line and "'auc'" in line for line in found)
    assert any("checks[0].margin must be at least 0" in line for line in found)
    assert any("checks[1].kind" in line and "'champion'" in line for line in found)
    assert any("checks[2].kind is missing" in line for line in found)


@pytest.mark.parametrize("name", ["../../etc", "a/b", "a b", "-a", "a-", "", "a\n", "x" * 65, "a;rm"])
def test_names_outside_the_grammar(name: str) -> None:
    assert not is_name(name)
    if "\n" not in name:
        assert faults(Deployment, f'model: "{name}"\nversion: latest\n')


def test_hostile_paths_in_a_model() -> None:
    for path in ("/etc/passwd", "../x", "a/../../x", "a\u0001b"):
        errors = explain(MANIFEST_KINDS["model"], Document("f", {"files": {"artifact": path}}, {}))
        assert any(problem.field == "files.artifact" for problem in errors), path


@pytest.mark.parametrize("name", MANIFEST_KINDS)
def test_schemas_are_valid_2020_12(name: str) -> None:
    schema = json_schema(MANIFEST_KINDS[name])
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"].endswith("2020-12/schema")


KEYS = st.sampled_from(["model", "version", "rollout", "strategy", "toolkit", "environments", "name", "port", "x"])
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 70000)
    | st.sampled_from(["churn", "v1.0.0", "latest", "v1", "all-at-once", "0.1.0", "../x", "staging"])
)
TREES = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=8
)


@given(TREES, st.sampled_from([Deployment, Repository, Waiver]))
def test_the_fast_and_the_explaining_validator_agree(value: Any, kind: Any) -> None:
    document = Document("f.yaml", value, {})
    explained = explain(kind, document)
    try:
        convert(kind, document)
    except ManifestErrors:
        assert explained
    else:
        assert not explained


@given(st.tuples(*[st.integers(0, 99)] * 3), st.sampled_from(["", "-rc.1", "-rc.2", "-rc.10", "-alpha"]))
def test_versions_round_trip_and_order(numbers: tuple[int, int, int], pre: str) -> None:
    text = "v{}.{}.{}".format(*numbers) + pre
    version = Version.parse(text)
    assert version is not None and str(version) == text
    assert version < version.bump("major") and version < version.bump("minor")
    ordered = [Version.parse(f"v1.0.0{p}") for p in ("-alpha", "-rc.1", "-rc.2", "-rc.10", "")]
    assert ordered == sorted(ordered)  # type: ignore[type-var]
