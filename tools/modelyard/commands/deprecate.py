"""``modelyard deprecate``."""

from __future__ import annotations

import click

from modelyard.options import open_checkout, record_in_trackers, the_model
from modelyard.release.withdrawal import set_lifecycle, withdraw
from modelyard.terminal import result, say


@click.command()
@click.argument("name", metavar="MODEL[@VERSION]")
@click.option("--why", required=True, metavar="REASON", help="The reason; it is stored in the tag.")
@click.pass_context
def command(context: click.Context, name: str, why: str) -> None:
    """Take a version out of use, or mark a model as deprecated.

    A withdrawn version gets a tag in GTO's grammar. It is never deployed again, and its number is not reused. Without
    a version, model.yaml is changed to lifecycle: deprecated; propose that change in a pull request.
    """
    checkout = open_checkout(context)
    model, _, version = name.partition("@")
    view = the_model(checkout, model)
    if version:
        result(withdraw(view, version, why))
        record_in_trackers(checkout, [model])
        return
    file = set_lifecycle(view, "deprecated")
    result(file or f"{model} is already deprecated")
    if file:
        say(f"  Commit it and open a pull request with the reason: {why}")
