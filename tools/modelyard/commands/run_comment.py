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

    /modelyard explain, retrain, promote env=…, rollback to=…, waive check=… until=… reason="…". Called by commands.yml
    on a checkout of the default branch; who wrote it must have write permission.
    """
    checkout = open_checkout(context)
    repository, git = checkout.repository, checkout.git
    forge, ci = open_pull_forge(repository, git)
    asked = read_comment(read_event(ci.event))
    if asked is None:
        say("The comment is no command.")
        return
    CommentRunner(checkout, forge, datetime.now(UTC).date(), say).run(asked)
    say(f"Answered the comment of @{asked.actor}.")
