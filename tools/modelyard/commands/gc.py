"""``modelyard gc``."""

from __future__ import annotations

import time

import click

from modelyard.catalog.collecting import Where, needed_commits, needed_md5s, plan_collection
from modelyard.commands.opening import open_checkout
from modelyard.dvc import Dvc
from modelyard.forges.opening import open_pull_forge
from modelyard.report.storage import render_plans
from modelyard.terminal import result, result_json, say


@click.command()
@click.option("--remove", is_flag=True, help="Delete it. Without this, only show what would go.")
@click.option("--remote", is_flag=True, help="The DVC remote too, not only this checkout's cache.")
@click.option("--keep-hours", type=click.IntRange(0), default=48, show_default=True,
              help="Bytes stored more recently stay: a run may be about to name them.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.pass_context
def command(context: click.Context, remove: bool, remote: bool, keep_hours: int, as_json: bool) -> None:
    """Show, and on request delete, the data that nothing needs.

    Needed is what any version, withdrawn or not, any receipt, the default branch or an open pull request names; in
    plain git every branch counts as a proposal. What is deleted from the remote is gone for everybody.
    """
    repository, git = open_checkout(context)
    forge = None if repository.config.forge == "git" else open_pull_forge(repository, git)[0]
    dvc = Dvc(repository.root)
    commits = needed_commits(git, forge, repository.config.default_branch)
    needed = needed_md5s(git, dvc, commits, say)
    places: list[Where] = ["cache", "remote"] if remote else ["cache"]
    plans = [plan_collection(dvc, place, needed, time.time() - keep_hours * 3600) for place in places]
    if remove:
        for place, plan in zip(places, plans, strict=True):
            if plan.remove:
                dvc.remove(place, plan.remove)
    if as_json:
        result_json(plans)
    else:
        result(render_plans(plans, len(commits), remove))
