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
@click.option("--remove", is_flag=True, help="Delete it. Without this, only show what would go.")
@click.option("--remote", is_flag=True, help="The DVC remote too, not only this checkout's cache.")
@click.option("--evidence", is_flag=True,
              help="Instead: what old pull requests showed, by evidence.pull_days of modelyard.yaml.")  # fmt: skip
@click.option("--keep-hours", type=click.IntRange(0), default=48, show_default=True,
              help="Bytes stored more recently stay: a run may be about to name them.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.pass_context
def command(context: click.Context, remove: bool, remote: bool, evidence: bool, keep_hours: int, as_json: bool) -> None:
    """Show, and on request delete, stored data that nothing needs.

    Needed is what any version, withdrawn or not, any receipt, the default branch or an open pull request names; in
    plain git every branch counts as a proposal. What is deleted from the remote is gone for everybody.
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
    say(f"{len(paths)} files of closed pull requests are older than {days} days and brought no version.")
    if paths and remove:
        prune(checkout.evidence, paths)
    elif paths:
        say("Nothing was taken off. To do it, add --remove; the branch's history keeps them.")
