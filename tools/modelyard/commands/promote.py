"""``modelyard promote``."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import click

from modelyard.deployment.promotion import PromotionRequest, promotion
from modelyard.deployment.rollback import propose_change
from modelyard.forges.discovery import open_forge
from modelyard.options import open_checkout, the_model
from modelyard.terminal import result, say


@click.command()
@click.argument("model")
@click.option("--to", "environment", required=True, help="The environment it is to go to.")
@click.option("--version", help="By default what the environment before serves.")
@click.option("--clear", type=click.FloatRange(0, 100), help="Open the manual gates of its rollout up to this percent.")
@click.option("--why", default="", help="For the pull request.")
@click.pass_context
def command(
    context: click.Context, model: str, environment: str, version: str | None, clear: float | None, why: str
) -> None:
    """Open the pull request that moves a version to an environment.

    Refused while it has not served long enough in the environment before, while the environment is frozen, and for
    bytes that were rolled back. Merging it deploys.
    """
    checkout = open_checkout(context)
    repository, git = checkout.repository, checkout.git
    view = the_model(checkout, model)
    who = os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN") or git.author_name()
    order = PromotionRequest(environment=environment, version=version, clear=clear, who=who, why=why)
    change = promotion(view, order, datetime.now(UTC))
    forge = open_forge(repository, git)
    number = propose_change(checkout, forge, git.commit_of("HEAD"), change, say)
    result(f"pull request {number}" if number else change.branch)
