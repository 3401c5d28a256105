"""Names, durations and versions: what they accept, and how versions are ordered."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import UsageError, near_match
from modelyard.manifests.names import NO_VERSION, Version, is_name, seconds_of


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1.5m", 90), ("24h", 86400), ("7d", 604800), ("0s", 0)])
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "5", "-5h", "5w", "nand", "infh", "1e3h", "5h\n", " 5h", "5 h", "1.2345s"])
def test_what_is_not_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        seconds_of(text)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_of_finite_seconds_or_none(text: str) -> None:
    try:
        seconds = seconds_of(text)
    except ValueError:
        return
    assert 0 <= seconds < 1e12 and re.fullmatch(r"[0-9.]+[smhd]", text)


@given(st.text(max_size=70))
def test_a_name_is_safe_in_a_path_a_ref_and_a_shell(text: str) -> None:
    if is_name(text):
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text) and not text.startswith("-")


ORDERED = ["v1.0.0-alpha", "v1.0.0-alpha.1", "v1.0.0-alpha.beta", "v1.0.0-beta", "v1.0.0-beta.2", "v1.0.0-beta.11",
           "v1.0.0-rc.1", "v1.0.0", "v1.0.1", "v1.1.0", "v1.10.0", "v2.0.0"]  # fmt: skip


@given(st.permutations(ORDERED))
def test_versions_are_ordered_as_semver_says(texts: list[str]) -> None:
    assert sorted(Version(text) for text in texts) == ORDERED
    assert max(Version(text) for text in texts) == "v2.0.0"


@pytest.mark.parametrize("text", ["1.0.0", "v1.0", "v01.0.0", "v1.0.0\n", "v1.0.0-", "latest", "", "v1.0.0 "])
def test_what_is_not_a_version(text: str) -> None:
    assert Version.parse(text) is None


def test_no_version_is_false_and_below_all() -> None:
    assert not NO_VERSION and Version("v0.0.1") > NO_VERSION and NO_VERSION.release == (-1, -1, -1)


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("chrun", ["churn", "fraud"], "Did you mean 'churn'?"),
        ("x", ["b", "a"], "Known: a, b."),
        ("x", [f"{i:02}" for i in range(9)], "Known: 00, 01, 02, 03, 04, 05, 06, 07 and 1 more."),
        ("x", [], "No other name is expected here."),
    ],
)
def test_the_remedy_for_an_unknown_name(word: str, known: list[str], said: str) -> None:
    assert near_match(word, known) == said


def test_where_nothing_is_known_the_caller_says_what_to_do() -> None:
    assert near_match("x", [], "Add models/x/model.yaml.") == "Add models/x/model.yaml."
    assert near_match("x", ["y"], "Add models/x/model.yaml.") == "Known: y."
    error = UsageError("There is no model x.", near_match("x", [], "Add it."))
    assert str(error) == "There is no model x. Add it."
