"""``modelyard search``."""

from __future__ import annotations

import click

from modelyard.catalog.queries import find
from modelyard.options import open_checkout
from modelyard.registry.search import parse_terms, requested_metrics
from modelyard.report.terminal.registry import render_found
from modelyard.terminal import result, result_json


@click.command()
@click.argument("terms", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print the versions as JSON.")
@click.pass_context
def command(context: click.Context, terms: tuple[str, ...], as_json: bool) -> None:
    """Find versions by owner, metric, data, parameter or word.

    All conditions must hold, such as owner=@team live=production "auc>=0.7" data=data/flights
    params.train.trees=300 lifecycle=active, or any word of a description.
    """
    checkout = open_checkout(context)
    conditions = parse_terms(terms)
    found = find(checkout, conditions)
    if as_json:
        result_json(found)
    else:
        result(render_found(found, requested_metrics(conditions)))
