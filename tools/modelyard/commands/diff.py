"""``modelyard diff``."""

from __future__ import annotations

import click

from modelyard.catalog.versions import compare
from modelyard.options import open_checkout, the_model
from modelyard.report.terminal.registry import render_version_difference
from modelyard.terminal import result, result_json


@click.command()
@click.argument("before")
@click.argument("after")
@click.option("--model", metavar="MODEL", help="The model of the versions; required with several models.")
@click.option("--json", "as_json", is_flag=True, help="Print the difference as JSON.")
@click.pass_context
def command(context: click.Context, before: str, after: str, model: str | None, as_json: bool) -> None:
    """Compare two versions: metrics, parameters, data, features, code.

    BEFORE and AFTER are versions such as v1.2.0 and v1.3.0. With several models, BEFORE is churn@v1.2.0, or
    give --model.
    """
    checkout = open_checkout(context)
    if "@" in before:
        model, before = before.rsplit("@", 1)
    found = compare(the_model(checkout, model, registered=True), before, after.rsplit("@", 1)[-1])
    if as_json:
        result_json(found)
    else:
        result(render_version_difference(found))
