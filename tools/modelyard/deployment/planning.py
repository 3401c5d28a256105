"""Plans that reconcile each environment: desired state, journal and observed state give the next actions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from modelyard.checkout.artifacts import require_manifest
from modelyard.checkout.checkout import Checkout, version_of
from modelyard.deployment.desired_state import desired_version
from modelyard.deployment.record import JOURNALS, Recorded, fetch_rollouts, read_rollouts
from modelyard.deployment.step_analysis import StepAnalysis
from modelyard.errors import Blocked, ModelyardError, Refused
from modelyard.manifests.configuration import Environment
from modelyard.manifests.deployment import Deployment
from modelyard.manifests.names import Version, seconds_of
from modelyard.manifests.repository import deployment_file
from modelyard.registry.faults import RESTORE, deletion
from modelyard.registry.history import ModelHistory, RegisteredVersion
from modelyard.registry.tags import parse_tag
from modelyard.rollout.agreement import disagreement
from modelyard.rollout.analysis import Finding
from modelyard.rollout.plan import Action, Delivery, Desired, Live, described, plan, removal
from modelyard.rollout.progress import (
    RolloutState,
    advance,
    increases_traffic,
    needs_entry,
    steps_of,
)
from modelyard.rollout.promotion import bake_reason, blocking_rollback, freeze_reason
from modelyard.scoring.signature import require_host
from modelyard.secrets.permission import open_secrets
from modelyard.targets.discovery import open_target
from modelyard.targets.interface import Target

if TYPE_CHECKING:
    from modelyard.ground_truth.labels import GroundTruth
    from modelyard.manifests.model import Model


def stray_receipts(planned: Iterable[Planned]) -> tuple[str, ...]:
    """A sentence on each stage tag of planned places that nothing proves, with the command that settles it."""
    found = {}
    for one in planned:
        for tag in (*one.history.strays, *one.history.moved):
            parsed = parse_tag(tag)
            if parsed and parsed.environment == one.delivery.environment:
                settled = RESTORE if tag in one.history.moved else deletion(tag)
                found[tag] = f"{tag} does not equal a filed copy, so it is no receipt. {settled}"
    return tuple(found.values())


@dataclass(frozen=True)
class Planned:
    """The plan for one model in one environment."""

    delivery: Delivery
    target: Target | None
    history: ModelHistory
    deployment: Deployment | None = None
    """None when no deployment on main names the model."""
    version: RegisteredVersion | None = None
    live: Live = field(default_factory=Live)
    recorded: Recorded = field(default_factory=Recorded)
    after: RolloutState | None = None
    """The next state of the rollout; None when nothing can be done."""
    actions: tuple[Action, ...] = ()
    findings: tuple[Finding, ...] = ()
    fault: ModelyardError | None = None
    """Why nothing can be done: a refusal, or an unreachable target."""


class Planner:
    """Plans the deliveries of a repository. It observes each target once.

    ``clock`` gives seconds since 1970; ``ground_truth`` gives the known labels of a model in an environment.
    """

    def __init__(
        self,
        checkout: Checkout,
        clock: Callable[[], float] = time.time,
        ground_truth: Callable[[Model, Environment], GroundTruth | None] = lambda model, environment: None,
    ) -> None:
        self.checkout, self.repository = checkout, checkout.repository
        self._clock = clock
        checkout.require_tags()
        self._secrets = open_secrets(checkout.git)
        self._step = StepAnalysis(checkout.repository, self._secrets, ground_truth)
        self._targets: dict[str, Target] = {}
        self._observed: dict[str, dict[str, Live]] = {}
        self._unreachable: set[str] = set()
        self._read_records()

    def plan(self, environments: set[str], models: set[str]) -> list[Planned]:
        """One plan per deployment of the chosen environments and models (all models if ``models`` is empty)."""
        planned = []
        declared: set[tuple[str, str]] = set()
        for environment, deployment in self.repository.deployments():
            declared.add((environment, deployment.model))
            if environment in environments and (not models or deployment.model in models):
                planned.append(self._plan_or_fault(self.repository.environment(environment), deployment))
        for name in sorted(environments - self._unreachable):
            for model in sorted(self._live(self.repository.environment(name))):
                if (name, model) not in declared and (not models or model in models):
                    planned += self._plan_removal(self.repository.environment(name), model)
        return planned

    def _plan_or_fault(self, environment: Environment, deployment: Deployment) -> Planned:
        """The plan, or for an unreachable target a plan with its fault; other targets are not affected."""
        try:
            return self.plan_one(environment, deployment)
        except ModelyardError as error:
            self._unreachable.add(environment.name)
            delivery = Delivery(
                environment=environment.name, model=deployment.model, desired=deployment.version, live=None, actions=(),
                skipped=f"failed: {error.problem}",
            )  # fmt: skip
            return Planned(delivery, None, ModelHistory(deployment.model), deployment, fault=error)

    def replan(self, planned: Planned) -> Planned:
        """A new plan, after a concurrent run changed the journal."""
        self._read_records()
        self.checkout.reread(planned.delivery.model)
        environment = self.repository.environment(planned.delivery.environment)
        self._observed.pop(environment.name, None)
        if planned.deployment is None:
            return next(iter(self._plan_removal(environment, planned.delivery.model)), planned)
        return self.plan_one(environment, planned.deployment)

    def plan_one(self, environment: Environment, deployment: Deployment) -> Planned:
        """The plan of one deployment. ModelyardError when its target cannot be observed."""
        model = deployment.model
        target, live = self.target(environment), self._live(environment).get(model, Live())
        history = self.checkout.history(model)
        if deployment.version == "latest" and history.latest is None:
            return Planned(_skipped(environment, deployment, live, "no version yet"), target, history, deployment)
        try:
            version = desired_version(history, deployment)
            return self._next(environment, deployment, target, live, history, version)
        except Refused as refusal:
            skipped = _skipped(environment, deployment, live, f"refused: {refusal.problem}")
            return Planned(skipped, target, history, deployment, fault=refusal)

    def target(self, environment: Environment) -> Target:
        """The target of an environment, opened once."""
        if environment.name not in self._targets:
            self._targets[environment.name] = open_target(environment, self.checkout.root, self._secrets)
        return self._targets[environment.name]

    def recorded(self, environment: str, model: str) -> Recorded:
        """The newest entry of a rollout's journal."""
        return self._records.get((environment, model), Recorded())

    def _read_records(self) -> None:
        fetch_rollouts(self.checkout.git)
        self._records = read_rollouts(self.checkout.git)

    def _next(
        self, environment: Environment, deployment: Deployment, target: Target, live: Live, history: ModelHistory,
        version: RegisteredVersion,
    ) -> Planned:  # fmt: skip
        name, model, now = environment.name, deployment.model, int(self._clock())
        if deployment.rollout.strategy not in target.strategies:
            raise Refused(
                f"{deployment_file(name, model)} uses the strategy {deployment.rollout.strategy}, which the target"
                f" {environment.target} does not support.",
                f"Use one of: {', '.join(target.strategies)}.",
            )
        self._require_host(environment, model, version, live)
        recorded = self.recorded(name, model)
        wanted = Desired(version.version, version.record.artifact if version.record else "")
        _require_agreement(environment, deployment, recorded, live, history)
        findings, judgement = self._step.judged(environment, deployment, target, recorded.state)
        blocked = _blocked(history, wanted, deployment, recorded.state)
        after = advance(wanted, deployment.rollout, recorded.state, live, judgement, now, blocked)
        forward = increases_traffic(recorded.state, live, after) and wanted.version != live.serving
        held = self.hold_reason(environment, history, wanted.version, live) if forward else ""
        if held and (recorded.state is None or recorded.state.phase != "progressing"):
            skipped = replace(_skipped(environment, deployment, live, held), desired=wanted.version)
            return Planned(skipped, target, history, deployment, version, live, recorded)
        if held and recorded.state:
            after = recorded.state
        keep = frozenset(v for v in (after.previous, after.stable) if v)
        artifacts = self._artifacts(history, after, live) | {wanted.version: wanted.artifact}
        actions = plan(after.traffic, artifacts, live, keep)
        expected = self._step.expected(environment, deployment, target, after, now) if after.reason == "started" else ""
        delivery = Delivery(
            environment=name, model=model, desired=wanted.version, live=live.serving, actions=described(actions),
            rollout=held or _sentence(after) + expected, progressing=after.phase == "progressing",
            rolled_back=after.phase in ("rolled back", "expired"),
        )  # fmt: skip
        return Planned(
            delivery=delivery, target=target, history=history, deployment=deployment, version=version, live=live,
            recorded=recorded, after=after, actions=actions, findings=findings,
        )  # fmt: skip

    def hold_reason(self, environment: Environment, history: ModelHistory, version: str, live: Live) -> str:
        """Why nothing new may be deployed now, '' if it may; an older version that served there always may."""
        served = {
            assignment.version for assignment in history.assignments if assignment.environment == environment.name
        }
        new, old = Version.parse(version), Version.parse(live.serving or "")
        if version in served and new and old and new < old:
            return ""
        now = int(self._clock())
        today: date = datetime.fromtimestamp(now, UTC).date()
        if reason := freeze_reason(environment, today):
            return reason
        # promote always keeps the order. A reviewed change of the file may skip an environment without bake time.
        if seconds_of(environment.bake) == 0:
            return ""
        return bake_reason(history, self.repository.config.environments, environment.name, version, now)

    def _require_host(self, environment: Environment, model: str, version: RegisteredVersion, live: Live) -> None:
        """Raises Refused if the target does not serve the flavor of a version to install."""
        if version.version in live.installed:
            return
        manifest, _ = require_manifest(self.checkout.model(model), version)
        try:
            require_host(manifest, environment.target)
        except ModelyardError as error:
            raise Refused(error.problem, error.remedy) from error

    def _artifacts(self, history: ModelHistory, after: RolloutState, live: Live) -> dict[str, str]:
        found = dict(live.installed)
        for known in history.all_versions:
            if known.version in (after.stable, after.candidate) and known.record:
                found[known.version] = known.record.artifact
        for version in (after.stable, after.candidate):
            if version and version not in found:
                version_of(history, version)  # raises the error for an unknown version
        return found

    def _plan_removal(self, environment: Environment, model: str) -> list[Planned]:
        """The plan that removes a model which no deployment names; empty for a model that was never deployed here."""
        live = self._live(environment).get(model, Live())
        history = self.checkout.history(model)
        if not any(assignment.environment == environment.name for assignment in history.assignments):
            return []  # not deployed by this repository
        actions = removal(live)
        delivery = Delivery(
            environment=environment.name, model=model, desired="nothing", live=live.serving, actions=described(actions)
        )
        recorded = self.recorded(environment.name, model)
        return [Planned(delivery, self.target(environment), history, live=live, recorded=recorded, actions=actions)]

    def _live(self, environment: Environment) -> dict[str, Live]:
        if environment.name not in self._observed:
            self._observed[environment.name] = self.target(environment).observe()
        return self._observed[environment.name]


def _require_agreement(
    environment: Environment, deployment: Deployment, recorded: Recorded, live: Live, history: ModelHistory
) -> None:
    """Refused when the journal cannot be true: somebody pushed an entry, or the target was changed by hand."""
    assigned = history.assigned(environment.name)
    receipts = {known.record.rollout for known in history.rollbacks() if known.record}
    fault = disagreement(
        recorded.state, live, assigned.version if assigned else "", receipts, steps_of(deployment.rollout)
    )
    if fault:
        ref = f"{JOURNALS}{environment.name}/{deployment.model}"
        raise Blocked(
            f"The rollout journal of {deployment.model} in {environment.name} does not agree with what runs: {fault}.",
            f"Nothing was moved. Find out who wrote its last entry (git log {ref}). To go on without it, delete the"
            f" ref: git push origin :{ref}",
        )


def _blocked(history: ModelHistory, wanted: Desired, deployment: Deployment, state: RolloutState | None) -> bool:
    if blocking_rollback(history, wanted.artifact, deployment.readmit):
        return True
    # The journal records the rollback, and its receipt is not written yet.
    return bool(
        state
        and state.phase == "rolled back"
        and state.artifact == wanted.artifact
        and state.salt
        and not any(known.record and known.record.rollout == state.salt for known in history.rollbacks())
    )


def _skipped(environment: Environment, deployment: Deployment, live: Live, reason: str) -> Delivery:
    return Delivery(
        environment=environment.name, model=deployment.model, desired=deployment.version, live=live.serving, actions=(),
        skipped=reason,
    )  # fmt: skip


def _sentence(state: RolloutState) -> str:
    if state.phase == "progressing":
        share = "a copy of all requests" if state.mirror and not state.weight else f"{state.weight:g} %"
        return f"{state.candidate} has {share}; {state.reason}"
    if state.phase == "expired":
        return f"{state.candidate} has no traffic any more and is not blocked: {state.reason}"
    return f"{state.candidate} was rolled back: {state.reason}" if state.phase == "rolled back" else ""


def has_work(planned: Planned) -> bool:
    """Whether a plan has actions, or a journal entry or receipt to write."""
    assert planned.after is not None or planned.deployment is None  # noqa: S101
    if planned.after is None:
        return bool(planned.actions) or planned.history.assigned(planned.delivery.environment) is not None
    return bool(planned.actions) or needs_entry(planned.recorded.state, planned.after)
