from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from modelyard.rollout.plan import Action, Desired, Live, plan

VERSIONS = st.sampled_from(["v1", "v2", "v3"])
DIGESTS = st.sampled_from(["a", "b"])
LIVES = st.builds(Live, st.none() | VERSIONS, st.dictionaries(VERSIONS, DIGESTS))


def carry_out(action: Action, desired: Desired, live: Live) -> Live:
    installed = dict(live.installed or {})
    if action.do == "install":
        return Live(live.serving, installed | {action.version: desired.artifact})
    if action.do == "switch":
        assert action.version in installed, "nothing is switched to that is not there"
        return Live(action.version, installed)
    assert action.version != live.serving, "what answers is never removed"
    installed.pop(action.version)
    return Live(live.serving, installed)


@given(st.builds(Desired, VERSIONS, DIGESTS), LIVES, st.integers(0, 5))
def test_every_state_converges_also_when_killed_between_two_actions(desired: Desired, live: Live, killed: int) -> None:
    for action in plan(desired, live)[:killed]:
        live = carry_out(action, desired, live)
    before = live.serving
    for action in plan(desired, live):
        live = carry_out(action, desired, live)
    assert live.serving == desired.version
    assert (live.installed or {})[desired.version] == desired.artifact
    assert plan(desired, live) == ()
    if before in (live.installed or {}) and before != desired.version:
        assert len(live.installed or {}) <= 2, "the way back and nothing older"


def test_nothing_to_do() -> None:
    assert plan(Desired("v1", "a"), Live("v1", {"v1": "a", "v0": "z"})) == ()
