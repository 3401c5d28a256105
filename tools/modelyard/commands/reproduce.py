"""``modelyard reproduce``."""

from __future__ import annotations

import click

from modelyard.candidate.reproduction import file_reproduction, reproduce, reproduce_candidate
from modelyard.options import open_checkout, the_model, verbosity
from modelyard.report.terminal.registry import render_reproduction
from modelyard.terminal import finish, result, result_json, say


@click.command()
@click.argument("name", metavar="MODEL[@VERSION]")
@click.option("--file", "file_it", is_flag=True, help="File the result with the version's evidence.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@verbosity
@click.pass_context
def command(context: click.Context, name: str, file_it: bool, as_json: bool) -> None:
    """Build a version again from its commit and data, and compare.

    Without a version: the candidate of HEAD, after its evaluation; register reads the result.
    It uses a temporary worktree, so this checkout is unchanged. Exit status: 0 for the same bytes, 3 for other bytes
    with the same predictions, 1 for other predictions.
    """
    checkout = open_checkout(context)
    model, _, version = name.partition("@")
    view = the_model(checkout, model)
    found = reproduce(view, version, say) if version else reproduce_candidate(view, say)
    if file_it:
        file_reproduction(checkout.evidence, found)
    if as_json:
        result_json(found)
    else:
        result(render_reproduction(found))
    finish(found.outcome)
