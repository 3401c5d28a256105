"""``modelyard remove``."""

from __future__ import annotations

import click

from modelyard.options import open_checkout
from modelyard.terminal import result, result_json, say


@click.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Also when it is live, or when files of it are in no commit.")
@click.option("--json", "as_json", is_flag=True, help="Print what was removed and what stays as JSON.")
@click.pass_context
def command(context: click.Context, name: str, force: bool, as_json: bool) -> None:
    """Take a model out of the repository.

    Removes its folder, deployments and waivers, and its lines in CODEOWNERS and in the root's dvc.yaml. Its tags and
    evidence stay. Nothing is committed.
    """
    from modelyard.report.terminal.setup import render_removal
    from modelyard.setup.model_removal import remove_model

    checkout = open_checkout(context)
    done = remove_model(checkout, name, force)
    if as_json:
        result_json(done)
        return
    result(render_removal(done.removed, done.changed, done.stays))
    say("  Next: modelyard validate, then commit the change.")
