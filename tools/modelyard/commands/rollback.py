"""``modelyard rollback``."""

from __future__ import annotations

import click

from modelyard.deployment.rollback import RollbackRequest, roll_back
from modelyard.forges.discovery import open_forge
from modelyard.options import open_checkout, record_in_trackers, the_model
from modelyard.report.terminal.deployments import render_deliveries
from modelyard.secrets.permission import open_secrets
from modelyard.targets.discovery import open_target
from modelyard.terminal import result, result_json, say


@click.command()
@click.argument("model")
@click.option("--env", "environment", required=True, metavar="ENV", help="The environment to roll back.")
@click.option("--to", metavar="VERSION", help="The version to roll back to; default: the one that served before.")
@click.option(
    "--why",
    default="by hand",
    show_default=True,
    metavar="REASON",
    help="The reason, for the receipt and the pull request.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def command(context: click.Context, model: str, environment: str, to: str | None, why: str, as_json: bool) -> None:
    """Roll back at once and open the pull request that records it.

    During a rollout the candidate is rolled back, otherwise the version that serves. Traffic moves first. Then a
    receipt blocks the artifact in every environment, and a pull request records the rollback on main.
    """
    checkout = open_checkout(context)
    repository, git = checkout.repository, checkout.git
    view = the_model(checkout, model)
    where = repository.environment(environment)
    target = open_target(where, repository.root, open_secrets(checkout.git))
    request = RollbackRequest(to=to, why=why, by=git.author_name())
    done = roll_back(view, where, target, lambda: open_forge(repository, git), request, say)
    record_in_trackers(checkout, [model])
    if as_json:
        result_json(done)
    else:
        result(render_deliveries([done], plan_only=False))
