"""``modelyard evaluate``."""

from __future__ import annotations

import click

from modelyard.candidate.steps import CandidateRun
from modelyard.options import open_checkout, verbosity
from modelyard.report.terminal.proposal import render_evaluation
from modelyard.terminal import result, result_json, say


@click.command()
@click.argument("model")
@click.option(
    "--champion",
    metavar="VERSION",
    help="Compare with this version. Default: the one that the last environment serves.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the evaluation as JSON.")
@verbosity
@click.pass_context
def command(context: click.Context, model: str, champion: str | None, as_json: bool) -> None:
    """Evaluate the candidate against the champion.

    Both score the candidate's held-out rows; every difference has a 95 % interval.
    """
    checkout = open_checkout(context)
    evaluation = CandidateRun(checkout.model(model), say).evaluate(champion)
    if as_json:
        result_json(evaluation)
    else:
        result(render_evaluation(model, evaluation))
