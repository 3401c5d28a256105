"""``modelyard update``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.manifests.location import find_root
from modelyard.setup.template import update_requirements
from modelyard.terminal import result, result_json, say


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the changed files as JSON.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Write the requirement files of CI anew.

    They are for this version of modelyard, and for the models, remotes, forge and targets of this repository. Commit
    them on a branch, and open a pull request.
    """
    folder: Path = context.obj
    changed = update_requirements(find_root(folder))
    if as_json:
        result_json({"changed": changed})
        return
    for path in changed:
        result(path)
    say(f"{len(changed)} files are changed. Next: commit them." if changed else "Everything is up to date.")
