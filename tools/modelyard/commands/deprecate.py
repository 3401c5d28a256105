"""``modelyard deprecate``."""

from __future__ import annotations

import click

from modelyard.options import open_checkout, the_model
from modelyard.release.withdrawal import set_lifecycle, withdraw
from modelyard.terminal import result, say


@click.command()
@click.argument("name", metavar="MODEL[@VERSION]")
@click.option("--why", required=True, help="The reason, which the tag keeps.")
@click.pass_context
def command(context: click.Context, name: str, why: str) -> None:
    """Take a version out of use, or mark a model as deprecated.

    A version gets a tag in GTO's grammar and is never deployed again; its number is never used again. Without a
    version, model.yaml says lifecycle: deprecated, to be proposed as any change.
    """
    checkout = open_checkout(context)
    model, _, version = name.partition("@")
    view = the_model(checkout, model)
    if version:
        result(withdraw(view, version, why))
        return
    file = set_lifecycle(view, "deprecated")
    result(file or f"{model} is deprecated already")
    if file:
        say(f"  Commit it and open a pull request, with the reason: {why}")
