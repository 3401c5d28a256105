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
@click.option("--to", "environment", required=True, metavar="ENV", help="The environment to promote to.")
@click.option(
    "--version",
    metavar="VERSION",
    help="The version to promote; default: the one that the previous environment serves.",
)
@click.option("--clear", type=click.FloatRange(0, 100), help="Open manual gates of its rollout up to this percentage.")
@click.option("--why", default="", metavar="REASON", help="The reason, for the pull request.")
@click.pass_context
def command(
    context: click.Context, model: str, environment: str, version: str | None, clear: float | None, why: str
) -> None:
    """Open the pull request that moves a version to an environment.

    Refused before the end of the bake time in the previous environment, in a freeze window, and for an artifact that
    was rolled back. Merging the pull request deploys.
    """
    checkout = open_checkout(context)
    repository, git = checkout.repository, checkout.git
    view = the_model(checkout, model)
    who = os.environ.get("GITHUB_ACTOR") or os.environ.get("GITLAB_USER_LOGIN") or git.author_name()
    request = PromotionRequest(environment=environment, version=version, clear=clear, who=who, why=why)
    change = promotion(view, request, datetime.now(UTC))
    forge = open_forge(repository, git)
    number = propose_change(checkout, forge, git.commit_of("HEAD"), change, say)
    result(f"pull request {number}" if number else change.branch)
