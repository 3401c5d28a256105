"""``modelyard register``."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from modelyard.commands.opening import open_checkout
from modelyard.delivery.registration import register
from modelyard.forges.opening import open_forge
from modelyard.terminal import result, result_json, say


@click.command()
@click.argument("model")
@click.option("--skip-unchanged", is_flag=True, help="End with 0 when these very bytes are a version already.")
@click.option("--json", "as_json", is_flag=True, help="Print the version as JSON.")
@click.pass_context
def command(context: click.Context, model: str, skip_unchanged: bool, as_json: bool) -> None:
    """Tag the merged candidate as a version.

    The evidence is judged again. The number follows from what changed: major for the contract, minor for code or
    parameters, patch for data.
    """
    repository, git = open_checkout(context)
    done = register(repository, git, open_forge(repository, git), model, datetime.now(UTC).date(), skip_unchanged)
    if as_json:
        result_json(done)
        return
    result(done.tag)
    say(f"  {'registered' if done.new else 'was registered before'}: {'; '.join(done.reasons)}")
