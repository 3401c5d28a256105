"""``modelyard add``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.errors import UsageError
from modelyard.options import open_repository, wish_options
from modelyard.terminal import result, result_json, say

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("name")
@click.option("--data", type=_FILE, help="The table to learn from: CSV or Parquet, one row for each case.")
@click.option("--artifact", type=_FILE, help="Instead of --data: the file of a model that was trained elsewhere.")
@click.option("--holdout", type=_FILE, help="With --artifact: labelled rows that the model was not trained on.")
@click.option(
    "--flavor",
    type=click.Choice(["lightgbm", "xgboost", "catboost", "sklearn", "onnx"]),
    help="The library of the model. The default is lightgbm; with --artifact, what the file is.",
)
@click.option("--time", default="", metavar="COLUMN", help="Hold out the rows that are newest by this column.")
@click.option("--trusted", multiple=True, metavar="TYPE", help="sklearn: a type of --artifact that may be loaded.")
@wish_options
@click.option("--json", "as_json", is_flag=True, help="Print what was guessed and written as JSON.")
@click.pass_context
def command(
    context: click.Context,
    name: str,
    data: Path | None,
    artifact: Path | None,
    holdout: Path | None,
    task: str | None,
    flavor: str | None,
    label: str,
    positive: str,
    identifier: str,
    time: str,
    trusted: tuple[str, ...],
    owners: tuple[str, ...],
    policy: str,
    as_json: bool,
) -> None:
    """Write a model folder for a table of your own, or for a model that was trained elsewhere.

    Guesses the contract and shows each guess with its reason. With --data, writes models/NAME with a small DVC
    pipeline; with --artifact and --holdout, with these two files, which DVC keeps. Writes the first deployment and the
    owners too. Nothing is committed. For a NAME that was trained elsewhere, --artifact gives the next version.
    """
    from modelyard.report.terminal.setup import render_guess
    from modelyard.setup.artifact_addition import add_artifact, replace_files
    from modelyard.setup.contract_guess import Wishes
    from modelyard.setup.model_addition import add_model

    repository = open_repository(context)
    wishes = Wishes(task or "", flavor or "", label, positive, identifier, time)
    exists = name in repository.model_names()
    if bool(data) == bool(artifact or holdout):
        raise UsageError(
            "Give either a table to learn from or a model that exists.",
            "Give --data TABLE, or --artifact FILE with --holdout TABLE.",
        )
    following = f"modelyard run {name}"
    if data:
        added = add_model(repository, name, data, wishes, owners, policy)
    elif exists:
        added = replace_files(repository, name, artifact, holdout, wishes)
        following += f" or modelyard propose {name}"
    elif artifact and holdout:
        added = add_artifact(repository, name, artifact, holdout, wishes, owners, policy, trusted)
    else:
        raise UsageError("A model that was trained elsewhere needs both files.", "Give --artifact and --holdout.")
    written = sorted(added.change.writes)
    if as_json:
        result_json({"model": name, "guesses": added.reasons, "warnings": added.warnings, "written": written})
        return
    result(render_guess(added.reasons, added.warnings, written))
    say(f"  Next: git add --all, commit, then {following}")
