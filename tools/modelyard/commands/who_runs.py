"""``modelyard who-runs``."""

from __future__ import annotations

import click

from modelyard.catalog.queries import parse_time, running_at
from modelyard.git import Git
from modelyard.manifests.location import find_root
from modelyard.report.terminal.history import render_running
from modelyard.terminal import result, result_json


@click.command()
@click.argument("model", required=False)
@click.option("--env", "environment", metavar="ENV", help="Only this environment.")
@click.option(
    "--at", metavar="TIME", help="A time such as 2026-05-03T14:00, in UTC unless it has a time zone; default: now."
)
@click.option("--json", "as_json", is_flag=True, help="Print the periods as JSON; times are seconds since 1970.")
@click.pass_context
def command(context: click.Context, model: str | None, environment: str | None, at: str | None, as_json: bool) -> None:
    """Show which version ran where at a given time.

    It reads the deployment history, that is, the receipts of deploy. modelyard status observes the targets.
    """
    found = running_at(Git(find_root(context.obj)), model, environment, parse_time(at) if at else None)
    if as_json:
        result_json(found)
    else:
        result(render_running(found, at or "this moment"))
