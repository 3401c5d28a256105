"""``modelyard add``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.options import open_repository
from modelyard.terminal import result, result_json, say


@click.command()
@click.argument("name")
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The table to learn from: CSV or Parquet, one row for each case.",
)
@click.option("--task", type=click.Choice(["binary", "multiclass", "regression"]), help="Default: what the label says.")
@click.option(
    "--flavor",
    type=click.Choice(["lightgbm", "xgboost", "catboost", "sklearn"]),
    help="The library of the model. The default is lightgbm.",
)
@click.option("--label", default="", metavar="COLUMN", help="The column to be predicted.")
@click.option("--positive", default="", metavar="VALUE", help="binary: the value of the label that counts as 1.")
@click.option("--id", "identifier", default="", metavar="COLUMN", help="The column that identifies a row.")
@click.option("--time", default="", metavar="COLUMN", help="Hold out the rows that are newest by this column.")
@click.option("--owner", "owners", multiple=True, metavar="HANDLE", help="Who owns the model.")
@click.option("--policy", default="", metavar="NAME", help="The policy that judges it.")
@click.option("--json", "as_json", is_flag=True, help="Print what was guessed and written as JSON.")
@click.pass_context
def command(
    context: click.Context,
    name: str,
    data: Path,
    task: str | None,
    flavor: str | None,
    label: str,
    positive: str,
    identifier: str,
    time: str,
    owners: tuple[str, ...],
    policy: str,
    as_json: bool,
) -> None:
    """Write a model folder for a table of your own.

    Guesses the contract from the table and shows each guess with its reason. Writes models/NAME with a small DVC
    pipeline, its first deployment and its owners. Nothing is committed.
    """
    from modelyard.report.terminal.setup import render_guess
    from modelyard.setup.contract_guess import Wishes
    from modelyard.setup.model_addition import add_model

    repository = open_repository(context)
    wishes = Wishes(task or "", flavor or "", label, positive, identifier, time)
    added = add_model(repository, name, data, wishes, owners, policy)
    written = sorted(added.change.writes)
    if as_json:
        result_json({"model": name, "guesses": added.reasons, "warnings": added.warnings, "written": written})
        return
    result(render_guess(added.reasons, added.warnings, written))
    say(f"  Next: git add --all, commit, then modelyard run {name}")
