from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from modelyard.rollout.plan import Action, Live, Traffic, plan, removal

VERSIONS = st.sampled_from(["v1", "v2", "v3"])
DIGESTS = {"v1": "a", "v2": "b", "v3": "c"}
INSTALLED = st.dictionaries(VERSIONS, st.sampled_from(["a", "b", "c"]))
TRAFFIC = st.builds(Traffic, VERSIONS) | st.builds(
    Traffic, VERSIONS, VERSIONS, st.sampled_from([0.0, 5.0, 100.0]), st.booleans()
)
LIVES = st.builds(Live, st.none() | TRAFFIC, INSTALLED)


def carry_out(action: Action, live: Live) -> Live:
    installed = dict(live.installed)
    if action.do == "install":
        return Live(live.traffic, installed | {action.version: DIGESTS[action.version]})
    if action.do == "route":
        traffic = action.traffic
        assert traffic is not None
        assert all(version in installed for version in (traffic.stable, traffic.candidate) if version)
        return Live(traffic if traffic.stable else None, installed)
    assert live.traffic is None or action.version not in (live.traffic.stable, live.traffic.candidate)
    installed.pop(action.version)
    return Live(live.traffic, installed)


@given(TRAFFIC, LIVES, st.frozensets(VERSIONS), st.integers(0, 5))
def test_every_state_converges_also_when_killed_between_two_actions(
    wanted: Traffic, live: Live, keep: frozenset[str], killed: int
) -> None:
    for action in plan(wanted, DIGESTS, live, keep)[:killed]:
        live = carry_out(action, live)
    for action in plan(wanted, DIGESTS, live, keep):
        live = carry_out(action, live)
    assert live.traffic == wanted
    assert all(live.installed[version] == DIGESTS[version] for version in (wanted.stable, wanted.candidate) if version)
    assert plan(wanted, DIGESTS, live, keep) == ()
    assert set(live.installed) <= {wanted.stable, wanted.candidate} | keep


@given(LIVES)
def test_a_removed_model_loses_its_traffic_first(live: Live) -> None:
    for action in removal(live):
        live = carry_out(action, live)
    assert (live.traffic, live.installed) == (None, {})
    assert removal(live) == ()


def test_nothing_to_do() -> None:
    assert plan(Traffic("v1"), DIGESTS, Live(Traffic("v1"), {"v1": "a", "v0": "z"}), frozenset({"v0"})) == ()
    assert plan(Traffic(""), DIGESTS, Live()) == ()


def test_the_candidate_serves_from_all_traffic_on() -> None:
    assert Live().serving is None
    assert Live(Traffic("v1", "v2", 99.0)).serving == "v1"
    assert Live(Traffic("v1", "v2", 100.0)).serving == "v2"


def test_an_action_reads_as_a_sentence() -> None:
    assert [str(action) for action in plan(Traffic("v1", "v2", 5.0), DIGESTS, Live(Traffic("v1"), {"v1": "a", "v0": "z"}))] == [
        "install v2", "route 5 % to v2, 95 % to v1", "remove v0"]  # fmt: skip
    assert str(Action("route", "v2", Traffic("v1", "v2", 0.0, True))) == "route 100 % to v1, a copy to v2"
    assert str(Action("route", "v1", Traffic("v1"))) == "route all to v1"
