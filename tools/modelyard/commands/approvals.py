"""``modelyard approvals``."""

from __future__ import annotations

import click

from modelyard.forges.ci import read_event
from modelyard.forges.discovery import open_pull_forge
from modelyard.options import open_checkout
from modelyard.review.approvals import approval_of_pull, approval_status
from modelyard.review.subject import subject_of_pull, subject_of_run
from modelyard.terminal import finish, result, result_json, say


@click.command()
@click.option(
    "--pull", "number", type=int, metavar="NUMBER", help="The pull request. Default: that of the workflow_run event."
)
@click.option("--post", is_flag=True, help="Set the commit status modelyard/approval, and end with 0.")
@click.option("--json", "as_json", is_flag=True, help="Print the approvals as JSON.")
@click.pass_context
def command(context: click.Context, number: int | None, post: bool, as_json: bool) -> None:
    """Judge a pull request's reviews by policies/approvals.yaml.

    An approval counts for the head and the report that the reviewer saw. Approvals of the author, of bots and of the
    requester of a waiver never count. Ends with 1 when approvals are missing.
    """
    checkout = open_checkout(context)
    repository, git = checkout.repository, checkout.git
    forge, ci = open_pull_forge(repository, git)
    if number is None:
        subject = subject_of_run(forge, git, read_event(ci.event))
    else:
        subject = subject_of_pull(forge, git, number, run=ci.run)
    if subject is None:
        say("No open pull request has this head.")
        return
    approval = approval_of_pull(git, forge, subject, git.commit_of("HEAD"))
    if as_json:
        result_json(approval)
    else:
        result(f"pull request {subject.pull.number}: {approval.sentence}")
        for sentence in approval.refused:
            say(f"  Does not count: {sentence}.")
    if post:
        forge.set_status(subject.head, approval_status(approval, subject.run))
    else:
        finish("pass" if approval.given else "fail")
