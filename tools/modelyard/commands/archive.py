"""``modelyard archive``."""

from __future__ import annotations

import click

from modelyard.options import open_checkout, record_in_trackers, the_model
from modelyard.release.withdrawal import archive, set_lifecycle
from modelyard.terminal import result, say


@click.command()
@click.argument("model")
@click.option("--why", required=True, metavar="REASON", help="The reason; it is stored in the tag.")
@click.pass_context
def command(context: click.Context, model: str, why: str) -> None:
    """Take a whole model out of use and keep its records.

    Refused while a deployment names the model. Versions, evidence and data are kept, also by gc.
    """
    checkout = open_checkout(context)
    view = the_model(checkout, model)
    for tag in archive(view, why):
        result(tag)
    record_in_trackers(checkout, [view.name])
    if file := set_lifecycle(view, "archived"):
        say(f"  Set lifecycle: archived in {file}. Commit it.")
