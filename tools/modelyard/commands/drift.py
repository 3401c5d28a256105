"""``modelyard drift``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.commands.opening import open_checkout
from modelyard.evidence.statement import write_statement
from modelyard.proposal.candidate import Candidate
from modelyard.proposal.champion import champion_of, model_history
from modelyard.proposal.drifting import drift_of
from modelyard.report.terminal import render_drift
from modelyard.tables import read_table
from modelyard.terminal import result, result_json
from modelyard.workspace import Workspace


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
    candidate = Candidate.of(repository, model)
    champion = champion_of(repository, model_history(git, model))
    table = read_table(current) if current else candidate.holdout()
    drift = drift_of(candidate, git, champion, table)
    if current is None:
        content = write_statement("drift", model, candidate.sha256(), drift)
        Workspace(repository.root, model).write_evidence("drift", content)
    if as_json:
        result_json(drift)
    else:
        result(render_drift(drift))
