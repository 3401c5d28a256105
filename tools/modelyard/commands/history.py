"""``modelyard history``."""

from __future__ import annotations

import click

from modelyard.catalog.queries import told
from modelyard.git import Git
from modelyard.manifests.location import find_root
from modelyard.registry.tags import model_patterns
from modelyard.report.terminal.history import render_history
from modelyard.terminal import result, result_json


@click.command()
@click.argument("model")
@click.option("--env", "environment", metavar="ENV", help="Only events of this environment.")
@click.option("--json", "as_json", is_flag=True, help="Print the events as JSON, oldest first.")
@click.pass_context
def command(context: click.Context, model: str, environment: str | None, as_json: bool) -> None:
    """List every event of a model, newest first.

    Registrations, assignments and withdrawals: when, by whom, why, and with which approvals.
    """
    git = Git(find_root(context.obj))
    every = told(git, model, git.tags(*model_patterns(model)))
    found = tuple(event for event in every if environment in (None, event.environment))
    if as_json:
        result_json(found)
    else:
        result(render_history(model, found))
