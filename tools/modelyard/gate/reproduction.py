"""Whether a second run of the pipeline supports a candidate."""

from __future__ import annotations

from modelyard.evidence.bundle import Bundle
from modelyard.evidence.training import Difference
from modelyard.manifests.policy import ChampionCheck, Policy


def irreproducible(policy: Policy, bundle: Bundle) -> str:
    """Why a policy that requires a second run refuses a model that was trained elsewhere; '' for every other case."""
    if policy.reproduced != "required" or bundle.training is None or not bundle.training.elsewhere:
        return ""
    return (
        f"The policy {policy.name} requires a second run of the training (reproduced: required), and {bundle.model} was"
        " trained elsewhere, so nobody here can run it."
    )


def unreproduced(policy: Policy, bundle: Bundle, commit: str) -> str:
    """Why the second run at a commit does not support the candidate, as a sentence; '' where it does.

    It does with the same bytes. Where two runs of ours differ from each other, the pipeline is not deterministic: then
    it does with the same predictions, or with every metric of a rule of kind ``champion`` within that rule's margin.
    """
    found = bundle.reproduction
    if found is None or found.commit != commit:
        return f"{bundle.model} was not run a second time at the commit {commit[:12]}."
    if found.outcome == "pass":
        return ""
    if found.artifact_after != found.artifact_before and found.once_more in ("", found.artifact_after):
        return (
            f"The pipeline of {bundle.model} makes the artifact {found.artifact_after[:12]}, each time that it runs;"
            f" dvc.lock pins {found.artifact_before[:12]}."
        )
    if found.outcome == "inconclusive":
        return ""
    margins = _margins(policy, bundle)
    outside = [one for one in found.metrics if one.name in margins and not _within(one, margins[one.name])]
    if found.artifact_after == found.artifact_before:
        return f"The same bytes of {bundle.model} answer the probe rows in another way ({found.probe})."
    if not margins or found.largest_difference is None:
        return f"A second run of {bundle.model} gave other bytes, and nothing in the policy says how far apart may be."
    if not outside:
        return ""
    shown = ", ".join(f"{one.name} {one.before or 'unknown'} and then {one.after or 'unknown'}" for one in outside)
    return f"A second run of {bundle.model} gave other bytes and another result: {shown}."


def _margins(policy: Policy, bundle: Bundle) -> dict[str, float]:
    """Metric → the smallest margin of a rule that compares it with the champion, as a difference of values."""
    evaluation = bundle.evaluation
    found: dict[str, float] = {}
    for check in policy.checks:
        measured = evaluation.metric(check.metric) if evaluation and isinstance(check, ChampionCheck) else None
        if isinstance(check, ChampionCheck) and measured is not None and measured.candidate is not None:
            margin = check.margin * abs(measured.candidate) if check.relative else check.margin
            found[check.metric] = min(margin, found.get(check.metric, margin))
    return found


def _within(difference: Difference, margin: float) -> bool:
    try:
        return abs(float(difference.after) - float(difference.before)) <= margin
    except ValueError:
        return False  # a metric that only one of the runs has
