"""The state machine of a rollout: ``(desired, live, judgement, now) → next state``, as a pure function.

A state says how much traffic the candidate may have, and ``plan.plan`` gives the actions. The journal gets the state
before a candidate gains traffic and after it loses some. So a killed run never leaves more traffic than recorded.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from modelyard.manifests.deployment import Rollout, Step
from modelyard.manifests.names import seconds_of
from modelyard.rollout.plan import Desired, Live, Traffic

Phase = Literal["progressing", "done", "rolled back", "expired"]
"""``expired``: the deadline passed before the evidence sufficed. Traffic is back, and the bytes are not blocked."""
Outcome = Literal["pass", "fail", "inconclusive"]
_DEFAULT_CANARY = (Step(weight=5.0, hold="10m"), Step(weight=25.0, hold="30m"), Step(weight=50.0, hold="1h"))


class Judgement(Struct, frozen=True):
    """The result of analysing the current step, with one sentence that says why."""

    outcome: Outcome
    sentence: str


PASSED = Judgement("pass", "this step has no tests")


class RolloutState(Struct, frozen=True):
    """The state of a rollout, as the journal keeps it. The stable version serves what the candidate does not."""

    phase: Phase
    stable: str
    candidate: str = ""
    artifact: str = ""
    """sha256 of the candidate's artifact."""
    step: int = 0
    """Index of the current step, from 0."""
    weight: float = 0.0
    """Percentage that this step allows; the target is set to it when it has more."""
    mirror: bool = False
    before: float = 0.0
    """Percentage that the previous step allowed."""
    started: int = 0
    step_since: int = 0
    """``started`` and ``step_since`` are in seconds since 1970."""
    salt: str = ""
    key: str = ""
    previous: str = ""
    """The version that served before; it stays installed."""
    reason: str = ""

    @property
    def traffic(self) -> Traffic:
        """The traffic that this state allows."""
        if self.phase != "progressing":
            return Traffic(self.stable)
        return Traffic(self.stable, self.candidate, self.weight, self.mirror, self.salt, self.key)

    @property
    def serving(self) -> str:
        """The version that serves, for which the receipt is written; the candidate from 100 % on."""
        return self.candidate if self.phase == "progressing" and self.weight >= 100 else self.stable


def steps_of(rollout: Rollout) -> tuple[Step, ...]:
    """The steps of a rollout, with defaults; empty for all-at-once."""
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
    """The next state: at most one step further, or back to the champion.

    ``judgement`` belongs to the current step of ``state``. ``blocked`` means that the desired artifact was rolled back
    before. ``now`` is in seconds since 1970.
    """
    champion = _champion(desired, state, live)
    running = state is not None and state.phase == "progressing"
    if state and state.phase != "done" and (state.candidate, state.artifact) == (desired.version, desired.artifact):
        if running:
            return _continue(rollout, state, live, judgement, now, blocked)
        if blocked or (state.phase == "expired" and now - state.started >= seconds_of(rollout.deadline)):
            return state
    if desired.version == champion or (running and state and desired.version == state.stable):
        return _settled(desired.version, state, champion, now)
    if blocked:
        reason = f"the artifact of {desired.version} was rolled back before, and main still names it"
        return RolloutState(
            "rolled back", champion or "", desired.version, desired.artifact, started=now, step_since=now, reason=reason
        )
    if champion is None:
        return _settled(desired.version, state, champion, now)
    other = live.traffic.candidate if live.traffic else ""
    if other not in ("", desired.version, champion):
        return _settled(champion, state, champion, now)  # end one rollout before another begins
    return _begin(desired, rollout, state, champion, now)


def needs_entry(before: RolloutState | None, after: RolloutState) -> bool:
    """Whether the journal needs a new entry: the states differ in more than the reason."""
    return before is None or replace(before, reason="") != replace(after, reason="")


def reduces_traffic(live: Live, after: RolloutState) -> bool:
    """Whether a candidate loses traffic. Then traffic moves first and the journal is written afterwards."""
    if after.phase in ("rolled back", "expired"):
        return True
    now = live.traffic or Traffic("")
    return now.candidate not in ("", after.stable) and after.traffic.weight < now.weight


def increases_traffic(before: RolloutState | None, live: Live, after: RolloutState) -> bool:
    """Whether a version gets traffic, or copies of it, that it did not have. This needs approvals and no freeze."""
    if after.phase in ("rolled back", "expired") or not needs_entry(before, after):
        return False
    now, then = live.traffic or Traffic(""), after.traffic
    if then.candidate not in ("", now.candidate, now.stable):
        return True
    return any(_share(then, v) > _share(now, v) for v in (then.stable, then.candidate) if v not in ("", now.stable))


def roll_back(state: RolloutState, reason: str, now: int, phase: Phase = "rolled back") -> RolloutState:
    """The state after a rollback of a rollout: all traffic on the champion."""
    return replace(state, phase=phase, weight=0.0, mirror=False, step_since=now, reason=reason)


def _share(traffic: Traffic, version: str) -> float:
    """Percentage of the requests that a version serves."""
    if version == traffic.candidate:
        return traffic.weight
    return 100 - traffic.weight if version == traffic.stable else 0.0


def _champion(desired: Desired, state: RolloutState | None, live: Live) -> str | None:
    """The version that serves now; if a run was killed after recording the desired version, that one."""
    recorded = state.serving if state else ""
    return recorded if recorded == desired.version and recorded in live.installed else live.serving


def _settled(version: str, state: RolloutState | None, champion: str | None, now: int) -> RolloutState:
    if state and state.phase == "done" and state.stable == version:
        return state
    previous = champion if champion not in (None, version) else state.previous if state else ""
    aborted = state and state.phase == "progressing" and state.candidate != version
    reason = f"main no longer names {state.candidate}" if aborted and state else ""
    return RolloutState("done", version, started=now, step_since=now, previous=previous or "", reason=reason)


def _begin(desired: Desired, rollout: Rollout, state: RolloutState | None, champion: str, now: int) -> RolloutState:
    steps = steps_of(rollout)
    if not steps:
        return _settled(desired.version, state, champion, now)
    first = steps[0]
    return RolloutState(
        phase="progressing", stable=champion, candidate=desired.version, artifact=desired.artifact, weight=first.weight,
        mirror=first.mirror, started=now, step_since=now, salt=f"{desired.artifact[:12]}-{now}", key=rollout.key or "",
        previous=champion, reason="started",
    )  # fmt: skip


def _continue(
    rollout: Rollout, state: RolloutState, live: Live, judgement: Judgement, now: int, blocked: bool
) -> RolloutState:
    steps = steps_of(rollout)
    if blocked:
        return roll_back(state, f"the artifact of {state.candidate} was rolled back in another environment", now)
    if judgement.outcome == "fail":
        return roll_back(state, judgement.sentence, now)
    # Before the look for lost traffic: a run that was killed after it moved traffic back leaves the same behind.
    if (
        steps
        and now - state.started >= seconds_of(rollout.deadline)
        and not _finished_shadow(rollout, state, steps, judgement, now)
    ):
        reason = f"the deadline of {rollout.deadline} passed: {_waiting(state, judgement)}"
        return roll_back(state, reason, now, "expired")
    if _lost_traffic(state, live):
        return roll_back(state, f"the traffic of {state.candidate} was removed at the target", now)
    if not steps:
        return RolloutState("done", state.candidate, started=state.started, step_since=now, previous=state.stable)
    index = _index(state, steps)
    step = steps[index]
    if (step.weight, step.mirror) != (state.weight, state.mirror):  # the file was edited during the rollout
        return replace(
            state, step=index, weight=step.weight, mirror=step.mirror, before=min(state.before, step.weight),
            step_since=now, reason="main changed the steps",
        )  # fmt: skip
    waits = _waits(rollout, state, step, judgement, now)
    if _has(live, state.candidate) < state.weight and not waits:
        waits = f"moves {state.weight:g} % to it"  # the target has not taken this step yet, so nothing is measured
    if waits:
        return replace(state, step=index, reason=waits)
    if index + 1 < len(steps):
        after = steps[index + 1]
        return replace(
            state, step=index + 1, weight=after.weight, mirror=after.mirror, before=state.weight, step_since=now,
            reason=judgement.sentence,
        )  # fmt: skip
    if rollout.strategy == "shadow":  # a shadow serves only after the strategy in the file changes
        return replace(state, reason=f"all shadow steps passed: {judgement.sentence}")
    return RolloutState(
        "done", state.candidate, started=state.started, step_since=now, previous=state.stable,
        reason=judgement.sentence,
    )  # fmt: skip


def _index(state: RolloutState, steps: tuple[Step, ...]) -> int:
    """The index of the current step; after an edit of the steps, the last one that allows no more than now."""
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
        return f"waits at the manual gate of {state.weight:g} % (open it: modelyard promote --clear {state.weight:g})"
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
    """Whether the candidate has less traffic than the previous step allowed, which no run of deploy does."""
    return _has(live, state.candidate) < state.before


def _has(live: Live, version: str) -> float:
    return _share(live.traffic, version) if live.traffic else 0.0


def _waiting(state: RolloutState, judgement: Judgement) -> str:
    return judgement.sentence if judgement.outcome == "inconclusive" else state.reason or "not all steps were completed"


def _span(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}".replace(".0 ", " ")
    return f"{seconds:.0f} s"
