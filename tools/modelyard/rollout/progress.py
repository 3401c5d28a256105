"""How a rollout goes on: ``(desired, live, analysis, now) → next state``. Pure, so every history is walked in a test.

The state says what traffic is allowed; ``plan`` makes it so. It is written down before traffic moves forward, and after
traffic moved back. So a run that is killed never leaves more traffic on a candidate than the record allows.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from modelyard.manifests.deployment import Rollout, Step
from modelyard.manifests.names import seconds_of
from modelyard.rollout.plan import Desired, Live, Traffic

Phase = Literal["progressing", "done", "rolled back"]
Outcome = Literal["pass", "fail", "inconclusive"]
_DEFAULT_CANARY = (Step(weight=5.0, hold="10m"), Step(weight=25.0, hold="30m"), Step(weight=50.0, hold="1h"))


class Judgement(Struct, frozen=True):
    """What the analysis of the current step says, in one sentence."""

    outcome: Outcome
    sentence: str


PASSED = Judgement("pass", "nothing is asked of this step")


class RolloutState(Struct, frozen=True):
    """Where the way to a version stands. ``stable`` answers what the candidate does not."""

    phase: Phase
    stable: str
    candidate: str = ""
    artifact: str = ""
    """sha256 of the candidate's bytes."""
    step: int = 0
    """Which of the rollout's steps, from 0."""
    weight: float = 0.0
    """What this step allows; what the target has more than this is taken back."""
    mirror: bool = False
    before: float = 0.0
    """What the step before allowed."""
    started: int = 0
    step_since: int = 0
    """Both in seconds since 1970."""
    salt: str = ""
    key: str = ""
    previous: str = ""
    """What served before; stays installed when all is done."""
    reason: str = ""

    @property
    def traffic(self) -> Traffic:
        """Who may answer what in this state."""
        if self.phase != "progressing":
            return Traffic(self.stable)
        return Traffic(self.stable, self.candidate, self.weight, self.mirror, self.salt, self.key)

    @property
    def serving(self) -> str:
        """The version that answers where it matters: the one a receipt is written for."""
        return self.candidate if self.phase == "progressing" and self.weight >= 100 else self.stable


def steps_of(rollout: Rollout) -> tuple[Step, ...]:
    """The stays of a strategy; empty for all-at-once, which has none."""
    if rollout.strategy == "canary":
        return tuple(rollout.steps) or _DEFAULT_CANARY
    if rollout.strategy == "blue-green":
        return (*rollout.steps, Step(weight=100.0, hold=rollout.keep))
    if rollout.strategy == "shadow":
        return tuple(replace(step, weight=0.0, mirror=True) for step in rollout.steps or [Step(hold="1h")])
    return ()


def advance(
    desired: Desired,
    rollout: Rollout,
    state: RolloutState | None,
    live: Live,
    judgement: Judgement,
    now: int,
    blocked: bool = False,
) -> RolloutState:
    """The next state. At most one step further than the last; back to the champion from anywhere.

    ``judgement`` is the analysis of the step that ``state`` is in; ``blocked``: these bytes were rolled back before.
    """
    champion = _champion(desired, state, live)
    running = state is not None and state.phase == "progressing"
    if state and state.phase != "done" and (state.candidate, state.artifact) == (desired.version, desired.artifact):
        if running:
            return _continue(rollout, state, live, judgement, now, blocked)
        if blocked:
            return state
    if desired.version == champion or (running and state and desired.version == state.stable):
        return _settled(desired.version, state, champion, now)
    if blocked:
        reason = f"the bytes of {desired.version} were rolled back; main still asks for them"
        return RolloutState(
            "rolled back", champion or "", desired.version, desired.artifact, started=now, step_since=now, reason=reason
        )
    if champion is None:
        return _settled(desired.version, state, champion, now)
    other = live.traffic.candidate if live.traffic else ""
    if other not in ("", desired.version, champion):
        return _settled(champion, state, champion, now)  # one candidate leaves before another comes
    return _begin(desired, rollout, state, champion, now)


def needs_entry(before: RolloutState | None, after: RolloutState) -> bool:
    """Whether there is something to write down: another place, not just another minute of waiting."""
    return before is None or replace(before, reason="") != replace(after, reason="")


def reduces_traffic(live: Live, after: RolloutState) -> bool:
    """Whether a candidate loses traffic: that happens first and is written down afterwards, never the reverse."""
    if after.phase == "rolled back":
        return True
    now = live.traffic or Traffic("")
    return now.candidate not in ("", after.stable) and after.traffic.weight < now.weight


def increases_traffic(before: RolloutState | None, live: Live, after: RolloutState) -> bool:
    """Whether a version gets traffic, or a copy of it, that it had not: what needs approvals, and no freeze."""
    if after.phase == "rolled back" or not needs_entry(before, after):
        return False
    now, then = live.traffic or Traffic(""), after.traffic
    if then.candidate not in ("", now.candidate, now.stable):
        return True
    return any(_share(then, v) > _share(now, v) for v in (then.stable, then.candidate) if v not in ("", now.stable))


def roll_back(state: RolloutState, reason: str, now: int) -> RolloutState:
    """All traffic to the champion, wherever the rollout stood."""
    return replace(state, phase="rolled back", weight=0.0, mirror=False, step_since=now, reason=reason)


def _share(traffic: Traffic, version: str) -> float:
    """Percent of the answers that a version gives."""
    if version == traffic.candidate:
        return traffic.weight
    return 100 - traffic.weight if version == traffic.stable else 0.0


def _champion(desired: Desired, state: RolloutState | None, live: Live) -> str | None:
    """What goes on answering: what does now, unless a run was killed before it made the record true."""
    recorded = state.serving if state else ""
    return recorded if recorded == desired.version and recorded in live.installed else live.serving


def _settled(version: str, state: RolloutState | None, champion: str | None, now: int) -> RolloutState:
    if state and state.phase == "done" and state.stable == version:
        return state
    previous = champion if champion not in (None, version) else state.previous if state else ""
    aborted = state and state.phase == "progressing" and state.candidate != version
    reason = f"main no longer asks for {state.candidate}" if aborted and state else ""
    return RolloutState("done", version, started=now, step_since=now, previous=previous or "", reason=reason)


def _begin(desired: Desired, rollout: Rollout, state: RolloutState | None, champion: str, now: int) -> RolloutState:
    steps = steps_of(rollout)
    if not steps:
        return _settled(desired.version, state, champion, now)
    first = steps[0]
    return RolloutState(
        "progressing", champion, desired.version, desired.artifact, 0, first.weight, first.mirror, 0.0, now, now,
        f"{desired.artifact[:12]}-{now}", rollout.key or "", champion, "begun",
    )  # fmt: skip


def _continue(
    rollout: Rollout, state: RolloutState, live: Live, judgement: Judgement, now: int, blocked: bool
) -> RolloutState:
    steps = steps_of(rollout)
    if blocked:
        return roll_back(state, f"the bytes of {state.candidate} were rolled back elsewhere", now)
    if judgement.outcome == "fail":
        return roll_back(state, judgement.sentence, now)
    if _lost_traffic(state, live):
        return roll_back(state, f"somebody took the traffic of {state.candidate} away at the target", now)
    if not steps:
        return RolloutState("done", state.candidate, started=state.started, step_since=now, previous=state.stable)
    if now - state.started >= seconds_of(rollout.deadline) and not _finished_shadow(
        rollout, state, steps, judgement, now
    ):
        return roll_back(state, f"the deadline of {rollout.deadline} passed: {_waiting(state, judgement)}", now)
    index = _index(state, steps)
    step = steps[index]
    if (step.weight, step.mirror) != (state.weight, state.mirror):  # the file was edited under way
        return replace(
            state, step=index, weight=step.weight, mirror=step.mirror, before=min(state.before, step.weight),
            step_since=now, reason="main changed the steps",
        )  # fmt: skip
    waits = _waits(rollout, state, step, judgement, now)
    if _has(live, state.candidate) < state.weight and not waits:
        waits = f"moves {state.weight:g} % to it"  # a step that the target has not taken shows nothing
    if waits:
        return replace(state, step=index, reason=waits)
    if index + 1 < len(steps):
        after = steps[index + 1]
        return replace(
            state, step=index + 1, weight=after.weight, mirror=after.mirror, before=state.weight, step_since=now,
            reason=judgement.sentence,
        )  # fmt: skip
    if rollout.strategy == "shadow":  # it never answers; a change of the file's strategy lets it
        return replace(state, reason=f"shadowed without a fault: {judgement.sentence}")
    return RolloutState(
        "done", state.candidate, started=state.started, step_since=now, previous=state.stable,
        reason=judgement.sentence,
    )  # fmt: skip


def _index(state: RolloutState, steps: tuple[Step, ...]) -> int:
    """The step a state is in; where the steps were edited, the last that allows no more than is allowed now."""
    if state.step < len(steps) and steps[state.step].weight == state.weight:
        return state.step
    lower = [i for i, step in enumerate(steps) if step.weight <= state.weight]
    return lower[-1] if lower else 0


def _waits(rollout: Rollout, state: RolloutState, step: Step, judgement: Judgement, now: int) -> str:
    left = seconds_of(step.hold) - (now - state.step_since)
    if left > 0:
        return f"holds for {_span(left)} more"
    if judgement.outcome == "inconclusive":
        return judgement.sentence
    cleared = rollout.cleared
    if step.gate == "manual" and not (
        cleared and cleared.version == state.candidate and cleared.weight >= state.weight
    ):
        return f"waits for somebody to clear {state.weight:g} % (modelyard promote --clear {state.weight:g})"
    return ""


def _finished_shadow(
    rollout: Rollout, state: RolloutState, steps: tuple[Step, ...], judgement: Judgement, now: int
) -> bool:
    last = steps[-1]
    return (
        rollout.strategy == "shadow"
        and state.step == len(steps) - 1
        and not _waits(rollout, state, last, judgement, now)
    )


def _lost_traffic(state: RolloutState, live: Live) -> bool:
    """Whether the target has less on the candidate than the step before this one allowed: no run of ours did that."""
    return _has(live, state.candidate) < state.before


def _has(live: Live, version: str) -> float:
    return _share(live.traffic, version) if live.traffic else 0.0


def _waiting(state: RolloutState, judgement: Judgement) -> str:
    return judgement.sentence if judgement.outcome == "inconclusive" else state.reason or "not all steps were done"


def _span(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}".replace(".0 ", " ")
    return f"{seconds:.0f} s"
