from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.manifests.model import Column, Contract
from modelyard.manifests.names import Version
from modelyard.registry.history import read_registry
from modelyard.registry.numbering import Changes, contract_changes, next_version
from modelyard.registry.tags import (
    Action,
    StageRecord,
    VersionRecord,
    parse_tag,
    read_stage_record,
    read_version_record,
    stage_tag,
    version_tag,
    write_record,
)


@dataclass(frozen=True)
class FakeTag:
    name: str
    commit: str
    tagged_at: int
    annotated: bool = True
    tagger: str = "ada"
    message: str = ""
    object: str = ""


@pytest.mark.parametrize(
    ("tag", "action"),
    [
        ("churn@v1.2.3", Action.REGISTER),
        ("churn@v0.1.0-rc.1+b7", Action.REGISTER),
        ("churn@v1.2.3!", Action.DEREGISTER),
        ("churn#prod#3", Action.ASSIGN),
        ("churn#prod", Action.ASSIGN),
        ("churn#prod!#5", Action.UNASSIGN),
        ("churn@deprecated", Action.DEPRECATE),
        ("cv/sub=x@v0.1.0", Action.REGISTER),
        ("m@1.0.0", None),
        ("m@v1.0", None),
        ("resnet.50@v1.0.0", None),
        ("v1.0.0", None),
        ("churn#prod#3\n", None),
    ],
)
def test_gto_grammar(tag: str, action: Action | None) -> None:
    parsed = parse_tag(tag)
    assert (parsed.action if parsed else None) is action


def test_what_is_written_is_read() -> None:
    version = Version.of(1, 2, 3)
    parsed = parse_tag(version_tag("churn", version))
    assert parsed and (parsed.model, parsed.version) == ("churn", version)
    parsed = parse_tag(stage_tag("churn", "prod", 7))
    assert parsed and (parsed.environment, parsed.counter) == ("prod", 7)
    record = VersionRecord(artifact="a" * 64, metrics={"auc": 0.7}, approved_by=("grace",))
    assert read_version_record(write_record("headline", record)) == record
    stage = StageRecord(version="v1.0.0", why='because {of} "quotes"\nand lines')
    assert read_stage_record(write_record("headline", stage)) == stage
    assert read_version_record("by hand\n\n{not json") is None


def test_time_before_counter_and_a_stage_means_the_version_at_its_commit() -> None:
    tags = [
        FakeTag("m@v1.0.0", "c1", 10),
        FakeTag("m#prod#1", "c1", 11),
        FakeTag("m@v1.1.0", "c2", 12),
        FakeTag("m#prod#10", "c2", 20),
        FakeTag("m#prod#9", "c1", 15),
        FakeTag("m@v9.9.9", "c9", 30, annotated=False),
        FakeTag("release-7", "c1", 5),
    ]
    registry = read_registry(tags)
    history = registry.history("m")
    assert [str(v.version) for v in history.versions] == ["v1.0.0", "v1.1.0"]
    assigned = history.assigned("prod")
    assert assigned and assigned.version == "v1.1.0"
    assert history.last_counter == 10 and history.last_time == 20
    assert registry.foreign == ("m@v9.9.9", "release-7")
    assert registry.history("nobody").latest is None


def test_unassigned_and_deregistered() -> None:
    tags = [
        FakeTag("m@v1.0.0", "c1", 1),
        FakeTag("m#prod#1", "c1", 2),
        FakeTag("m#prod!#2", "c1", 3),
        FakeTag("m@v1.0.0!", "c1", 4),
    ]
    history = read_registry(tags).history("m")
    assert history.assigned("prod") is None and history.latest is None


@given(
    st.permutations(
        [
            FakeTag("m@v1.0.0", "c1", 1),
            FakeTag("m@v1.1.0", "c2", 2),
            FakeTag("m#p#1", "c1", 3),
            FakeTag("m#p#2", "c2", 4),
        ]
    )
)
def test_the_order_of_reading_does_not_matter(tags: list[FakeTag]) -> None:
    assigned = read_registry(tags).history("m").assigned("p")
    assert assigned and assigned.version == "v1.1.0"


def test_numbers_follow_from_changes() -> None:
    before = Version.of(1, 4, 2)
    assert str(next_version(None, Changes()).version) == "v1.0.0"
    assert str(next_version(before, Changes(("input x removed",), ("a.py",), ("d",))).version) == "v2.0.0"
    minor = next_version(before, Changes((), ("models/m/params.yaml",), ("d",)))
    assert str(minor.version) == "v1.5.0" and minor.reasons == ("code: models/m/params.yaml",)
    assert str(next_version(before, Changes((), (), ("data/flights",))).version) == "v1.4.3"


def test_contract_changes_a_caller_would_notice() -> None:
    def contract(*columns: Column, output: str = "p") -> Contract:
        return Contract(id="id", label="y", inputs=list(columns), output=output)

    a, b = Column(name="a", type="float"), Column(name="b", type="float")
    assert contract_changes(contract(a), contract(a)) == ()
    assert contract_changes(contract(a), contract(a, b)) == ("input b added",)
    assert contract_changes(contract(a, b), contract(a)) == ("input b removed",)
    assert contract_changes(contract(a), contract(Column(name="a", type="integer"))) == ("input a changed",)
    assert contract_changes(contract(a), contract(Column(name="a", type="float", minimum=0))) == ("input a narrowed",)
    assert contract_changes(contract(a), contract(a, output="q")) == ("output p became q",)
    described = Column(name="a", type="float", description="words")
    assert contract_changes(contract(a), contract(described)) == ()
