"""``modelyard propose``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args

import click

from modelyard.commands.opening import open_checkout
from modelyard.forges.opening import open_pull_forge
from modelyard.gate.retraining import Cause
from modelyard.proposal.measuring import Measuring
from modelyard.review.approval import approval_of_pull, approval_status
from modelyard.review.posting import Poster
from modelyard.review.retraining import refresh
from modelyard.review.subject import subject_of_pull
from modelyard.terminal import result, result_json, say


@click.command()
@click.argument("model")
@click.option(
    "--cause",
    type=click.Choice(get_args(Cause)),
    default="manual",
    show_default=True,
    help="schedule and drift stay silent below the gain that model.yaml asks for.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.pass_context
def command(context: click.Context, model: str, cause: Cause, as_json: bool) -> None:
    """Retrain on the newest data and keep one open pull request.

    Called on a checkout of the default branch. Never opens a second pull request for a model; its report and its
    verdict are posted at once, because a push with the job's token starts no workflow.
    """
    repository, git = open_checkout(context)
    forge, ci = open_pull_forge(repository, git)
    measuring = Measuring(repository, git, model, say)
    done = refresh(repository, git, forge, measuring, cause)
    if done.pull is not None:
        subject = subject_of_pull(forge, git, done.pull, ci.run)
        base = git.commit_of("HEAD")
        poster = Poster(forge, git, ci, repository.root, base, datetime.now(UTC).date(), say)
        poster.post(subject, {model: measuring.documents()}, [])
        approval = approval_of_pull(git, forge, subject, base)
        forge.set_status(subject.head, approval_status(approval, ci.run))
    if as_json:
        result_json(done)
    else:
        result(f"{model}: {done.done}" + (f" pull request {done.pull}" if done.pull else "") + f". {done.why}")
