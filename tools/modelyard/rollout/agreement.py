"""Whether a rollout journal agrees with receipts and observed traffic. A journal is a ref, which anybody may push."""

from __future__ import annotations

from collections.abc import Collection

from modelyard.manifests.deployment import Step
from modelyard.rollout.plan import Live
from modelyard.rollout.progress import RolloutState


def disagreement(
    state: RolloutState | None, live: Live, assigned: str, receipts: Collection[str], steps: tuple[Step, ...]
) -> str:
    """Why a journal's state cannot be true, as the end of a sentence; '' if it can.

    ``assigned`` is the version of the newest receipt ('' for none); ``receipts`` are the rollouts whose rollback has a
    receipt. Traffic moves before a rollback is recorded, and after a step forward is. So a recorded rollback is seen at
    the target or has a receipt, and the stable version of a rollout serves already.
    """
    if state is None or state.phase == "done":
        return ""  # nothing is taken from it but what main names too
    traffic = live.traffic
    serving = live.serving or ""
    if state.phase == "rolled back":
        if state.salt and state.salt in receipts:
            return ""
        alone = traffic is not None and not traffic.candidate and serving == state.stable
        nothing = traffic is None and not state.stable
        if alone or nothing or (not state.salt and state.stable in (serving, assigned)):
            return ""
        return (
            f"it says that all traffic went back to {state.stable or 'nothing'}, but {serving or 'nothing'} serves, and"
            " no receipt says so"
        )
    if state.stable not in {serving, traffic.stable if traffic else "", assigned}:
        return f"it names {state.stable} as the stable version, which neither serves nor has the newest receipt"
    share = traffic.weight if traffic and traffic.candidate == state.candidate else 0.0
    if traffic and traffic.stable == state.candidate and not traffic.candidate:
        share = 100.0
    earlier = steps[state.step - 1].weight if 0 < state.step < len(steps) else 0.0
    if share < earlier and not share < state.before:
        return f"it allows {state.weight:g} % to {state.candidate}, which has {share:g} % and skipped a step"
    return ""
