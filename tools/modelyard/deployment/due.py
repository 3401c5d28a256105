"""Environments in which a deployment has something to do, so that a forge asks no reviewer in vain.

The job that asks has no environment of the forge, so no secret and no role. It believes a target that it can observe.
Where it cannot, receipts and journals say what was done, and the desired state what is to be done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelyard.deployment.delivery import receipt_is_due
from modelyard.deployment.desired_state import desired_version
from modelyard.deployment.planning import Planned, Planner, has_work
from modelyard.errors import ModelyardError, UsageError
from modelyard.forges.ci import JOB_ENVIRONMENTS
from modelyard.manifests.configuration import Environment
from modelyard.manifests.deployment import Deployment
from modelyard.manifests.location import CONFIG
from modelyard.rollout.plan import Live, Traffic


@dataclass(frozen=True)
class Due:
    """An environment with work to do, and its first reason."""

    environment: str
    reason: str


def due_environments(planner: Planner, environments: Sequence[Environment]) -> list[Due]:
    """The environments with something to do, in the given order. Nothing is written.

    An open rollout is always due: only the job that may read the target can judge its step. UsageError for the name of
    an environment that other jobs have on the forge, because its role would be theirs.
    """
    if odd := next((known.name for known in environments if known.name.lower() in JOB_ENVIRONMENTS), ""):
        raise UsageError(
            f"{CONFIG}: the environment {odd} has the name of the forge's environment for other jobs.",
            f"Call it otherwise; {', '.join(JOB_ENVIRONMENTS)} are taken, so that nobody else gets its secrets.",
        )
    found = []
    for environment in environments:
        if reason := _reason(planner, environment):
            found.append(Due(environment.name, reason))
    return found


def _reason(planner: Planner, environment: Environment) -> str:
    """Why an environment is due; '' when it is not."""
    name = environment.name
    deployments = [found for where, found in planner.repository.deployments() if where == name]
    for deployment in deployments:
        state = planner.recorded(name, deployment.model).state
        if state and state.phase == "progressing":
            return f"the rollout of {deployment.model} {state.candidate} is open"
    try:
        planned = planner.plan({name}, set())
    except ModelyardError:
        return _by_records(planner, environment, deployments)
    if any(plan.target is None for plan in planned):
        return _by_records(planner, environment, deployments)
    return next((reason for plan in planned if (reason := _reason_of(plan))), "")


def _reason_of(planned: Planned) -> str:
    delivery = planned.delivery
    if planned.fault:
        return f"{delivery.model}: {delivery.skipped}"  # the job says it where it is seen: in the run and on the commit
    if delivery.skipped:
        return ""
    if delivery.rolled_back:
        return f"main names {delivery.model} {delivery.desired}, which was rolled back"
    if has_work(planned) or (planned.after and receipt_is_due(planned, planned.after)):
        return f"{delivery.model}: {delivery.live or 'nothing'} serves, and main wants {delivery.desired}"
    return ""


def _by_records(planner: Planner, environment: Environment, deployments: Sequence[Deployment]) -> str:
    """The same of an environment whose target cannot be observed from here."""
    name, declared = environment.name, {deployment.model for deployment in deployments}
    for deployment in deployments:
        history = planner.checkout.history(deployment.model)
        if deployment.version == "latest" and history.latest is None:
            continue
        try:
            wanted = desired_version(history, deployment).version
        except ModelyardError as refusal:
            return f"{deployment.model}: {refusal.problem}"
        assigned = history.assigned(name)
        before = assigned.version if assigned else ""
        live = Live(Traffic(before)) if before else Live()
        if before != wanted and not planner.hold_reason(environment, history, wanted, live):
            return f"{deployment.model}: {before or 'nothing'} has a receipt, and main wants {wanted}"
    for model, history in planner.checkout.registry.models.items():
        if model not in declared and history.assigned(name):
            return f"{model} is assigned, and main names it no more"
    return ""
