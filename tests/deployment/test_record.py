"""Journals, receipts and refusals in a Git in memory."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.deployment.record import (
    Recorded,
    read_rollouts,
    timeline,
    write_receipt,
    write_rollout,
    write_unassignment,
)
from modelyard.errors import ModelyardError
from modelyard.git import RefRejected
from modelyard.registry.tags import StageRecord, read_stage_record, read_withdrawal_record
from modelyard.rollout.progress import Phase, RolloutState
from support.memory import MemoryGit, MemoryYard, memory_yard

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
WEIGHTS = st.floats(0, 100)
STATES = st.builds(
    RolloutState, phase=st.sampled_from(get_args(Phase)), stable=TEXT, candidate=TEXT, artifact=TEXT,
    step=st.integers(0, 7), weight=WEIGHTS, mirror=st.booleans(), before=WEIGHTS, started=st.integers(0, 2**40),
    step_since=st.integers(0, 2**40), salt=TEXT, key=TEXT, previous=TEXT, reason=TEXT,
)  # fmt: skip
REF = "refs/modelyard/rollouts/production/churn"


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryYard:
    found = memory_yard(tmp_path, monkeypatch)
    found.add_version("v1.0.0")
    found.add_version("v1.1.0")
    return found


def rollouts(git: MemoryGit) -> dict[tuple[str, str], Recorded]:
    return read_rollouts(git)  # type: ignore[arg-type]


@given(st.lists(STATES, min_size=1, max_size=3), TEXT | st.just("because\n\n{}\n"))
def test_what_is_written_into_a_journal_is_read_from_it(
    tmp_path_factory: pytest.TempPathFactory, states: list[RolloutState], sentence: str
) -> None:
    yard = MemoryYard(tmp_path_factory.mktemp("yard"))
    recorded = Recorded()
    for state in states:
        recorded = write_rollout(yard.view(), "production", recorded, state, sentence)
    assert rollouts(yard.git) == {("production", "churn"): recorded} and recorded.state == states[-1]


@given(TEXT.map(lambda text: text.replace("{", "")) | st.sampled_from(["{", "{}", '{"phase":"lost","stable":"v1"}']))
def test_an_unreadable_journal_is_an_error_that_names_its_ref(message: str) -> None:
    git = MemoryGit()
    git.add_entry(REF, "", f"by hand\n\n{message}")
    with pytest.raises(ModelyardError, match=f"{REF} cannot be read") as failed:
        rollouts(git)
    assert failed.value.remedy.endswith(f"git update-ref -d {REF}")


def test_an_entry_that_is_not_based_on_the_newest_one_is_rejected(yard: MemoryYard) -> None:
    state = RolloutState("done", "v1.0.0")
    write_rollout(yard.view(), "production", Recorded(), state, "first")
    with pytest.raises(RefRejected):
        write_rollout(yard.view(), "production", Recorded(), state, "second")


def test_the_timeline_has_the_entries_of_the_newest_candidate_oldest_first(yard: MemoryYard) -> None:
    recorded = Recorded()
    for candidate, sentence in (("v1", "20 % to v1"), ("v2", "5 % to v2"), ("v2", "all: traffic back")):
        state = RolloutState("progressing", "v0", candidate, candidate * 8)
        recorded = write_rollout(yard.view(), "production", recorded, state, sentence)
    assert [entry.sentence for entry in timeline(yard.view(), "production")] == ["5 % to v2", "all: traffic back"]
    assert timeline(yard.view(), "staging") == ()


def test_a_receipt_is_written_once_for_each_version(yard: MemoryYard) -> None:
    record = StageRecord("v1.0.0", "a" * 64, "wanted", "ada", ("grace",))
    assert write_receipt(yard.view(), "production", record) == "churn#production#1"
    assert write_receipt(yard.view(), "production", record) is None
    assert write_receipt(yard.view(), "staging", record) == "churn#staging#2", "counters are those of the model"
    [tag] = yard.git.tags("churn#production#1")
    said = read_stage_record(tag.message)
    assert said is not None and list(said.filed) == ["approvals/churn#production#1.json"]
    assert msgspec.structs.replace(said, filed={}) == record
    assert tag.message.startswith("Assigning stage production to artifact churn version v1.0.0\n")


def test_a_rollback_gets_one_receipt_also_for_the_version_that_is_assigned(yard: MemoryYard) -> None:
    write_receipt(yard.view(), "production", StageRecord("v1.0.0"))
    record = StageRecord("v1.0.0", blocked="b" * 64, rollout="salt")
    assert write_receipt(yard.view(), "production", record) == "churn#production#2"
    assert write_receipt(yard.view(), "production", record) is None
    assert write_receipt(yard.view(), "production", StageRecord("v1.0.0", blocked="b" * 64, rollout="other"))


def test_a_counter_that_a_concurrent_run_takes_is_skipped(yard: MemoryYard) -> None:
    yard.git.taken = ["churn#production#1", "churn#production#2", "churn#production#3"]
    assert write_receipt(yard.view(), "production", StageRecord("v1.1.0")) == "churn#production#4"


def test_counters_that_are_always_taken_are_an_error(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: object, **__: object) -> None:
        raise RefRejected(("tag",), "")

    monkeypatch.setattr(yard.git, "place_tag", taken)
    with pytest.raises(ModelyardError, match=r"5 concurrent runs wrote tags of churn\. Run modelyard deploy again\."):
        write_receipt(yard.view(), "production", StageRecord("v1.0.0"))


def test_an_unassignment_ends_what_is_assigned(yard: MemoryYard) -> None:
    assert write_unassignment(yard.view(), "production", "retired", "ada") is None
    write_receipt(yard.view(), "production", StageRecord("v1.0.0"))
    assert write_unassignment(yard.view(), "production", "retired", "ada") == "churn#production!#2"
    assert yard.view().history.assigned("production") is None
    [tag] = yard.git.tags("churn#production!*")
    record = read_withdrawal_record(tag.message)
    assert record and (record.why, record.by) == ("retired", "ada")
