"""The analysis of a rollout's step: its samples, from the target or a metrics system, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from modelyard.errors import ModelyardError
from modelyard.manifests.configuration import Environment
from modelyard.manifests.deployment import Analysis, Deployment
from modelyard.manifests.repository import ModelRepository
from modelyard.rollout.analysis import Finding, Samples, analyse, judge_step
from modelyard.rollout.forecast import forecast
from modelyard.rollout.progress import PASSED, Judgement, RolloutState, steps_of
from modelyard.secrets.interface import Secrets
from modelyard.targets.interface import Target
from modelyard.targets.sample_sources import SampleSource, open_source

if TYPE_CHECKING:
    from modelyard.ground_truth.labels import GroundTruth
    from modelyard.manifests.model import Model

_LOOK_BACK = 86_400
"""Seconds before a switch whose champion traffic is compared, because the champion gets none after it."""


class StepAnalysis:
    """The analyses of a repository's rollouts. Each metrics system is opened once.

    ``ground_truth`` gives the known labels of a model in an environment.
    """

    def __init__(
        self,
        repository: ModelRepository,
        secrets: Secrets,
        ground_truth: Callable[[Model, Environment], GroundTruth | None],
    ) -> None:
        self._repository, self._secrets, self._ground_truth = repository, secrets, ground_truth
        self._sources: dict[str, SampleSource] = {}

    def judged(
        self, environment: Environment, deployment: Deployment, target: Target, state: RolloutState | None
    ) -> tuple[tuple[Finding, ...], Judgement]:
        """The findings of the step that a rollout is in, and its judgement; without a rollout, it passes."""
        if state is None or state.phase != "progressing":
            return (), PASSED
        model, analysis = deployment.model, deployment.rollout.analysis
        health = target.health(model, state.candidate)
        samples: Mapping[str, Samples] = {}
        unreadable: tuple[Finding, ...] = ()
        if analysis is not None:
            known = None
            try:
                if analysis.ground_truth:
                    known = self._ground_truth(self._repository.model(model), environment)
            except ModelyardError as error:  # another test may still fail the candidate
                unreadable = (Finding("ground_truth", "inconclusive", error.problem),)
            try:
                samples = self._samples(environment, target, model, state.started, analysis, known)
                if state.weight >= 100:
                    before = self._samples(environment, target, model, state.started - _LOOK_BACK, analysis, known)
                    samples = {**samples, state.stable: before.get(state.stable, Samples())}
            except ModelyardError as error:
                if environment.samples is None:  # the target itself: the delivery fails
                    raise
                unreadable = (*unreadable, Finding("samples", "inconclusive", error.problem))
        champion, candidate = samples.get(state.stable, Samples()), samples.get(state.candidate, Samples())
        side_by_side = state.weight < 100
        found = analyse(analysis, champion, candidate, health.state, health.reason, concurrent=side_by_side)
        findings = (*unreadable, *found)
        return findings, judge_step(findings)

    def expected(
        self, environment: Environment, deployment: Deployment, target: Target, begun: RolloutState, now: int
    ) -> str:
        """What the analysis of a rollout that begins will need, by the champion's traffic of the last day."""
        analysis = deployment.rollout.analysis
        if analysis is None:
            return ""
        try:
            known = self._ground_truth(self._repository.model(deployment.model), environment)
            since = now - _LOOK_BACK
            of_day = self._samples(environment, target, deployment.model, since, analysis, known)
        except ModelyardError:  # the analysis itself will say so
            return ""
        found = of_day.get(begun.stable, Samples())
        at = found.minutes.requests
        minutes = min(now / 60 - float(at.min()), _LOOK_BACK / 60) if at.size else 0.0
        said = forecast(analysis, steps_of(deployment.rollout), found, minutes)
        return f"; {said}" if said else ""

    def _samples(
        self,
        environment: Environment,
        target: Target,
        model: str,
        since: float,
        analysis: Analysis,
        known: GroundTruth | None,
    ) -> Mapping[str, Samples]:
        """The samples of each version, from the environment's metrics system if it names one, else from the target."""
        if environment.samples is None:
            return target.samples(model, since, analysis, known)
        if environment.name not in self._sources:
            self._sources[environment.name] = open_source(environment, self._secrets)
        return self._sources[environment.name].samples(model, since)
