"""``modelyard waivers``."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from modelyard.checkout.rules import granted_waivers
from modelyard.forges.discovery import open_pull_forge
from modelyard.gate.waivers import waiver_states
from modelyard.options import open_checkout
from modelyard.report.terminal.proposal import render_waivers
from modelyard.review.pull_requests import expired_change, open_proposed
from modelyard.terminal import result, result_json


@click.command()
@click.option("--remove-expired", is_flag=True, help="Open or update the pull request that removes expired waivers.")
@click.option("--json", "as_json", is_flag=True, help="Print the waivers as JSON.")
@click.pass_context
def command(context: click.Context, remove_expired: bool, as_json: bool) -> None:
    """List the waivers, sorted by their last day.

    A scheduled workflow runs this with --remove-expired on the default branch.
    """
    checkout = open_checkout(context)
    repository, git = checkout.repository, checkout.git
    waivers = repository.waivers()
    granted = granted_waivers(git, "HEAD") if waivers else []
    states = waiver_states(waivers, granted, datetime.now(UTC).date())
    if as_json:
        result_json(states)
    else:
        result(render_waivers(states))
    expired = [state for state in states if state.expired]
    if remove_expired and expired:
        forge, _ = open_pull_forge(repository, git)
        base = git.commit_of("HEAD")
        pull, new, _ = open_proposed(git, forge, repository.config.default_branch, base, expired_change(expired))
        result(f"{'opened' if new else 'updated'} pull request {pull.number}: {pull.url}")
