"""Reconciles environments with the deployments on main, and writes stage tags as receipts.

When a candidate gains traffic, the journal is written before traffic moves; when it loses traffic, afterwards. So a
killed run never leaves more traffic on a candidate than the journal allows, and the next run continues.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

from msgspec.structs import replace

from modelyard.checkout.artifacts import fetch_version
from modelyard.checkout.checkout import ModelView, version_of
from modelyard.checkout.trust import require_stored, require_trusted
from modelyard.deployment.door import Door, report_facts
from modelyard.deployment.incidents import report_blocked
from modelyard.deployment.planning import Planned, Planner, has_work
from modelyard.deployment.probe import move_traffic
from modelyard.deployment.record import write_receipt, write_rollout, write_unassignment
from modelyard.deployment.rollback import propose_rollback
from modelyard.errors import Blocked, ModelyardError, Refused
from modelyard.evidence.approval import ApprovalRecord
from modelyard.forges.interface import Change, Forge
from modelyard.git import RefRejected
from modelyard.manifests.repository import deployment_file
from modelyard.registry.history import RegisteredVersion
from modelyard.registry.tags import StageRecord
from modelyard.rollout.plan import Delivery
from modelyard.rollout.progress import RolloutState, increases_traffic, needs_entry, reduces_traffic

_ATTEMPTS = 5


class Deployer:
    """Carries out plans on the targets of one repository. ``say`` gets progress messages."""

    def __init__(self, planner: Planner, forge: Forge, say: Callable[[str], None]) -> None:
        self._planner, self._forge, self._say = planner, forge, say
        self._checkout = planner.checkout
        self._door = Door(planner.checkout, forge, say)

    def deliver_all(self, planned: Sequence[Planned]) -> tuple[list[Delivery], list[ModelyardError]]:
        """Carries out all plans; returns deliveries and errors. An error stops only its own deployment."""
        done: list[Delivery] = []
        faults: list[ModelyardError] = []
        for plan in planned:
            try:
                delivery = self.deliver(plan)
                if plan.fault:
                    faults.append(plan.fault)
                if delivery.rolled_back:
                    faults.append(_rollback_error(delivery))
                done.append(delivery)
            except Refused as refusal:
                faults.append(refusal)
                done.append(replace(plan.delivery, actions=(), skipped=f"refused: {refusal.problem}"))
            except ModelyardError as error:
                faults.append(error)
                done.append(replace(plan.delivery, skipped=f"failed: {error.problem}"))
        for model in dict.fromkeys(delivery.model for delivery in done):
            report_facts(self._checkout.model(model), self._forge)
        for fault in faults:
            if isinstance(fault, Blocked):
                report_blocked(self._checkout, self._forge, fault)
        return done, faults

    def deliver(self, planned: Planned) -> Delivery:
        """Carries out one plan and writes its receipt. A killed run that is repeated ends in the same state."""
        for _ in range(_ATTEMPTS):
            if planned.delivery.skipped:
                return planned.delivery
            try:
                delivery = self._remove(planned) if planned.deployment is None else self._advance(planned)
                if not _ended_another_rollout(planned):
                    return delivery
            except RefRejected:
                pass
            planned = self._planner.replan(planned)
        raise ModelyardError(
            f"{_ATTEMPTS} concurrent runs changed {planned.delivery.model} in {planned.delivery.environment}.",
            "Run modelyard deploy again.",
        )

    def _advance(self, planned: Planned) -> Delivery:
        delivery, after, before = planned.delivery, planned.after, planned.recorded.state
        if after is None or planned.version is None:
            return delivery
        due, back = receipt_is_due(planned, after), reduces_traffic(planned.live, after)
        approvals: tuple[ApprovalRecord, ...] = ()
        if planned.actions or needs_entry(before, after) or due:
            approvals = _pass(self._door, self._model(planned), planned, after, planned.version)
        if back:  # traffic waits for no remote
            probes = self._apply(planned, stored=False)
            self._record(planned, after)
        else:
            self._record(planned, after)
            probes = self._apply(planned)
        tag = None
        if due and after.serving:
            tag = self._receipt(planned, after, self._change(planned), approvals)
        delivery = replace(delivery, live=after.serving or delivery.live, tag=tag, probes=probes)
        if planned.target is not None and delivery.live:
            health = planned.target.health(delivery.model, delivery.live)
            if health.state in ("down", "failed"):
                delivery = replace(delivery, fault=health.reason or health.state)
        taken_back = after.phase in ("rolled back", "expired")
        if taken_back and planned.deployment and planned.deployment.version != "latest":
            pull = propose_rollback(self._model(planned), self._forge, delivery.environment, after, self._say)
            delivery = replace(delivery, pull=pull)
        return delivery

    def _remove(self, planned: Planned) -> Delivery:
        """Removes a model from its target when no deployment on main names it."""
        delivery = planned.delivery
        if not has_work(planned):
            return delivery
        self._door.admit_removal(self._model(planned), delivery.environment)
        change = self._change(planned)
        self._apply(planned)
        why = change.subject if change else "no deployment on main names it"
        tag = write_unassignment(self._model(planned), delivery.environment, why, change.author if change else "")
        return replace(delivery, live=None, tag=tag)

    def _change(self, planned: Planned) -> Change | None:
        """The change that requested what runs; for ``latest``, the change that became the version."""
        if planned.version and planned.deployment and planned.deployment.version == "latest":
            commit = planned.version.commit
        else:
            commit = self._door.last_change(self._model(planned), planned.delivery.environment)
        return self._forge.change_of(commit, self._door.mainline.line.parent(commit)) if commit else None

    def _apply(self, planned: Planned, *, stored: bool = True) -> tuple[str, ...]:
        """The results of the probe rows of versions that gained traffic, after carrying out the actions.

        ``stored``: whether an artifact must be on the DVC remote to be installed.
        """
        delivery, target, view = planned.delivery, planned.target, self._model(planned)
        probes: tuple[str, ...] = ()
        with ExitStack() as stack:
            for action in planned.actions:
                package = None
                if action.do == "install":
                    version = version_of(planned.history, action.version)
                    found = stack.enter_context(fetch_version(view, version))
                    if stored:
                        require_stored(self._checkout, found)
                    require_trusted(self._checkout, found)
                    package = found.package
                self._say(f"{delivery.environment}: {delivery.model}: {action}")
                if target is not None and action.do == "route":
                    probes += move_traffic(view, target, action, planned.live)
                elif target is not None:
                    target.apply(delivery.model, action, package)
        return probes

    def _record(self, planned: Planned, after: RolloutState) -> None:
        if needs_entry(planned.recorded.state, after):
            headline = _headline(planned, after)
            write_rollout(self._model(planned), planned.delivery.environment, planned.recorded, after, headline)

    def _receipt(
        self, planned: Planned, after: RolloutState, change: Change | None, approvals: tuple[ApprovalRecord, ...]
    ) -> str | None:
        delivery, version = planned.delivery, version_of(planned.history, after.serving)
        assigned = planned.history.assigned(delivery.environment)
        artifact = version.record.artifact if version.record else ""
        follows = planned.deployment is not None and planned.deployment.version == "latest"
        stage = StageRecord(
            version=after.serving,
            artifact=artifact,
            why=("follows latest: " if follows else "") + (change.subject if change else ""),
            by=change.author if change else "",
            approved_by=tuple(dict.fromkeys(name for approval in approvals for name in approval.by)),
            pull=(change.pull or 0) if change else 0,
            commit=self._checkout.git.commit_of("HEAD"),
            replaced=assigned.version if assigned else "",
        )
        if after.phase in ("rolled back", "expired"):
            failed = after.phase == "rolled back"
            verb = "rolled back" if failed else "took traffic back from"
            stage = replace(
                stage, why=f"{verb} {after.candidate}: {after.reason}", by="modelyard", approved_by=(), pull=0,
                replaced=after.candidate, blocked=after.artifact if failed else "", rollout=after.salt,
            )  # fmt: skip
        return write_receipt(self._model(planned), delivery.environment, stage, approvals)

    def _model(self, planned: Planned) -> ModelView:
        return self._checkout.model(planned.delivery.model)


def admitted(planner: Planner, planned: Sequence[Planned], forge: Forge | None) -> list[Planned]:
    """Plans, and what the door would say to them now. Nothing is written."""
    door = Door(planner.checkout, forge, reports=False)
    found = []
    for plan in planned:
        after, version = plan.after, plan.version
        try:
            if after and version and plan.actions and not plan.delivery.skipped:
                _pass(door, planner.checkout.model(plan.delivery.model), plan, after, version)
            found.append(plan)
        except Refused as refusal:
            told = replace(plan.delivery, rollout=f"would be refused now: {refusal.problem}")
            found.append(dataclasses.replace(plan, delivery=told))
    return found


def _pass(
    door: Door, view: ModelView, planned: Planned, after: RolloutState, wanted: RegisteredVersion
) -> tuple[ApprovalRecord, ...]:
    """Asks the door for every version that will have traffic; returns the approvals of the desired one."""
    environment, forward = planned.delivery.environment, _goes_forward(planned, after)
    approvals: tuple[ApprovalRecord, ...] = ()
    if forward:
        approvals = door.admit_forward(view, environment, wanted, datetime.now(UTC).date())
    for number in dict.fromkeys((after.stable, after.candidate if after.phase == "progressing" else "")):
        if number and not (forward and number == wanted.version):
            door.admit_back(view, environment, view.version(number))
    return approvals


def _goes_forward(planned: Planned, after: RolloutState) -> bool:
    """Whether a version gets traffic that no receipt shows it to have had; else traffic goes back or is repaired."""
    if reduces_traffic(planned.live, after):
        return False
    if receipt_is_due(planned, after) or (planned.actions and after.phase == "progressing"):
        return True
    return increases_traffic(planned.recorded.state, planned.live, after)


def receipt_is_due(planned: Planned, after: RolloutState) -> bool:
    """Whether what serves in a state has no receipt yet, or a rollback has none."""
    assigned = planned.history.assigned(planned.delivery.environment)
    return assigned is None or assigned.version != after.serving or _lacks_rollback_receipt(planned, after)


def _lacks_rollback_receipt(planned: Planned, after: RolloutState) -> bool:
    """Whether a rollback has no receipt yet; the receipt is what blocks its artifact."""
    known = {rollback.record.rollout for rollback in planned.history.rollbacks() if rollback.record}
    return after.phase == "rolled back" and bool(after.salt) and after.salt not in known


def _ended_another_rollout(planned: Planned) -> bool:
    """Whether this delivery only ended the rollout of another candidate, so that its own can begin."""
    after = planned.after
    return after is not None and after.phase == "done" and after.stable != planned.delivery.desired


def _headline(planned: Planned, after: RolloutState) -> str:
    if after.phase == "progressing":
        share = "a copy of all requests" if after.mirror and not after.weight else f"{after.weight:g} %"
        return f"{share} to {after.candidate} ({after.reason})"
    if after.phase in ("rolled back", "expired"):
        return f"all traffic back to {after.stable or 'nothing'}: {after.reason}"
    return f"all traffic to {after.stable}" + (f" ({after.reason})" if after.reason else "")


def _rollback_error(delivery: Delivery) -> Refused:
    return Refused(
        f"{delivery.model} in {delivery.environment} was rolled back: desired {delivery.desired},"
        f" live {delivery.live or 'nothing'}; {delivery.rollout}.",
        f"Merge pull request {delivery.pull}."
        if delivery.pull
        else f"Set version {delivery.live} in {deployment_file(delivery.environment, delivery.model)}.",
    )
