"""Which change moves a version to the next environment, when it may go there."""

from __future__ import annotations

from datetime import datetime

from modelyard.delivery.desired import desired_version
from modelyard.errors import Refused, UsageError
from modelyard.git import Git
from modelyard.manifests.deployment import Deployment
from modelyard.manifests.repository import ModelRepository
from modelyard.proposal.champion import model_history
from modelyard.registry.history import ModelHistory
from modelyard.registry.tags import model_patterns
from modelyard.review.pulls import Proposed, clearing_change, deployment_change
from modelyard.rollout.promotion import blocking, frozen, not_baked


def promotion(
    repository: ModelRepository,
    git: Git,
    model: str,
    environment: str,
    version: str | None,
    clear: float | None,
    who: str,
    why: str,
    now: datetime,
) -> Proposed:
    """The change of a deployment file that promotes a version, or opens its manual gates; Refused when it may not."""
    where = repository.environment(environment)
    if remote := git.remote():
        git.fetch_tags(remote, *model_patterns(model))
    history = model_history(git, model)
    deployment = repository.deployment(environment, model)
    readmit = deployment.readmit if deployment else []
    if clear is not None:
        if deployment is None:
            raise UsageError(f"{model} is not deployed in {environment}.", "Promote a version there first.")
        wanted = desired_version(history, deployment)
        base = git.commit_of("HEAD")
        return clearing_change(git, base, model, environment, str(wanted.version), clear, who, why)
    number = version or _served_before(repository, history, environment)
    known = desired_version(history, Deployment(model=model, version=number, readmit=readmit))
    rollback = blocking(history, known.record.artifact if known.record else "", readmit)
    if rollback is not None:
        raise Refused(
            f"The bytes of {number} were rolled back in {rollback.environment}:"
            f" {rollback.record.why if rollback.record else rollback.tag}.",
            f"Promote another version; to forgive that, list {rollback.tag} under readmit in the deployment's file.",
        )
    refusal = frozen(where, now.date()) or not_baked(
        history, repository.config.environments, environment, number, int(now.timestamp())
    )
    if refusal:
        raise Refused(f"{refusal}.", "Ask again later; modelyard.yaml says when.")
    return deployment_change(git, git.commit_of("HEAD"), model, environment, number, who, why, "promote")


def _served_before(repository: ModelRepository, history: ModelHistory, environment: str) -> str:
    names = [known.name for known in repository.config.environments]
    index = names.index(environment)
    if index == 0:
        if history.latest is None:
            raise UsageError(f"{history.model} has no version yet.", f"Run: modelyard register {history.model}")
        return str(history.latest.version)
    assigned = history.assigned(names[index - 1])
    if assigned is None:
        raise UsageError(f"{names[index - 1]} serves no version of {history.model}.", "Say which: --version v1.2.0")
    return assigned.version
