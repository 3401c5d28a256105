"""Says on a pull request what merging it will do to the environments. Its files are read as data, by their schema."""

from __future__ import annotations

from datetime import datetime

from modelyard.delivery.planning import Planner
from modelyard.errors import ModelyardError
from modelyard.forges.interface import PullForge
from modelyard.git import Git
from modelyard.manifests.conversion import parse
from modelyard.manifests.deployment import Deployment
from modelyard.manifests.names import is_name
from modelyard.manifests.repository import ModelRepository
from modelyard.report.markdown.bodies import plan_comment
from modelyard.report.markdown.safe import text
from modelyard.review.subject import fetch_head
from modelyard.rollout.plan import Delivery

MARKER = "<!-- modelyard:plan -->"


def preview(
    repository: ModelRepository, git: Git, forge: PullForge, number: int, environments: set[str], now: datetime
) -> str:
    """Comments the plan of a pull request that changes deployments; what was done, in a sentence."""
    pull = forge.pull(number)
    fetch_head(git, pull)
    base = git.commit_of("HEAD")
    touched = [path for path in git.changed_files(base, pull.head) if _place(path)[0]]
    there = any(comment.ours and MARKER in comment.body for comment in forge.comments(number))
    if not touched and not there:
        return f"Pull request {number} changes no deployment."
    planner = Planner(repository, git, clock=now.timestamp)
    deliveries = []
    for path in touched:
        environment, model = _place(path)
        if environment not in environments:
            continue
        deliveries.append(_planned(planner, git, pull.head, path, environment, model))
    forge.write_comment(number, plan_comment(deliveries, MARKER), MARKER)
    return f"Pull request {number}: the plan of {len(deliveries)} deployment(s) is in its comments."


def _planned(planner: Planner, git: Git, head: str, path: str, environment: str, model: str) -> Delivery:
    content = git.file_at(head, path)
    try:
        if content is None:
            return Delivery(environment, model, "nothing", None, (f"take {model} off {environment}",))
        deployment = parse(Deployment, content, path)
        return planner.plan_one(planner.repository.environment(environment), deployment).delivery
    except ModelyardError as error:
        return Delivery(environment, model, "?", None, (), skipped=f"failed: {text(error.problem)}")


def _place(path: str) -> tuple[str, str]:
    """(environment, model) of a deployment's path; ('', '') of any other."""
    parts = path.split("/")
    if len(parts) == 3 and parts[0] == "deployments" and parts[2].endswith(".yaml"):
        environment, model = parts[1], parts[2].removesuffix(".yaml")
        if is_name(environment) and is_name(model):
            return environment, model
    return "", ""
