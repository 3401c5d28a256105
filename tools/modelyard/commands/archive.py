"""``modelyard archive``."""

from __future__ import annotations

import click

from modelyard.options import open_checkout
from modelyard.release.withdrawal import archive, set_lifecycle
from modelyard.terminal import result, say


@click.command()
@click.argument("model")
@click.option("--why", required=True, help="The reason, which the tag keeps.")
@click.pass_context
def command(context: click.Context, model: str, why: str) -> None:
    """Take a whole model out of use, keeping all it left.

    Refused while a deployment asks for it. Versions, evidence and data stay; gc keeps them too.
    """
    repository, git = open_checkout(context)
    repository.model_folder(model)
    for tag in archive(repository, git, model, why):
        result(tag)
    if file := set_lifecycle(repository, model, "archived"):
        say(f"  {file} says lifecycle: archived now; commit it.")
