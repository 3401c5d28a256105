"""``modelyard update``."""

from __future__ import annotations

import click

from modelyard.options import open_checkout
from modelyard.setup.template import CI_SYSTEMS, add_ci, update_requirements
from modelyard.setup.template_update import plan_update, propose_update
from modelyard.setup.tree_change import carry_out
from modelyard.terminal import result, result_json, say


@click.command()
@click.option("--here", is_flag=True, help="Write a newer template into this checkout; open no pull request.")
@click.option("--toolkit", default="", metavar="SOURCE", help="Where CI installs the newer toolkit: git+URL@COMMIT.")
@click.option("--ci", type=click.Choice(CI_SYSTEMS), help="Add the workflows of this CI system where they are absent.")
@click.option("--json", "as_json", is_flag=True, help="Print the changed files as JSON.")
@click.pass_context
def command(context: click.Context, here: bool, toolkit: str, ci: str | None, as_json: bool) -> None:
    """Bring the repository to this version of modelyard.

    A newer template comes as a pull request, or as a branch in plain git: workflows, schemas, policies and requirement
    files. What the team changed stays. Run it on a checkout of the default branch.

    For a repository of this version, the requirement files of CI are written anew into the checkout, for its models,
    remotes, forge and targets.
    """
    checkout = open_checkout(context)
    update = plan_update(checkout.repository, checkout.git, toolkit, ci)
    if update is None:
        changed = add_ci(checkout.root, ci) if ci else []
        changed += update_requirements(checkout.root)
        following = "commit them." if changed else ""
        shown: dict[str, object] = {}
    else:
        changed, shown = sorted(update.files), {"from": update.before, "to": update.after, "kept": sorted(update.kept)}
        following = "read git diff, and commit it."
    if update and here:
        carry_out(checkout.root, update.change)
    elif update:
        opened = propose_update(checkout, update)
        shown |= {"branch": opened.branch, "pull_request": opened.number}
        following = f"review pull request {opened.number}." if opened.number else f"review the branch {opened.branch}."
    if as_json:
        result_json({"changed": changed, **shown})
        return
    for path in changed:
        result(path)
    if update and update.kept:
        say(f"Both sides changed {', '.join(sorted(update.kept))}. They stay as they are; compare them by hand.")
    if ci:
        say("To see what the CI still lacks: modelyard doctor --ci")
    say(f"{len(changed)} files are changed. Next: {following}" if changed else "Everything is up to date.")
