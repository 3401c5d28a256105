"""``modelyard gc``."""

from __future__ import annotations

import time

import click

from modelyard.catalog.storage import Where, needed_commits, needed_md5s, plan_collection, prunable, prune
from modelyard.checkout.checkout import Checkout
from modelyard.forges.discovery import open_pull_forge
from modelyard.forges.interface import PullForge
from modelyard.options import open_checkout
from modelyard.report.terminal.registry import render_plans
from modelyard.terminal import result, result_json, say


@click.command()
@click.option("--remove", is_flag=True, help="Delete the data; without it, only show what would be deleted.")
@click.option("--remote", is_flag=True, help="Include the DVC remote, not only the cache of this checkout.")
@click.option("--evidence", is_flag=True,
              help="Only reports of old pull requests; see evidence.pull_days in modelyard.yaml.")  # fmt: skip
@click.option("--keep-hours", type=click.IntRange(0), default=48, show_default=True,
              help="Keep data stored more recently, which a running job may still refer to.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.pass_context
def command(context: click.Context, remove: bool, remote: bool, evidence: bool, keep_hours: int, as_json: bool) -> None:
    """Show, and on request delete, stored data that nothing needs.

    Data are needed if a version (also a withdrawn one), a receipt, the default branch or an open pull request refers to
    them; in plain git every branch counts. Data deleted from the remote are lost for all users.
    """
    checkout = open_checkout(context)
    repository, git = checkout.repository, checkout.git
    forge = None if repository.config.forge == "git" else open_pull_forge(repository, git)[0]
    if evidence:
        _prune(checkout, forge, remove)
        return
    dvc = checkout.dvc
    commits = needed_commits(checkout, forge)
    needed = needed_md5s(checkout, commits, say)
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


def _prune(checkout: Checkout, forge: PullForge | None, remove: bool) -> None:
    days = checkout.repository.config.evidence.pull_days
    checkout.evidence.refresh()
    still_open = {pull.number for pull in forge.open_pulls()} if forge else set()
    paths = prunable(checkout, still_open, time.time() - days * 86_400)
    for path in sorted(paths):
        result(path)
    say(f"{len(paths)} files belong to closed pull requests without a version, older than {days} days.")
    if paths and remove:
        prune(checkout.evidence, paths)
    elif paths:
        say("Nothing was removed. To remove them, add --remove; the history of the branch keeps them.")
