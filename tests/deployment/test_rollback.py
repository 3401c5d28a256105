"""The version that a rollback goes to, and the version that it takes traffic from."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from modelyard.deployment import rollback
from modelyard.deployment.record import Recorded, read_rollouts
from modelyard.deployment.rollback import (
    RollbackRequest,
    _failed_version,
    _interrupted,
    _previous_version,
    propose_rollback,
    roll_back,
)
from modelyard.errors import ModelyardError, Refused, UsageError
from modelyard.git import TagRef
from modelyard.registry.history import ModelHistory, read_registry
from modelyard.registry.tags import StageRecord, VersionRecord, read_stage_record, write_record
from modelyard.rollout.plan import Delivery, Live, Traffic
from modelyard.rollout.progress import RolloutState
from support.memory import MemoryYard, digest_of, memory_yard

NUMBERS = ("v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0")


def history_of(assigned: list[tuple[str, str, str]]) -> ModelHistory:
    """Four versions, and assignments in order: (environment, version, digest that a rollback blocks)."""
    tags = [
        TagRef(f"churn@{version}", True, version, at, "ada", write_record("", VersionRecord(digest_of(version))))
        for at, version in enumerate(NUMBERS)
    ]
    for number, (environment, version, blocked) in enumerate(assigned, 1):
        salt = f"rollout-{number}" if blocked else ""
        message = write_record("", StageRecord(version, blocked=blocked, rollout=salt))
        tags.append(TagRef(f"churn#{environment}#{number}", True, version, 100 + number, "ada", message))
    return read_registry(tags).history("churn")


def serving(stable: str, candidate: str = "", weight: float = 0.0) -> Live:
    return Live(Traffic(stable, candidate, weight))


@pytest.mark.parametrize(
    ("live", "failed"),
    [
        (Live(), None),
        (serving("v1.1.0"), "v1.1.0"),
        (serving("v1.0.0", "v1.1.0", 20), "v1.1.0"),
        (serving("v1.0.0", "v1.1.0", 100), "v1.1.0"),
    ],
)
def test_the_candidate_loses_its_traffic_else_the_version_that_serves(live: Live, failed: str | None) -> None:
    assert _failed_version(live) == failed


def test_during_a_rollout_traffic_goes_to_the_stable_version() -> None:
    live = serving("v1.0.0", "v1.1.0", 20)
    assert _previous_version(history_of([]), "production", Recorded(), live, "v1.1.0") == "v1.0.0"


def test_the_journal_names_the_previous_version_unless_it_is_blocked() -> None:
    recorded = Recorded(RolloutState("done", "v1.3.0", previous="v1.1.0"))
    served = [("production", "v1.0.0", ""), ("production", "v1.3.0", "")]
    live = serving("v1.3.0")
    assert _previous_version(history_of(served), "production", recorded, live, "v1.3.0") == "v1.1.0"
    blocked = [*served, ("staging", "v1.0.0", digest_of("v1.1.0"))]
    assert _previous_version(history_of(blocked), "production", recorded, live, "v1.3.0") == "v1.0.0"


STAGES = st.lists(
    st.tuples(
        st.sampled_from(["staging", "production"]),
        st.sampled_from(NUMBERS),
        st.just("") | st.sampled_from(NUMBERS).map(digest_of),
    ),
    max_size=8,
)


@given(STAGES, st.sampled_from(NUMBERS), st.sampled_from(["", *NUMBERS]))
def test_a_rollback_goes_to_the_newest_other_version_that_served_here_and_is_not_blocked(
    assigned: list[tuple[str, str, str]], failed: str, previous: str
) -> None:
    history = history_of(assigned)
    recorded = Recorded(RolloutState("done", failed, previous=previous))
    blocked = {digest for _, _, digest in assigned}
    usable = [v for v in NUMBERS if digest_of(v) not in blocked and v != failed]
    served = [version for environment, version, _ in assigned if environment == "production" and version in usable]
    try:
        found = _previous_version(history, "production", recorded, serving(failed), failed)
    except UsageError as error:
        assert not served and previous not in usable and "--to v1.0.0" in error.remedy
        return
    assert found == (previous if previous in usable else served[-1])


def interrupted(state: RolloutState | None, live: Live, assigned: list[tuple[str, str, str]]) -> str | None:
    return _interrupted(Recorded(state), live, history_of(assigned), "production")


BACK = RolloutState("rolled back", "v1.0.0", "v1.1.0", salt="rollout-1")


@pytest.mark.parametrize(
    ("state", "live", "assigned", "version"),
    [
        (None, serving("v1.0.0"), [], None),
        (BACK, Live(), [], None),
        (BACK, serving("v1.0.0", "v1.1.0", 20), [], None),
        # the journal has the rollback, its receipt is missing
        (BACK, serving("v1.0.0"), [], "v1.1.0"),
        (BACK, serving("v1.2.0"), [], None),
        (BACK, serving("v1.0.0"), [("production", "v1.0.0", digest_of("v1.1.0"))], None),
        # traffic has moved, the journal does not say so yet
        (RolloutState("progressing", "v1.0.0", "v1.1.0", weight=20), serving("v1.0.0"), [], "v1.1.0"),
        (RolloutState("progressing", "v1.0.0", "v1.1.0"), serving("v1.1.0"), [], None),
        (RolloutState("done", "v1.1.0", previous="v1.0.0"), serving("v1.0.0"), [], "v1.1.0"),
        (RolloutState("done", "v1.1.0"), serving("v1.1.0"), [], None),
    ],
)
def test_a_rollback_that_a_killed_run_began_is_found(
    state: RolloutState | None, live: Live, assigned: list[tuple[str, str, str]], version: str | None
) -> None:
    assert interrupted(state, live, assigned) == version


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryYard:
    """v1.0.0, then v1.1.0 served in production."""
    found = memory_yard(tmp_path, monkeypatch)
    for version in ("v1.0.0", "v1.1.0"):
        found.add_version(version)
        found.deploy_manifest(version)
        found.deploy()
    return found


def by_hand(yard: MemoryYard, to: str | None = None) -> Delivery:
    yard.reopen()
    environment = yard.checkout.repository.environment("production")
    request = RollbackRequest(to=to, why="wrong in Boston", by="ada")
    target, forge = yard.targets["production"], yard.forge
    return roll_back(yard.view(), environment, target, lambda: forge, request, yard.said.append)  # type: ignore[arg-type, return-value]


def test_a_manual_rollback_moves_traffic_blocks_the_artifact_and_proposes_main(yard: MemoryYard) -> None:
    done = by_hand(yard)
    assert yard.targets["production"].models["churn"].traffic == Traffic("v1.0.0")
    assert (done.live, done.desired, done.tag, done.rolled_back) == ("v1.0.0", "v1.1.0", "churn#production#3", True)
    assert done.actions == ("route all to v1.0.0",), "the previous version was still installed"
    [tag] = yard.git.tags("churn#production#3")
    record = read_stage_record(tag.message)
    assert record and (record.blocked, record.replaced, record.by) == (digest_of("v1.1.0"), "v1.1.0", "ada")
    state = read_rollouts(yard.git)["production", "churn"].state  # type: ignore[arg-type]
    assert state and (state.phase, state.stable, state.salt) == ("rolled back", "v1.0.0", record.rollout)
    assert "modelyard/rollback/production/churn" in yard.git.branches()
    yard.reopen()
    again = by_hand(yard)
    assert (again.live, again.actions, again.tag) == ("v1.0.0", (), None) and "Already done" in yard.said[-1]
    assert by_hand(yard, "v1.0.0").actions == () and "Already done" in yard.said[-1], "the same with the name"
    assert yard.git.tags("churn#production#4") == [], "a repeat goes no further back"


def test_a_rollback_of_the_only_version_or_to_the_serving_one_is_refused(yard: MemoryYard) -> None:
    with pytest.raises(Refused, match=r"already serves v1\.1\.0 alone"):
        by_hand(yard, "v1.1.0")
    with pytest.raises(UsageError, match=r"has no version v9\.0\.0"):
        by_hand(yard, "v9.0.0")
    assert yard.git.tags("churn#production#3") == []


def test_a_deployment_that_follows_latest_needs_no_pull_request(yard: MemoryYard) -> None:
    yard.deploy_manifest("latest")
    by_hand(yard)
    assert not any(branch.startswith("modelyard/rollback") for branch in yard.git.branches())
    assert yard.deploy().live == "v1.0.0", "latest skips the blocked artifact"


def test_a_rollback_that_cannot_be_recorded_says_that_traffic_has_moved(
    yard: MemoryYard, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise ModelyardError("The remote cannot be reached.", "Try again.")

    monkeypatch.setattr(rollback, "write_rollout", gone)
    with pytest.raises(ModelyardError, match=r"Traffic is back on v1\.0\.0, but the rollback could not be recorded"):
        by_hand(yard)
    assert yard.targets["production"].models["churn"].serving == "v1.0.0"
    monkeypatch.undo()


def test_a_killed_rollback_is_finished_by_the_next_one(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(rollback, "write_receipt", killed)
        with pytest.raises(Killed):
            by_hand(yard)
    done = by_hand(yard)
    assert (done.live, done.actions) == ("v1.0.0", ()), "traffic has moved already"
    [tag] = yard.git.tags("churn#production#3")
    record = read_stage_record(tag.message)
    assert record and record.blocked == digest_of("v1.1.0")


def test_an_error_of_the_forge_does_not_undo_a_rollback(yard: MemoryYard, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> int:
        raise ModelyardError("The forge does not answer.", "Try again.")

    monkeypatch.setattr(rollback, "propose_change", unreachable)
    with pytest.raises(
        ModelyardError, match=r"is back on v1\.0\.0 and that is recorded, but its pull request could"
    ) as found:
        by_hand(yard)
    assert found.value.exit_code == 4 and "it moves nothing a second time" in found.value.remedy
    assert yard.targets["production"].models["churn"].traffic == Traffic("v1.0.0")
    yard.reopen()
    with pytest.raises(ModelyardError, match="could not be opened: The forge does not answer"):
        by_hand(yard)
    state = RolloutState("rolled back", "v1.0.0", "v1.1.0")
    forge = yard.forge
    assert propose_rollback(yard.view(), forge, "production", state, yard.said.append) is None  # type: ignore[arg-type]
    assert yard.said[-1].endswith("The next run tries again."), "deploy goes on with the other models"
    state, before = RolloutState("rolled back", "v1.1.0", "v1.2.0"), len(yard.said)
    assert propose_rollback(yard.view(), forge, "production", state, yard.said.append) is None  # type: ignore[arg-type]
    assert len(yard.said) == before, "main names that version already, so nothing is proposed"
