"""What every deployment needs next: main, the record and the target, side by side."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from modelyard.checkout.checkout import Checkout, version_of
from modelyard.deployment.desired_state import desired_version
from modelyard.deployment.record import Recorded, fetch_rollouts, read_rollouts
from modelyard.errors import ModelyardError, Refused
from modelyard.manifests.configuration import Environment
from modelyard.manifests.deployment import Deployment
from modelyard.manifests.names import Version, seconds_of
from modelyard.manifests.repository import deployment_file
from modelyard.registry.history import ModelHistory, RegisteredVersion
from modelyard.rollout.analysis import Finding, Samples, analyse, judge_step
from modelyard.rollout.plan import Action, Delivery, Desired, Live, described, plan, removal
from modelyard.rollout.progress import PASSED, Judgement, RolloutState, advance, increases_traffic, needs_entry
from modelyard.rollout.promotion import bake_reason, blocking_rollback, freeze_reason
from modelyard.secrets.interface import Secrets
from modelyard.targets.discovery import open_target
from modelyard.targets.interface import Target

if TYPE_CHECKING:
    from modelyard.ground_truth.labels import GroundTruth
    from modelyard.manifests.model import Model


_LOOK_BACK = 86_400
"""Seconds of the champion's traffic before a switch that stand in for what it no longer gets."""


@dataclass(frozen=True)
class Planned:
    """One model in one environment, and what is to be done there."""

    delivery: Delivery
    target: Target | None
    history: ModelHistory
    deployment: Deployment | None = None
    """None when main asks for nothing any more."""
    version: RegisteredVersion | None = None
    live: Live = field(default_factory=Live)
    recorded: Recorded = field(default_factory=Recorded)
    after: RolloutState | None = None
    actions: tuple[Action, ...] = ()
    findings: tuple[Finding, ...] = ()
    fault: ModelyardError | None = None
    """Why nothing can be done: a refusal, or a target that does not answer."""


class Planner:
    """Plans the deliveries of a repository. Observes each target once."""

    def __init__(
        self,
        checkout: Checkout,
        clock: Callable[[], float] = time.time,
        ground_truth: Callable[[Model, Environment], GroundTruth | None] = lambda model, environment: None,
    ) -> None:
        self.checkout, self.repository = checkout, checkout.repository
        self._clock, self._ground_truth = clock, ground_truth
        self._secrets = Secrets(os.environ)
        self._targets: dict[str, Target] = {}
        self._observed: dict[str, dict[str, Live]] = {}
        self._unreachable: set[str] = set()
        self._read_records()

    def plan(self, environments: set[str], models: set[str]) -> list[Planned]:
        """One plan per deployment of the chosen environments and models (all models when the set is empty)."""
        planned = []
        asked: set[tuple[str, str]] = set()
        for environment, deployment in self.repository.deployments():
            asked.add((environment, deployment.model))
            if environment in environments and (not models or deployment.model in models):
                planned.append(self._plan_or_fault(self.repository.environment(environment), deployment))
        for name in sorted(environments - self._unreachable):
            for model in sorted(self._live(self.repository.environment(name))):
                if (name, model) not in asked and (not models or model in models):
                    planned += self._plan_removal(self.repository.environment(name), model)
        return planned

    def _plan_or_fault(self, environment: Environment, deployment: Deployment) -> Planned:
        """A target that does not answer holds up nothing but its own deployments."""
        try:
            return self.plan_one(environment, deployment)
        except ModelyardError as error:
            self._unreachable.add(environment.name)
            said = f"failed: {error.problem}"
            delivery = Delivery(environment.name, deployment.model, deployment.version, None, (), skipped=said)
            return Planned(delivery, None, ModelHistory(deployment.model), deployment, fault=error)

    def replan(self, planned: Planned) -> Planned:
        """The same after somebody else was first."""
        self._read_records()
        self.checkout.reread(planned.delivery.model)
        environment = self.repository.environment(planned.delivery.environment)
        self._observed.pop(environment.name, None)
        if planned.deployment is None:
            return next(iter(self._plan_removal(environment, planned.delivery.model)), planned)
        return self.plan_one(environment, planned.deployment)

    def plan_one(self, environment: Environment, deployment: Deployment) -> Planned:
        """What one deployment needs next."""
        model = deployment.model
        target, live = self.target(environment), self._live(environment).get(model, Live())
        history = self.checkout.history(model)
        if deployment.version == "latest" and history.latest is None:
            skipped = Delivery(environment.name, model, "latest", live.serving, (), skipped="no version yet")
            return Planned(skipped, target, history, deployment)
        try:
            version = desired_version(history, deployment)
            return self._next(environment, deployment, target, live, history, version)
        except Refused as refusal:
            said = f"refused: {refusal.problem}"
            skipped = Delivery(environment.name, model, deployment.version, live.serving, (), skipped=said)
            return Planned(skipped, target, history, deployment, fault=refusal)

    def target(self, environment: Environment) -> Target:
        """The target of an environment, opened once."""
        if environment.name not in self._targets:
            self._targets[environment.name] = open_target(environment, self.checkout.root, self._secrets)
        return self._targets[environment.name]

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
                f"{deployment_file(name, model)} asks for {deployment.rollout.strategy}, which the target"
                f" {environment.target} cannot do.",
                f"It can: {', '.join(target.strategies)}.",
            )
        recorded = self._records.get((name, model), Recorded())
        wanted = Desired(version.version, version.record.artifact if version.record else "")
        findings, judgement = self._analysis(environment, deployment, target, recorded.state)
        blocked = _blocked(history, wanted, deployment, recorded.state)
        after = advance(wanted, deployment.rollout, recorded.state, live, judgement, now, blocked)
        forward = increases_traffic(recorded.state, live, after) and wanted.version != live.serving
        held = self._hold_reason(environment, history, wanted.version, live, now) if forward else ""
        if held and (recorded.state is None or recorded.state.phase != "progressing"):
            skipped = Delivery(name, model, wanted.version, live.serving, (), skipped=held)
            return Planned(skipped, target, history, deployment, version, live, recorded)
        if held and recorded.state:
            after = recorded.state
        keep = frozenset(v for v in (after.previous, after.stable) if v)
        artifacts = self._artifacts(history, after, live) | {wanted.version: wanted.artifact}
        actions = plan(after.traffic, artifacts, live, keep)
        delivery = Delivery(
            name, model, wanted.version, live.serving, described(actions), rollout=held or _sentence(after),
            progressing=after.phase == "progressing", rolled_back=after.phase == "rolled back",
        )  # fmt: skip
        return Planned(delivery, target, history, deployment, version, live, recorded, after, actions, findings)

    def _analysis(
        self, environment: Environment, deployment: Deployment, target: Target, state: RolloutState | None
    ) -> tuple[tuple[Finding, ...], Judgement]:
        if state is None or state.phase != "progressing":
            return (), PASSED
        model, analysis = deployment.model, deployment.rollout.analysis
        health = target.health(model, state.candidate)
        samples: Mapping[str, Samples] = {}
        unreadable: tuple[Finding, ...] = ()
        if analysis is not None:
            known = None
            try:
                known = self._ground_truth(self.repository.model(model), environment) if analysis.ground_truth else None
            except ModelyardError as error:  # another test may still say that the candidate has to go
                unreadable = (Finding("ground_truth", "inconclusive", error.problem),)
            samples = target.samples(model, state.started, analysis, known)
            if state.weight >= 100:
                before = target.samples(model, state.started - _LOOK_BACK, analysis, known)
                samples = {**samples, state.stable: before.get(state.stable, Samples())}
        champion, candidate = samples.get(state.stable, Samples()), samples.get(state.candidate, Samples())
        findings = (*unreadable, *analyse(analysis, champion, candidate, health.state, health.reason))
        return findings, judge_step(findings)

    def _hold_reason(self, environment: Environment, history: ModelHistory, version: str, live: Live, now: int) -> str:
        """Why nothing new may go there now; the way back to an older version that served there is always open."""
        served = {
            assignment.version for assignment in history.assignments if assignment.environment == environment.name
        }
        new, old = Version.parse(version), Version.parse(live.serving or "")
        if version in served and new and old and new < old:
            return ""
        today: date = datetime.fromtimestamp(now, UTC).date()
        if reason := freeze_reason(environment, today):
            return reason
        # promote always keeps the order; a reviewed change of the file may skip an environment if no stay is asked for.
        asks = seconds_of(environment.bake) > 0
        return bake_reason(history, self.repository.config.environments, environment.name, version, now) if asks else ""

    def _artifacts(self, history: ModelHistory, after: RolloutState, live: Live) -> dict[str, str]:
        found = dict(live.installed)
        for known in history.all_versions:
            if known.version in (after.stable, after.candidate) and known.record:
                found[known.version] = known.record.artifact
        for version in (after.stable, after.candidate):
            if version and version not in found:
                version_of(history, version)  # it says that there is none
        return found

    def _plan_removal(self, environment: Environment, model: str) -> list[Planned]:
        """Of a model that lies on a target of ours and that main no longer names."""
        live = self._live(environment).get(model, Live())
        history = self.checkout.history(model)
        if not any(assignment.environment == environment.name for assignment in history.assignments):
            return []  # somebody else's
        actions = removal(live)
        delivery = Delivery(environment.name, model, "nothing", live.serving, described(actions))
        recorded = self._records.get((environment.name, model), Recorded())
        return [Planned(delivery, self.target(environment), history, live=live, recorded=recorded, actions=actions)]

    def _live(self, environment: Environment) -> dict[str, Live]:
        if environment.name not in self._observed:
            self._observed[environment.name] = self.target(environment).observe()
        return self._observed[environment.name]


def _blocked(history: ModelHistory, wanted: Desired, deployment: Deployment, state: RolloutState | None) -> bool:
    if blocking_rollback(history, wanted.artifact, deployment.readmit):
        return True
    # The rollback is on record, and its receipt is not written yet.
    return bool(
        state
        and state.phase == "rolled back"
        and state.artifact == wanted.artifact
        and state.salt
        and not any(known.record and known.record.rollout == state.salt for known in history.rollbacks())
    )


def _sentence(state: RolloutState) -> str:
    if state.phase == "progressing":
        share = "a copy of all requests" if state.mirror and not state.weight else f"{state.weight:g} %"
        return f"{state.candidate} has {share}; {state.reason}"
    return f"{state.candidate} was rolled back: {state.reason}" if state.phase == "rolled back" else ""


def changed(planned: Planned) -> bool:
    """Whether there is anything to do or to write down."""
    assert planned.after is not None or planned.deployment is None  # noqa: S101
    if planned.after is None:
        return bool(planned.actions) or planned.history.assigned(planned.delivery.environment) is not None
    return bool(planned.actions) or needs_entry(planned.recorded.state, planned.after)
