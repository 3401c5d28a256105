"""``modelyard import``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from modelyard.documents import builtins
from modelyard.errors import UsageError
from modelyard.options import open_checkout, wish_options
from modelyard.terminal import progress, result, result_json, say

_SHOWN = 20
"""Sentences of what was left out."""


@click.group()
def command() -> None:
    """Take over the versions of another registry, with evidence of what is unknown."""


@command.command()
@click.option("--url", required=True, metavar="URL", help="The MLflow server, such as https://mlflow.example.org.")
@click.option("--token", default="", metavar="REFERENCE", help="A reference to its access token, such as env:NAME.")
@click.option("--model", "models", multiple=True, metavar="NAME", help="Only this model; may be repeated.")
@click.option(
    "--holdout",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With one --model: labelled rows that it was not trained on. Then its folder is written too.",
)
@click.option(
    "--version",
    "number",
    type=click.IntRange(1, 10**9),
    metavar="N",
    help="With --holdout: the version whose file is taken; default: the one in use, by its alias.",
)
@wish_options
@click.option("--json", "as_json", is_flag=True, help="Print what was imported as JSON.")
@click.pass_context
def mlflow(
    context: click.Context,
    url: str,
    token: str,
    models: tuple[str, ...],
    holdout: Path | None,
    number: int | None,
    task: str | None,
    label: str,
    positive: str,
    identifier: str,
    owners: tuple[str, ...],
    policy: str,
    as_json: bool,
) -> None:
    """Import versions, aliases and runs of an MLflow server.

    Each version becomes a tag with its parameters and metrics, and evidence that lists its files and what is unknown.
    No file is loaded. Imported versions are never deployed. Importing again adds only what is new.

    With --holdout, the file of the version in use is fetched, and models/NAME is written with it, as modelyard add
    --artifact does. A file that may run code, such as a pickle, is not taken.
    """
    from modelyard.report.terminal.setup import render_guess
    from modelyard.secrets.permission import open_secrets
    from modelyard.setup.contract_guess import Wishes
    from modelyard.setup.mlflow_import import import_mlflow
    from modelyard.setup.mlflow_model import take_model
    from modelyard.targets.mlflow_server import MLflowServer

    if holdout and len(models) != 1:
        raise UsageError("--holdout is the table of one model.", "Name that model: --model NAME")
    if not holdout and (number or task or label or positive or identifier or owners or policy):
        raise UsageError("Without --holdout no model folder is written.", "Give labelled rows: --holdout TABLE")
    checkout = open_checkout(context)
    secret = open_secrets(checkout.git).read_for(token, url) if token else ""
    server = MLflowServer(url, secret)
    done = import_mlflow(checkout, server, frozenset(models), progress())
    if not as_json:
        result(f"{done.versions} versions imported, {done.known} known before, {len(done.stages)} aliases")
        _say_left_out(done.left_out)
        if done.unsafe:
            say(f"  {done.unsafe} versions have files that may run code when they are loaded. No such file is fetched.")
    if not holdout:
        if as_json:
            result_json(done)
        elif done.versions:
            say("  Next, for a model of the server and labelled rows: add --model NAME --holdout TABLE")
        return
    wishes = Wishes(task or "", "", label, positive, identifier, "")
    taken = take_model(checkout.repository, server, models[0], number or 0, holdout, wishes, owners, policy, say)
    if as_json:
        result_json({**builtins(done), "folder": builtins(taken)})
    elif taken:
        result(render_guess(taken.guesses, taken.warnings, taken.written))
        say(f"  Next: git add --all, commit, then modelyard run {models[0]}")
    else:
        say(f"  models/{models[0]} exists, so no file was taken. Its next: modelyard add {models[0]} --artifact FILE")


@command.command()
@click.option("--model", "models", multiple=True, metavar="NAME", help="Only this model; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print what was imported as JSON.")
@click.pass_context
def gto(context: click.Context, models: tuple[str, ...], as_json: bool) -> None:
    """Import the tags of a repository that used GTO.

    Each tag is filed with evidence: the path of its artifact, DVC's hash, parameters and metrics at its commit, and
    what is unknown. No tag is made, moved or deleted. Imported versions are never deployed, and a stage is told but
    starts nothing. Importing again files only what is new.
    """
    from modelyard.setup.gto_import import import_gto

    done = import_gto(open_checkout(context), frozenset(models), progress())
    if as_json:
        result_json(done)
        return
    result(f"{len(done.versions)} versions and {len(done.others)} other tags imported, {done.known} known before")
    _say_left_out(done.left_out)
    if done.unmerged:
        say(f"  {len(done.unmerged)} of them name commits outside of the default branch.")


def _say_left_out(sentences: Sequence[str]) -> None:
    for sentence in sentences[:_SHOWN]:
        say(f"  Left out: {sentence}.")
    if len(sentences) > _SHOWN:
        say(f"  Left out: {len(sentences) - _SHOWN} more. Every one of them: --json")
