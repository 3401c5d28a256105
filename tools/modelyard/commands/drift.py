"""``modelyard drift``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.commands.opening import open_checkout
from modelyard.proposal.measuring import Measuring
from modelyard.report.terminal import render_drift
from modelyard.terminal import result, result_json, say


@click.command()
@click.argument("model")
@click.option(
    "--current",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Measure this Parquet or CSV file instead of the candidate's held-out rows.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the drift as JSON.")
@click.pass_context
def command(context: click.Context, model: str, current: Path | None, as_json: bool) -> None:
    """Measure this data against the champion's profile.

    The profile is the one committed with the champion; a first version is compared with its own training rows.
    """
    repository, git = open_checkout(context)
    drift = Measuring(repository, git, model, say).drift(current)
    if as_json:
        result_json(drift)
    else:
        result(render_drift(drift))
