"""``modelyard push-lock``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.errors import Refused
from modelyard.forges.ci import read_event
from modelyard.forges.discovery import open_pull_forge
from modelyard.options import open_checkout
from modelyard.review.bundle import read_untrusted
from modelyard.review.lock_push import push_locks
from modelyard.review.subject import subject_of_run
from modelyard.terminal import result, result_json, say


@click.command()
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The untrusted bundle of the job that ran the proposal: MODEL/generated/*.",
)
@click.option("--branch", metavar="BRANCH", help="The pull request's branch. Default: that of the workflow_run event.")
@click.option(
    "--commit",
    "head",
    default="HEAD",
    show_default=True,
    metavar="REVISION",
    help="With --branch: the commit that was evaluated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the commit as JSON.")
@click.pass_context
def command(context: click.Context, folder: Path, branch: str | None, head: str, as_json: bool) -> None:
    """Push the retrained locks to the pull request's branch.

    Pushes one commit that changes only locks, metrics and profiles, and nothing when the branch has them already. The
    branch of a fork is never changed.
    """
    checkout = open_checkout(context)
    repository, git = checkout.repository, checkout.git
    if branch is None:
        forge, ci = open_pull_forge(repository, git)
        subject = subject_of_run(forge, git, read_event(ci.event))
        if subject is None or subject.pull.from_fork:
            say(
                "No open pull request has this head."
                if subject is None
                else "The branch is in a fork; nothing is pushed."
            )
            return
        if subject.pull.base != repository.config.default_branch:
            say(f"The pull request is not for {repository.config.default_branch}; nothing is pushed.")
            return
        branch, head = subject.pull.branch, subject.measured
        if subject.head != subject.measured:
            say("The branch already has these locks.")
            return
    if branch == repository.config.default_branch:
        raise Refused(
            f"{branch} is the default branch, and a lock of a proposal is never pushed there.",
            "Propose from a branch of its own.",
        )
    untrusted = read_untrusted(folder)
    for sentence in untrusted.refused:
        say(f"Not read: {sentence}.")
    commit = push_locks(git, checkout.evidence, untrusted, git.commit_of(head), branch, checkout.default_ref)
    if as_json:
        result_json({"commit": commit})
    elif commit:
        result(commit)
    else:
        say("The branch already has these locks.")
