"""Reconciles environments with the deployments on main, and writes stage tags as receipts.

When a candidate gains traffic, the journal is written before traffic moves; when it loses traffic, afterwards. So a
killed run never leaves more traffic on a candidate than the journal allows, and the next run continues.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

from msgspec.structs import replace

from modelyard.checkout.artifacts import fetch_version
from modelyard.checkout.checkout import ModelView, version_of
from modelyard.checkout.guard import require_unmoved
from modelyard.checkout.trust import require_trusted
from modelyard.deployment.desired_state import require_waivers
from modelyard.deployment.planning import Planned, Planner, has_work
from modelyard.deployment.probe import move_traffic
from modelyard.deployment.record import require_approved, write_receipt, write_rollout, write_unassignment
from modelyard.deployment.rollback import propose_rollback
from modelyard.errors import ModelyardError, Refused
from modelyard.evidence.approval import ApprovalRecord
from modelyard.forges.interface import Change, Forge
from modelyard.git import RefRejected
from modelyard.manifests.repository import deployment_file
from modelyard.registry.history import RegisteredVersion
from modelyard.registry.tags import StageRecord, version_tag
from modelyard.rollout.plan import Delivery
from modelyard.rollout.progress import RolloutState, increases_traffic, needs_entry, reduces_traffic

_ATTEMPTS = 5


class Deployer:
    """Carries out plans on the targets of one repository. ``say`` gets progress messages."""

    def __init__(self, planner: Planner, forge: Forge, say: Callable[[str], None]) -> None:
        self._planner, self._forge, self._say = planner, forge, say
        self._checkout = planner.checkout

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
        self._checkout.evidence.file_tags(*dict.fromkeys(delivery.model for delivery in done))
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
        assigned = planned.history.assigned(delivery.environment)
        due = assigned is None or assigned.version != after.serving or _lacks_rollback_receipt(planned, after)
        change: Change | None = None
        approvals: tuple[ApprovalRecord, ...] = ()
        back = reduces_traffic(planned.live, after)
        if increases_traffic(before, planned.live, after) or (planned.actions and due and not back):
            change, approvals = self._authorise(planned, planned.version)
        if back:
            probes = self._apply(planned)
            self._record(planned, after)
        else:
            self._record(planned, after)
            probes = self._apply(planned)
        tag = None
        if due and after.serving:
            tag = self._receipt(planned, after, change or self._change(planned, planned.version), approvals)
        else:
            self._file_missing_approvals(planned, planned.version)
        delivery = replace(delivery, live=after.serving or delivery.live, tag=tag, probes=probes)
        if planned.target is not None and delivery.live:
            health = planned.target.health(delivery.model, delivery.live)
            if health.state in ("down", "failed"):
                delivery = replace(delivery, fault=health.reason or health.state)
        if after.phase == "rolled back" and planned.deployment and planned.deployment.version != "latest":
            pull = propose_rollback(self._model(planned), self._forge, delivery.environment, after, self._say)
            delivery = replace(delivery, pull=pull)
        return delivery

    def _remove(self, planned: Planned) -> Delivery:
        """Removes a model from its target when no deployment on main names it."""
        delivery = planned.delivery
        if not has_work(planned):
            return delivery
        change = self._forge.last_change(deployment_file(delivery.environment, delivery.model))
        require_approved(self._model(planned), self._forge, delivery.environment, (change,))
        self._apply(planned)
        why = change.subject if change else "no deployment on main names it"
        tag = write_unassignment(self._model(planned), delivery.environment, why, change.author if change else "")
        return replace(delivery, live=None, tag=tag)

    def _authorise(
        self, planned: Planned, version: RegisteredVersion
    ) -> tuple[Change | None, tuple[ApprovalRecord, ...]]:
        """The change behind a deployment and all approvals.

        Refused unless version and deployment are approved, the tag was not moved, and waivers are still valid.
        """
        view, delivery = self._model(planned), planned.delivery
        require_waivers(view, version, datetime.now(UTC).date())
        brought, change = self._forge.change_of(version.commit), self._change(planned, version)
        changes = dict.fromkeys((brought, change))
        approvals = require_approved(view, self._forge, delivery.environment, changes)
        require_unmoved(view, version_tag(view.name, version.version))
        return change, approvals

    def _change(self, planned: Planned, version: RegisteredVersion) -> Change | None:
        """The change that requested a version; for ``latest``, the change that became the version."""
        delivery = planned.delivery
        if planned.deployment and planned.deployment.version == "latest":
            return self._forge.change_of(version.commit)
        return self._forge.last_change(deployment_file(delivery.environment, delivery.model))

    def _apply(self, planned: Planned) -> tuple[str, ...]:
        """The results of the probe rows of versions that gained traffic, after carrying out the actions."""
        delivery, target, view = planned.delivery, planned.target, self._model(planned)
        probes: tuple[str, ...] = ()
        with ExitStack() as stack:
            for action in planned.actions:
                package = None
                if action.do == "install":
                    version = version_of(planned.history, action.version)
                    found = stack.enter_context(fetch_version(view, version))
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
        if after.phase == "rolled back":
            stage = replace(
                stage, why=f"rolled back {after.candidate}: {after.reason}", by="modelyard", approved_by=(), pull=0,
                replaced=after.candidate, blocked=after.artifact, rollout=after.salt,
            )  # fmt: skip
        tag = write_receipt(self._model(planned), delivery.environment, stage)
        if tag:
            self._file_approvals(planned, version, tag, approvals)
        return tag

    def _file_missing_approvals(self, planned: Planned, wanted: RegisteredVersion) -> None:
        """Files the approvals of the newest receipt, if the run that wrote it was killed before filing them."""
        assigned = planned.history.assigned(planned.delivery.environment)
        if assigned is None or self._checkout.evidence.has_approvals(planned.delivery.model, assigned.tag):
            return
        version = version_of(planned.history, assigned.version)
        if assigned.record and assigned.record.blocked:
            self._file_approvals(planned, version, assigned.tag, ())
        elif version == wanted:
            self._file_approvals(planned, version, assigned.tag, self._authorise(planned, version)[1])

    def _file_approvals(
        self, planned: Planned, version: RegisteredVersion, tag: str, approvals: tuple[ApprovalRecord, ...]
    ) -> None:
        model, artifact = planned.delivery.model, version.record.artifact if version.record else ""
        # Those of the registration too, in case that run was killed before filing them.
        own = [approval for approval in approvals if approval.commit == version.commit]
        number = version_tag(model, version.version)
        self._checkout.evidence.file_approvals(model, artifact, {tag: approvals} | ({number: own} if own else {}))

    def _model(self, planned: Planned) -> ModelView:
        return self._checkout.model(planned.delivery.model)


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
    if after.phase == "rolled back":
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
