from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelyard.manifests.deployment import Cleared, Rollout, Step
from modelyard.manifests.names import seconds_of
from modelyard.rollout.plan import Desired, Live, Traffic, plan
from modelyard.rollout.progress import (
    PASSED,
    Judgement,
    RolloutState,
    advance,
    needs_entry,
    reduces_traffic,
    roll_back,
    steps_of,
)
from msgspec.structs import replace

V1, V2, V3 = (Desired(f"v{n}", letter * 64) for n, letter in ((1, "a"), (2, "b"), (3, "c")))
BYTES = {wanted.version: wanted.artifact for wanted in (V1, V2, V3)}
FAILED, UNSURE = Judgement("fail", "errors: too many"), Judgement("inconclusive", "errors: 3 of 200 samples")
CANARY = Rollout(strategy="canary", steps=[Step(weight=5, hold="1h"), Step(weight=25, hold="1h")], deadline="6h")
HOUR = 3600


class World(NamedTuple):
    """The state that outlives a run: journal, target and blocked artifacts."""

    state: RolloutState | None
    live: Live
    blocked: frozenset[str] = frozenset()


BEGINNING = World(None, Live(Traffic("v1"), {"v1": V1.artifact}))


def run(world: World, desired: Desired, rollout: Rollout, judgement: Judgement, now: int, killed: int = 99) -> World:
    """One run of deploy that is killed after ``killed`` effects (journal entries and actions)."""
    left = killed
    state, live, blocked = world
    after = advance(desired, rollout, state, live, judgement, now, desired.artifact in blocked)

    def record() -> bool:
        nonlocal state, blocked, left
        if not needs_entry(state, after):
            return True
        left -= 1
        if left < 0:
            return False
        state = after
        if after.phase == "rolled back":
            blocked |= {after.artifact}
        return True

    def apply() -> bool:
        nonlocal live, left
        keep = frozenset({after.previous, after.stable})
        for action in plan(after.traffic, BYTES, live, keep):
            left -= 1
            if left < 0:
                return False
            if action.do == "install":
                live = Live(live.traffic, {**live.installed, action.version: BYTES[action.version]})
            elif action.do == "route":
                live = Live(action.traffic if action.traffic and action.traffic.stable else None, live.installed)
            else:
                live = Live(live.traffic, {v: sha for v, sha in live.installed.items() if v != action.version})
        return True

    first, second = (apply, record) if reduces_traffic(live, after) else (record, apply)
    if first():
        second()
    return World(state, live, blocked)


def finish(world: World, desired: Desired, rollout: Rollout, judgement: Judgement, now: int) -> World:
    for turn in range(12):
        world = run(world, desired, rollout, judgement, now + turn * HOUR)
    return world


def test_a_canary_walks_its_steps_and_ends_with_all_traffic() -> None:
    world, weights = BEGINNING, []
    for turn in range(4):
        world = run(world, V2, CANARY, PASSED, turn * HOUR)
        assert world.live.traffic
        weights.append(world.live.traffic.weight if world.live.traffic.candidate else 100.0)
    assert weights == [5.0, 25.0, 100.0, 100.0]
    assert world.live.traffic == Traffic("v2") and set(world.live.installed) == {"v1", "v2"}
    assert world.state and (world.state.phase, world.state.serving, world.state.previous) == ("done", "v2", "v1")


def test_a_step_holds_for_its_time_whatever_the_analysis_says() -> None:
    world = run(BEGINNING, V2, CANARY, PASSED, 0)
    early = run(world, V2, CANARY, PASSED, HOUR - 1)
    assert early == world, "waiting adds no entry"
    assert run(world, V2, CANARY, PASSED, HOUR).state != world.state


def test_an_inconclusive_step_holds_until_the_deadline_rolls_it_back() -> None:
    world = run(BEGINNING, V2, CANARY, PASSED, 0)
    for hour in range(1, 6):
        world = run(world, V2, CANARY, UNSURE, hour * HOUR)
        assert world.live.traffic and world.live.traffic.weight == 5.0
    world = run(world, V2, CANARY, UNSURE, 6 * HOUR)
    assert world.live.traffic == Traffic("v1") and world.state and "deadline of 6h" in world.state.reason
    assert "3 of 200 samples" in world.state.reason


def test_the_deadline_counts_from_the_first_step() -> None:
    world = run(BEGINNING, V2, CANARY, PASSED, 0)
    world = run(world, V2, CANARY, PASSED, 5 * HOUR)
    assert world.live.traffic and world.live.traffic.weight == 25
    assert run(world, V2, CANARY, UNSURE, 6 * HOUR).live.traffic == Traffic("v1")


def test_a_failed_version_is_not_tried_again_unless_readmitted() -> None:
    world = run(run(BEGINNING, V2, CANARY, PASSED, 0), V2, CANARY, FAILED, 10)
    assert world.live.traffic == Traffic("v1") and world.state and world.state.phase == "rolled back"
    assert run(world, V2, CANARY, PASSED, 10 * HOUR) == world
    assert run(world, V3, CANARY, PASSED, 20).live.traffic == replace(
        Traffic("v1", "v3", 5.0), salt=f"{V3.artifact[:12]}-20"
    )
    reverted = run(world, V1, CANARY, PASSED, 30)
    assert reverted.live.traffic == Traffic("v1") and reverted.state and reverted.state.phase == "done"
    readmitted = run(world._replace(blocked=frozenset()), V2, CANARY, PASSED, 40)
    assert readmitted.live.traffic and readmitted.live.traffic.candidate == "v2"


def test_an_artifact_rolled_back_elsewhere_gets_no_traffic() -> None:
    world = run(BEGINNING._replace(blocked=frozenset({V2.artifact})), V2, CANARY, PASSED, 0)
    assert world.live.traffic == Traffic("v1") and "v2" not in world.live.installed
    first = run(World(None, Live(), frozenset({V2.artifact})), V2, CANARY, PASSED, 0)
    assert first.live == Live(), "not even when nothing serves"


def test_a_revert_on_main_ends_a_rollout_at_once() -> None:
    world = run(run(BEGINNING, V2, CANARY, PASSED, 0), V1, CANARY, PASSED, 10)
    assert world.live.traffic == Traffic("v1") and world.state and "no longer names v2" in world.state.reason
    assert not world.blocked


def test_a_newer_version_ends_a_running_rollout_before_its_own() -> None:
    left = run(run(BEGINNING, V2, CANARY, PASSED, 0), V3, CANARY, PASSED, 10)
    assert left.live.traffic == Traffic("v1"), "one rollout ends before the next begins"
    world = run(left, V3, CANARY, PASSED, 10)
    assert world.live.traffic and (world.live.traffic.stable, world.live.traffic.candidate) == ("v1", "v3")
    assert world.live.traffic.weight == 5.0 and "v2" not in world.live.installed


def test_traffic_that_was_removed_at_the_target_is_a_rollback() -> None:
    world = run(run(BEGINNING, V2, CANARY, PASSED, 0), V2, CANARY, PASSED, HOUR)
    world = world._replace(live=Live(Traffic("v1"), world.live.installed))
    world = run(world, V2, CANARY, PASSED, HOUR + 60)
    assert world.state and world.state.phase == "rolled back" and "was removed at the target" in world.state.reason


def test_a_manual_gate_opens_by_the_file_and_for_one_version() -> None:
    gated = replace(CANARY, steps=[Step(weight=5, gate="manual"), Step(weight=25)])
    world = run(BEGINNING, V2, gated, PASSED, 0)
    waiting = advance(V2, gated, world.state, world.live, PASSED, HOUR)
    assert waiting.weight == 5 and "--clear 5" in waiting.reason
    other = replace(gated, cleared=Cleared(version="v1", weight=100))
    assert advance(V2, other, world.state, world.live, PASSED, HOUR).weight == 5
    cleared = replace(gated, cleared=Cleared(version="v2", weight=5))
    assert advance(V2, cleared, world.state, world.live, PASSED, HOUR).weight == 25


def test_blue_green_switches_and_keeps_the_old_version() -> None:
    rollout = Rollout(strategy="blue-green", keep="2h", deadline="12h")
    world = run(BEGINNING, V2, rollout, PASSED, 0)
    assert world.live.serving == "v2" and set(world.live.installed) == {"v1", "v2"}
    assert world.state and world.state.serving == "v2" and world.state.phase == "progressing"
    back = run(world, V2, rollout, FAILED, HOUR)
    assert back.live.traffic == Traffic("v1")
    assert finish(world, V2, rollout, PASSED, 0).state == replace(
        RolloutState("done", "v2", previous="v1"), step_since=2 * HOUR, reason=PASSED.sentence)  # fmt: skip


def test_a_shadow_never_serves_and_stays_after_it_has_passed() -> None:
    rollout = Rollout(strategy="shadow", steps=[Step(hold="2h")], deadline="4h")
    world = finish(BEGINNING, V2, rollout, PASSED, 0)
    assert world.live.serving == "v1" and world.live.traffic and world.live.traffic.mirror
    answering = run(world, V2, Rollout(), PASSED, 20 * HOUR)
    assert answering.live.traffic == Traffic("v2")
    assert finish(BEGINNING, V2, rollout, UNSURE, 0).live.traffic == Traffic("v1")


def test_edited_steps_never_raise_traffic_beyond_what_they_allow() -> None:
    world = run(run(BEGINNING, V2, CANARY, PASSED, 0), V2, CANARY, PASSED, HOUR)
    assert world.live.traffic and world.live.traffic.weight == 25
    gentler = replace(CANARY, steps=[Step(weight=1, hold="1h"), Step(weight=10, hold="1h"), Step(weight=50)])
    world = run(world, V2, gentler, PASSED, HOUR + 1)
    assert world.live.traffic and world.live.traffic.weight == 10
    assert run(world, V2, gentler, PASSED, HOUR + 2) == world
    assert finish(world, V2, gentler, PASSED, 2 * HOUR).live.traffic == Traffic("v2")


# --- every history ------------------------------------------------------------------------------------------------


def at_zero(world: World, now: int) -> World:
    """The same world with times relative to now, so that worlds which differ only in the date are equal."""
    state = world.state
    if state is None:
        return world
    started, since = max(state.started - now, -7 * HOUR), max(state.step_since - now, -2 * HOUR)
    salt = "s" if state.salt else ""
    live = world.live
    if live.traffic and live.traffic.salt:
        live = replace(live, traffic=replace(live.traffic, salt="s" if live.traffic.salt == state.salt else "old"))
    return world._replace(state=replace(state, started=started, step_since=since, salt=salt, reason=""), live=live)


def key_of(world: World) -> str:
    return repr(world)


STRATEGIES = {
    "all-at-once": Rollout(deadline="6h"),
    "canary": CANARY,
    "gated": replace(CANARY, steps=[Step(weight=0, mirror=True), Step(weight=25, hold="1h", gate="manual")],
                     cleared=Cleared(version="v2", weight=25)),
    "blue-green": Rollout(strategy="blue-green", steps=[Step(hold="1h")], keep="2h", deadline="6h"),
    "shadow": Rollout(strategy="shadow", steps=[Step(hold="1h"), Step(hold="1h")], deadline="6h"),
}  # fmt: skip


@pytest.mark.parametrize("name", STRATEGIES)
def test_no_history_breaks_the_rules(name: str) -> None:
    """Explores every world that runs, kills, judgements, time and changes of main can reach, and counts histories."""
    rollout = STRATEGIES[name]
    allowed = {step.weight for step in steps_of(rollout)} | {0.0}
    events = [
        (desired, judgement, hours, killed)
        for desired in (V1, V2, V3)
        for judgement in (PASSED, UNSURE, FAILED)
        for hours in (0, 1, 7)
        for killed in (0, 1, 2, 99)
    ]
    histories: Counter[str] = Counter({key_of(BEGINNING): 1})
    worlds = {key_of(BEGINNING): BEGINNING}
    after: dict[str, list[str]] = {}
    total = 0
    for _ in range(7):
        reached: Counter[str] = Counter()
        for key, count in histories.items():
            if key not in after:
                after[key] = []
                for event in events:
                    follower = step(worlds[key], rollout, allowed, *event)
                    worlds.setdefault(key_of(follower), follower)
                    after[key].append(key_of(follower))
            for follower_key in after[key]:
                reached[follower_key] += count
        histories = reached
        total += sum(reached.values())
    assert total > 1_000_000
    for world in worlds.values():
        settles(world, rollout)


def step(
    world: World, rollout: Rollout, allowed: set[float], desired: Desired, judgement: Judgement, hours: int, killed: int
) -> World:
    before = world.live.traffic
    assert before
    found = run(world, desired, rollout, judgement, hours * HOUR, killed)
    traffic = found.live.traffic
    assert traffic, "a version always serves"
    assert traffic.weight in allowed
    if traffic.candidate:
        recorded = found.state
        assert recorded, "no traffic without a journal entry"
        allows = 100.0 if recorded.stable == traffic.candidate else recorded.traffic.weight
        assert traffic.weight <= allows, "the target has at most what the journal allows"
    raised = before.candidate == traffic.candidate and traffic.weight > before.weight
    if rollout.strategy == "shadow":
        assert traffic.weight == 0
    state = world.state
    under_way = state is not None and state.phase == "progressing" and state.candidate == desired.version
    if killed == 99 and judgement is FAILED and under_way and state:
        assert traffic == Traffic(state.stable), "a failed analysis leads to the champion"
    if raised and found.state is not world.state:
        assert judgement is PASSED or not under_way
    if desired.artifact in world.blocked:
        assert not raised
    return at_zero(found, hours * HOUR)


def settles(world: World, rollout: Rollout) -> None:
    for judgement in (PASSED, UNSURE, FAILED):
        settled = finish(world, V2, rollout, judgement, 0)
        assert run(settled, V2, rollout, judgement, 12 * HOUR) == settled, "another run changes nothing"
        assert settled.state and (settled.state.phase != "progressing" or rollout.strategy == "shadow")
        assert settled.live.traffic == settled.state.traffic


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from([0.5, 1.0, 5.0, 20.0, 50.0, 99.0]), min_size=1, max_size=8, unique=True).map(sorted),
    st.lists(
        st.tuples(st.sampled_from([PASSED, UNSURE, FAILED]), st.integers(0, 3 * HOUR), st.integers(0, 4)), max_size=40
    ),
)
def test_traffic_never_exceeds_the_step_of_a_canary(
    weights: list[float], history: list[tuple[Judgement, int, int]]
) -> None:
    rollout = Rollout(strategy="canary", steps=[Step(weight=w, hold="30m") for w in weights], deadline="1d")
    world, now, passed = BEGINNING, 0, 0
    for judgement, wait, killed in history:
        now += wait
        world = run(world, V2, rollout, judgement, now, killed)
        passed += judgement is PASSED and killed > 0
        assert world.live.traffic
        allowed = [0.0, *weights, 100.0][: passed + 2]
        answered = (
            world.live.traffic.weight if world.live.traffic.candidate else 100.0 * (world.live.traffic.stable == "v2")
        )
        assert answered <= allowed[-1]
        if world.state and world.state.phase == "progressing" and killed >= 2:
            assert now - world.state.started < seconds_of("1d")


def test_a_manual_rollback_is_a_state_like_any_other() -> None:
    world = run(BEGINNING, V2, CANARY, PASSED, 0)
    assert world.state
    back = roll_back(world.state, "asked for by ada", 10)
    assert (back.phase, back.traffic, back.serving) == ("rolled back", Traffic("v1"), "v1")
    assert reduces_traffic(world.live, back) and not reduces_traffic(world.live, world.state)
