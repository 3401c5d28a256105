"""``modelyard deploy``."""

from __future__ import annotations

import click

from modelyard.commands.opening import open_checkout
from modelyard.delivery.deployment import deliver_all, plan_deliveries
from modelyard.dvc import Dvc
from modelyard.errors import Refused
from modelyard.forges.opening import open_forge
from modelyard.report.deployments import render_deliveries
from modelyard.terminal import result, result_json, say


@click.command()
@click.option("--env", "environments", multiple=True, help="Only this environment (may be given again).")
@click.option("--model", "models", multiple=True, help="Only this model (may be given again).")
@click.option("--plan", "plan_only", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the deliveries as JSON.")
@click.pass_context
def command(
    context: click.Context, environments: tuple[str, ...], models: tuple[str, ...], plan_only: bool, as_json: bool
) -> None:
    """Make what runs equal what main says.

    Reads deployments/, observes the targets, and does what is missing. Running it again changes nothing.
    """
    repository, git = open_checkout(context)
    chosen = {repository.environment(name).name for name in environments}
    chosen = chosen or {environment.name for environment in repository.config.environments}
    for name in models:
        repository.model_folder(name)
    planned = plan_deliveries(repository, git, chosen, set(models))
    refusals: list[Refused] = []
    if plan_only:
        deliveries = [delivery for delivery, _, _ in planned]
    else:
        deliveries, refusals = deliver_all(
            repository, git, Dvc(repository.root), open_forge(repository, git), planned, say
        )
    if as_json:
        result_json(deliveries)
    else:
        result(render_deliveries(deliveries, plan_only))
    if refusals:
        raise refusals[0]
