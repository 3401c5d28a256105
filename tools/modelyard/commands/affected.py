"""``modelyard affected``."""

from __future__ import annotations

import click

from modelyard.git import Git
from modelyard.manifests.location import find_root
from modelyard.proposal.affected import affected_models
from modelyard.terminal import result, result_json, say


@click.command()
@click.option("--base", default="origin/main", show_default=True, help="Where the change starts.")
@click.option("--head", default="HEAD", show_default=True, help="Where it ends.")
@click.option("--json", "as_json", is_flag=True, help='A workflow matrix: {"include": [{"model": …}]}.')
@click.pass_context
def command(context: click.Context, base: str, head: str, as_json: bool) -> None:
    """List the models that a change touches."""
    git = Git(find_root(context.obj))
    git.require_work_tree()
    found = affected_models(git, base, head)
    if as_json:
        result_json({"include": [{"model": entry.model, "reasons": entry.reasons} for entry in found]})
        return
    for entry in found:
        result(entry.model)
        say("  " + "\n  ".join(entry.reasons))
    if not found:
        say(f"No model is touched between {base} and {head}.")
