"""Properties of the registry's parsers: tag names, records, version overrides, search terms, periods and faults."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.errors import Refused, UsageError
from modelyard.git import TagRef
from modelyard.manifests.names import Version
from modelyard.registry.faults import find_faults
from modelyard.registry.history import read_registry
from modelyard.registry.numbering import Changes, Override, next_version, parse_override
from modelyard.registry.search import Entry, parse_terms, search
from modelyard.registry.tags import (
    StageRecord,
    VersionRecord,
    WithdrawalRecord,
    archiving_tag,
    parse_tag,
    read_stage_record,
    read_version_record,
    read_withdrawal_record,
    stage_tag,
    unassigning_tag,
    version_tag,
    withdrawing_tag,
    write_record,
)
from modelyard.registry.timeline import events, periods, running

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NAMES = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9_-]{0,10}[a-zA-Z0-9])?", fullmatch=True)
VERSIONS = st.builds(Version.of, st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))


@given(NAMES, NAMES, VERSIONS, st.integers(0, 999_999_999))
def test_every_tag_that_is_written_is_read_again(model: str, environment: str, version: Version, counter: int) -> None:
    for tag, expected in (
        (version_tag(model, version), ("register", version, None, None)),
        (withdrawing_tag(model, version), ("deregister", version, None, None)),
        (stage_tag(model, environment, counter), ("assign", None, environment, counter)),
        (unassigning_tag(model, environment, counter), ("unassign", None, environment, counter)),
        (archiving_tag(model), ("deprecate", None, None, None)),
    ):
        parsed = parse_tag(tag)
        assert parsed and parsed.model == model
        assert (parsed.action.value, parsed.version, parsed.environment, parsed.counter) == expected


@given(st.text(max_size=30) | st.from_regex(r"[a-z]{1,3}[@#v!0-9.]{0,9}", fullmatch=True))
def test_any_text_is_a_tag_or_none(name: str) -> None:
    parsed = parse_tag(name)
    assert parsed is None or name.startswith(parsed.model)


@given(TEXT, TEXT, st.lists(TEXT, max_size=2))
def test_records_survive_any_text_and_a_signature_below_them(why: str, by: str, approved: list[str]) -> None:
    signature = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"
    stage = StageRecord("v1.0.0", "a" * 64, why, by, tuple(approved))
    version = VersionRecord("a" * 64, by=by, reasons=(why,), approved_by=tuple(approved), params={why: by})
    withdrawal = WithdrawalRecord(why, by)
    assert read_stage_record(write_record("headline", stage) + signature) == stage
    assert read_version_record(write_record("headline", version) + signature) == version
    assert read_withdrawal_record(write_record("headline", withdrawal) + signature) == withdrawal


@given(st.text(max_size=60))
def test_any_message_has_a_record_or_none(message: str) -> None:
    for read in (read_stage_record, read_version_record, read_withdrawal_record):
        read(message)


PARTS = st.sampled_from(["major", "minor", "patch"])


@given(TEXT, st.sampled_from(["", "churn ", "price "]), PARTS | VERSIONS, st.booleans())
def test_an_override_is_a_line_of_its_own(text: str, model: str, wanted: str, touches: bool) -> None:
    body = text.replace("Bump:", "")
    found = parse_override(f"Subject\n\n{body}\nBump: {model}{wanted}\n", "churn", "ada", touches=touches)
    meant = model == "churn " or (touches and not model)
    assert found == (Override(wanted, "ada") if meant else None)
    assert parse_override(f"Subject\n{body}", "churn", "ada", touches=True) is None


@given(st.none() | VERSIONS, st.none() | VERSIONS, st.builds(
    Changes, st.sampled_from([(), ("input x removed",)]), st.sampled_from([(), ("a.py",)]),
    st.sampled_from([(), ("data/flights",)])), st.none() | PARTS | VERSIONS)  # fmt: skip
def test_a_number_is_later_than_all_before_it(
    previous: Version | None, highest: Version | None, changes: Changes, wanted: str | None
) -> None:
    base = max((v for v in (previous, highest) if v is not None), default=None)
    try:
        found = next_version(previous, changes, highest, Override(wanted, "ada") if wanted else None)
    except Refused:
        assert base is not None and wanted and (Version.parse(wanted) or base) <= base
        return
    assert base is None or found.version > base
    assert found.reasons
    if wanted:
        assert found.reasons[0].startswith(f"requested: {wanted} (by ada), computed: v")


@given(st.lists(st.text(max_size=12) | st.from_regex(r"[a-z.]{1,8}(>=|<=|!=|=|<|>|:)[a-z0-9.]{1,4}", fullmatch=True)))
def test_any_search_is_answered_or_wrong_usage(words: list[str]) -> None:
    entry = Entry("churn", "v1.0.0", 1, {"model": ("churn",)}, {"auc": 0.7}, {"train": {"trees": 3}}, "a text")
    try:
        found = search([entry, entry], parse_terms(words))
    except UsageError as error:
        assert error.remedy.startswith(("Use ", "Other keys", "Did you mean", "Known: "))
        return
    assert {one.model for one in found} <= {"churn"}


def test_a_search_for_what_no_version_has_names_the_nearest() -> None:
    entry = Entry("churn", "v1.0.0", 1, {"model": ("churn",)}, {"accuracy": 0.7}, {"train": {"trees": 3}}, "a text")
    for words, near in ((["acuracy>0.5"], "'accuracy'"), (["params.train.tree=3"], "'params.train.trees'")):
        with pytest.raises(UsageError, match=r"^No version has the (metric|parameter)") as error:
            search([entry], parse_terms(words))
        assert near in error.value.remedy
    assert search([], parse_terms(["acuracy>0.5"])) == []


def test_a_parameter_of_another_file_is_searched_with_its_file() -> None:
    entry = Entry("churn", "v1.0.0", 1, {}, {}, {"lr": 1, "shared/tuning.yaml:lr": 3}, "a text")
    for words, found in (
        (["params.shared/tuning.yaml:lr=3"], 1), (["params.shared/tuning.yaml:lr>=4"], 0), (["params.lr=1"], 1),
        (["params.lr:1"], 1), (["params.lr=3"], 0),
    ):  # fmt: skip
        assert len(search([entry], parse_terms(words))) == found, words


def test_terms_exclude_what_their_negation_includes() -> None:
    entries = [
        Entry("churn", f"v1.{n}.0", n, {"model": ("churn",), "live": live}, {"auc": 0.6 + n / 10}, {"trees": n})
        for n, live in enumerate([(), ("staging",), ("staging", "production")])
    ]
    for yes, no in (("live=staging", "live!=staging"), ("auc>=0.7", "auc<0.7"), ("params.trees=1", "params.trees!=1")):
        one, other = search(entries, parse_terms([yes])), search(entries, parse_terms([no]))
        assert len(one) + len(other) == 3 and not {e.version for e in one} & {e.version for e in other}
        assert [e.at for e in one] == sorted((e.at for e in one), reverse=True), "newest first"


EVENTS = st.lists(
    st.tuples(st.sampled_from(["p", "q"]), st.sampled_from(["v1.0.0", "v1.1.0", "!"]), st.integers(10, 60)), max_size=8
)


@given(EVENTS, st.integers(0, 70))
def test_at_any_time_at_most_one_version_serves_in_an_environment(stages: list[tuple[str, str, int]], at: int) -> None:
    tags = [TagRef(f"m@{v}", True, v, n, "ada", "by hand") for n, v in enumerate(["v1.0.0", "v1.1.0"])]
    for number, (environment, version, when) in enumerate(stages, 1):
        off = "!" if version == "!" else ""
        tags.append(TagRef(f"m#{environment}{off}#{number}", True, version, when, "ada", "by hand"))
    history = read_registry(tags).history("m")
    for environment in ("p", "q"):
        spans = periods(history, environment)
        assert all(a.until is not None and a.until <= b.since for a, b in pairwise(spans))
        covering = periods(history, environment, at)
        assert len(covering) <= 1 and set(covering) <= set(spans)
        open_ones = [period for period in spans if period.until is None]
        assert list(running(history, environment)) == open_ones and len(open_ones) <= 1
        assigned = history.assigned(environment)
        assert [period.version for period in open_ones] == ([assigned.version] if assigned else [])
    assert len(events(history)) == len(tags)
    assert [event.at for event in events(history)] == sorted(event.at for event in events(history))


FAULTY = st.sampled_from(["m@v1.0.0", "m@v1.1.0", "m#p#1", "m#p#2", "release-7", "not.a.model@v1"])


@given(st.dictionaries(FAULTY, st.tuples(st.integers(1, 3), st.booleans(), st.sampled_from("ab"))),
       st.dictionaries(FAULTY.filter(parse_tag), st.sampled_from("ab")))  # fmt: skip
def test_a_deleted_or_moved_tag_is_an_error_and_nothing_else_is(
    present: dict[str, tuple[int, bool, str]], copies: dict[str, str]
) -> None:
    tags = [TagRef(name, annotated, "c", at, "ada", "", sha) for name, (at, annotated, sha) in present.items()]
    objects = {tag.name: tag.object for tag in tags}
    found = find_faults(tags, objects, copies)
    errors = {fault.tag for fault in found if fault.level == "error"}
    assert errors == {name for name, sha in copies.items() if objects.get(name) != sha}
    assert list(found) == sorted(found, key=lambda fault: (fault.level, fault.tag))
    assert all(fault.sentence and fault.remedy for fault in found)
