"""``modelyard update``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.manifests.location import find_root
from modelyard.setup.template import CI_SYSTEMS, add_ci, update_requirements
from modelyard.terminal import result, result_json, say


@click.command()
@click.option("--ci", type=click.Choice(CI_SYSTEMS), help="Add the workflows of this CI system where they are absent.")
@click.option("--json", "as_json", is_flag=True, help="Print the changed files as JSON.")
@click.pass_context
def command(context: click.Context, ci: str | None, as_json: bool) -> None:
    """Write the requirement files of CI anew.

    They are for this version of modelyard, and for the models, remotes, forge and targets of this repository. Commit
    them on a branch, and open a pull request.
    """
    folder: Path = context.obj
    root = find_root(folder)
    changed = add_ci(root, ci) if ci else []
    changed += update_requirements(root)
    if as_json:
        result_json({"changed": changed})
        return
    for path in changed:
        result(path)
    if ci:
        say("Next: modelyard doctor --ci, which says what the CI still lacks.")
    say(f"{len(changed)} files are changed. Next: commit them." if changed else "Everything is up to date.")
