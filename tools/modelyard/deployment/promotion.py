"""Promotion of a version by pull request, and the preview of what merging a pull request deploys."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from modelyard.checkout.checkout import Checkout, ModelView
from modelyard.deployment.desired_state import desired_version
from modelyard.deployment.planning import Planner
from modelyard.errors import ModelyardError, Refused, UsageError
from modelyard.forges.ci import CI
from modelyard.forges.interface import PullForge, is_marked
from modelyard.git import Git
from modelyard.manifests.conversion import parse
from modelyard.manifests.deployment import Deployment
from modelyard.manifests.names import Version, is_name
from modelyard.manifests.repository import ModelRepository
from modelyard.registry.history import ModelHistory
from modelyard.report.markdown.bodies import plan_part
from modelyard.report.markdown.safe import text
from modelyard.report.markdown.summary import REPORT, plan_in, with_plan
from modelyard.review.pull_requests import Proposed, VersionChange, clearing_change, deployment_change
from modelyard.review.sticky import StickyComment, stick, without_watermark
from modelyard.review.subject import fetch_head
from modelyard.rollout.plan import Delivery
from modelyard.rollout.promotion import bake_reason, blocking_rollback, freeze_reason


@dataclass(frozen=True)
class PromotionRequest:
    """A requested promotion.

    ``version`` None means the version of the previous environment. With ``clear``, manual gates are opened up to that
    percentage instead.
    """

    environment: str
    version: str | None
    clear: float | None
    who: str
    why: str


def promotion(view: ModelView, request: PromotionRequest, now: datetime) -> Proposed:
    """The change of a deployment file that promotes a version or opens its manual gates. Refused if not allowed."""
    repository, git, model, environment = view.checkout.repository, view.checkout.git, view.name, request.environment
    where = repository.environment(environment)
    history = view.checkout.reread(model, fetch=True)
    deployment = repository.deployment(environment, model)
    readmit = deployment.readmit if deployment else []
    base = git.commit_of("HEAD")
    if request.clear is not None:
        if deployment is None:
            raise UsageError(f"{model} is not deployed in {environment}.", "Promote a version there first.")
        wanted = desired_version(history, deployment)
        change = VersionChange(model, environment, wanted.version, who=request.who, why=request.why, verb="clear")
        return clearing_change(git, base, change, request.clear)
    number = request.version or _previous_version(repository, history, environment)
    known = desired_version(history, Deployment(model=model, version=number, readmit=readmit))
    rollback = blocking_rollback(history, known.record.artifact if known.record else "", readmit)
    if rollback is not None:
        raise Refused(
            f"The artifact of {number} was rolled back in {rollback.environment}:"
            f" {rollback.record.why if rollback.record else rollback.tag}.",
            f"Promote another version, or list {rollback.tag} under readmit in the deployment file.",
        )
    refusal = freeze_reason(where, now.date()) or bake_reason(
        history, repository.config.environments, environment, number, int(now.timestamp())
    )
    if refusal:
        raise Refused(f"{refusal}.", "Promote it later; see freezes and bake in modelyard.yaml.")
    change = VersionChange(model, environment, number, who=request.who, why=request.why, verb="promote")
    return deployment_change(git, base, change)


def preview(checkout: Checkout, forge: PullForge, number: int, environments: set[str], now: datetime) -> str:
    """Says in our comment on a pull request what merging it deploys; returns a sentence on what was posted."""
    git = checkout.git
    pull = forge.pull(number)
    fetch_head(git, pull)
    base = git.commit_of("HEAD")
    touched = [path for path in git.changed_files(base, pull.head) if _place(path)[0]]
    posted = next((c.body for c in forge.comments(number) if c.ours and is_marked(c.body, REPORT)), REPORT)
    if not touched and not plan_in(posted):
        return f"Pull request {number} changes no deployment."
    planner = Planner(checkout, clock=now.timestamp)
    deliveries = []
    for path in touched:
        environment, model = _place(path)
        if environment not in environments:
            continue
        deliveries.append(_planned(planner, git, pull.head, path, environment, model))
    body = with_plan(without_watermark(posted), plan_part(deliveries))
    stick(forge, CI(), checkout.root, StickyComment(number, REPORT, body), by_cml=False, say=lambda sentence: None)
    return f"Posted the plan of {len(deliveries)} deployment(s) on pull request {number}."


def _previous_version(repository: ModelRepository, history: ModelHistory, environment: str) -> Version:
    names = [known.name for known in repository.config.environments]
    index = names.index(environment)
    if index == 0:
        if history.latest is None:
            raise UsageError(f"{history.model} has no version yet.", f"Run: modelyard register {history.model}")
        return history.latest.version
    assigned = history.assigned(names[index - 1])
    if assigned is None:
        raise UsageError(f"{names[index - 1]} serves no version of {history.model}.", "Name one: --version v1.2.0")
    return assigned.version


def _planned(planner: Planner, git: Git, head: str, path: str, environment: str, model: str) -> Delivery:
    content = git.file_at(head, path)
    try:
        if content is None:
            remove = (f"remove {model} from {environment}",)
            return Delivery(environment=environment, model=model, desired="nothing", live=None, actions=remove)
        deployment = parse(Deployment, content, path)
        return planner.plan_one(planner.repository.environment(environment), deployment).delivery
    except ModelyardError as error:
        failed = f"failed: {text(error.problem)}"
        return Delivery(environment=environment, model=model, desired="?", live=None, actions=(), skipped=failed)


def _place(path: str) -> tuple[str, str]:
    """(environment, model) of the path of a deployment file; ('', '') for any other path."""
    parts = path.split("/")
    if len(parts) == 3 and parts[0] == "deployments" and parts[2].endswith(".yaml"):
        environment, model = parts[1], parts[2].removesuffix(".yaml")
        if is_name(environment) and is_name(model):
            return environment, model
    return "", ""
