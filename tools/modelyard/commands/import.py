"""``modelyard import``."""

from __future__ import annotations

import click

from modelyard.options import open_checkout
from modelyard.terminal import progress, result, result_json, say


@click.group()
def command() -> None:
    """Take over the versions of another registry, with evidence of what is unknown."""


@command.command()
@click.option("--url", required=True, metavar="URL", help="The MLflow server, such as https://mlflow.example.org.")
@click.option("--token", default="", metavar="REFERENCE", help="A reference to its access token, such as env:NAME.")
@click.option("--model", "models", multiple=True, metavar="NAME", help="Only this model; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print what was imported as JSON.")
@click.pass_context
def mlflow(context: click.Context, url: str, token: str, models: tuple[str, ...], as_json: bool) -> None:
    """Import versions, aliases and runs of an MLflow server.

    Each version becomes a tag with its parameters and metrics, and evidence that lists its files and what is unknown.
    No artifact is fetched and no file is loaded. Imported versions are never deployed. Importing again adds only what
    is new.
    """
    from modelyard.secrets.permission import open_secrets
    from modelyard.setup.mlflow_import import import_mlflow
    from modelyard.targets.mlflow_server import MLflowServer

    checkout = open_checkout(context)
    secret = open_secrets(checkout.git).read_for(token, url) if token else ""
    done = import_mlflow(checkout, MLflowServer(url, secret), frozenset(models), progress())
    if as_json:
        result_json(done)
        return
    result(f"{done.versions} versions imported, {done.known} known before, {len(done.stages)} aliases")
    for sentence in done.left_out:
        say(f"  Left out: {sentence}.")
    if done.unsafe:
        say(f"  {done.unsafe} versions have files that may run code when they are loaded. None was fetched or loaded.")
    if done.versions:
        say("  Next, for a model's file and labelled rows: modelyard add NAME --artifact FILE --holdout TABLE")


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
    for sentence in done.left_out:
        say(f"  Left out: {sentence}.")
    if done.unmerged:
        say(f"  {len(done.unmerged)} of them name commits outside of the default branch.")
