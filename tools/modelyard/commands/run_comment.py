"""``modelyard run-comment``."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from modelyard.forges.ci import read_event
from modelyard.forges.discovery import open_pull_forge
from modelyard.options import open_checkout
from modelyard.review.commands import CommentRunner, read_comment
from modelyard.terminal import say


@click.command()
@click.pass_context
def command(context: click.Context) -> None:
    """Run a command that somebody wrote as a comment.

    The commands: /modelyard explain, retrain, promote env=…, rollback to=…, waive check=… until=…
    reason="…". commands.yml runs this on a checkout of the default branch. The author of the comment needs write
    permission.
    """
    checkout = open_checkout(context)
    repository, git = checkout.repository, checkout.git
    forge, ci = open_pull_forge(repository, git)
    event = read_comment(read_event(ci.event))
    if event is None:
        say("The comment is not a command.")
        return
    CommentRunner(checkout, forge, datetime.now(UTC).date(), say).run(event)
    say(f"Ran the command of @{event.actor}.")
