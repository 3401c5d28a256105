"""``modelyard scan``."""

from __future__ import annotations

import click

from modelyard.candidate.steps import CandidateRun
from modelyard.options import open_checkout
from modelyard.report.terminal.proposal import render_scan
from modelyard.terminal import result, result_json, say


@click.command()
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print the scan as JSON.")
@click.pass_context
def command(context: click.Context, model: str, as_json: bool) -> None:
    """Scan the artifact: format by content, size, speed."""
    checkout = open_checkout(context)
    found = CandidateRun(checkout.model(model), say).scan()
    if as_json:
        result_json(found)
    else:
        result(render_scan(model, found))
