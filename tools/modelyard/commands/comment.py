"""``modelyard comment``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click

from modelyard.deployment.promotion import preview
from modelyard.errors import UsageError
from modelyard.forges.ci import read_event
from modelyard.forges.discovery import open_pull_forge
from modelyard.forges.interface import MeasuringForge
from modelyard.options import open_checkout
from modelyard.review.approvals import approval_of_pull, approval_status
from modelyard.review.bundle import read_untrusted
from modelyard.review.comment import Posted, Poster
from modelyard.review.measured import report_measured
from modelyard.review.queue import read_queued, subjects_of_queued
from modelyard.review.standing import take_back
from modelyard.review.subject import subject_of_pull, subject_of_run
from modelyard.terminal import finish, result, result_json, say


@click.command()
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The untrusted bundle of the job that ran the proposal: MODEL/*.json, or zip archives of that.",
)
@click.option(
    "--pull", "number", type=int, metavar="NUMBER", help="The pull request. Default: that of the workflow_run event."
)
@click.option(
    "--commit", "measured", metavar="REVISION", help="With --pull: the commit that was evaluated. Default: the head."
)
@click.option("--outcome", default="success", metavar="RESULT", help="Of the job that measured, in a merge queue.")
@click.option(
    "--outdated",
    is_flag=True,
    help="Instead: turn verdicts of open pull requests to pending whose champion changed after they were given.",
)
@click.option(
    "--measured",
    "of_jobs",
    is_flag=True,
    help="Instead, on GitLab: report on every merge request whose job has measured and that has no report of that job.",
)
@click.option("--measure", is_flag=True, help="With --outdated: start the measurement of those pull requests again.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcomes and the sha256 of the report as JSON.")
@click.pass_context
def command(
    context: click.Context,
    folder: Path | None,
    number: int | None,
    measured: str | None,
    outcome: str,
    outdated: bool,
    of_jobs: bool,
    measure: bool,
    as_json: bool,
) -> None:
    """Post reports on the pull request: comment and status.

    For a merge_group event of GitHub, it sets the statuses of the merged tree, compared with the champion of this
    moment, and ends with 1 where it may not be merged.

    Run it in a trusted job, on a checkout of the default branch. The evidence is judged again by the rules of that
    branch; the files of the pull request are read as data and never run.

    With --measured it asks GitLab what is due, reads the archives of the jobs as untrusted, pushes the locks, and posts
    the reports and what a merge deploys.

    With --outdated nothing is judged: a verdict about a former champion is taken back, once, and says what to do.
    """
    checkout = open_checkout(context)
    if outdated + of_jobs + (folder is not None) != 1 or (measure and not outdated):
        raise UsageError(
            "One of --from, --measured and --outdated is needed, and --measure needs --outdated.",
            "Write: modelyard comment --from FOLDER, or: modelyard comment --outdated",
        )
    if of_jobs and checkout.repository.config.forge != "gitlab":
        raise UsageError("--measured asks GitLab, and modelyard.yaml has another forge.", "Give --from FOLDER.")
    repository, git = checkout.repository, checkout.git
    forge, ci = open_pull_forge(repository, git)
    today = datetime.now(UTC).date()
    if of_jobs:
        environments = {environment.name for environment in repository.config.environments}
        reported = []

        def plan(pull: int) -> str:
            return preview(checkout, forge, pull, environments, datetime.now(UTC))

        for posted, approval in report_measured(checkout, cast(MeasuringForge, forge), ci, today, plan, say):
            reported.append(posted)
            if not as_json:
                result(_line(posted, approval.sentence))
        if as_json:
            result_json(reported)
        elif not reported:
            say("Every measured merge request has its report.")
        return
    if folder is None:
        checkout.evidence.refresh()
        taken = take_back(checkout, forge, measure=measure, say=say)
        if as_json:
            result_json(taken)
            return
        for one in taken:
            result(f"pull request {one.pull}: {one.sentence}{'; measured again' if one.started else ''}")
        if not taken:
            say("Every verdict of an open pull request is about the champion of now.")
        return
    queued = None
    if number is None:
        queued = read_queued(read_event(ci.event))
    if queued is not None:
        untrusted = read_untrusted(folder)
        subject, approved = subjects_of_queued(forge, git, queued, ci.run, outcome == "success")
        poster = Poster(checkout, forge, ci, queued.base, today, say)
        posted = poster.judge_queued(subject, untrusted.evidence, untrusted.refused)
        approval = approval_of_pull(git, forge, approved, queued.base)
    else:
        found = (
            subject_of_run(forge, git, read_event(ci.event))
            if number is None
            else subject_of_pull(forge, git, number, measured, ci.run)
        )
        if found is None:
            say("No open pull request has this head, so nothing is reported.")
            return
        subject, untrusted, base = found, read_untrusted(folder), git.commit_of("HEAD")
        posted = Poster(checkout, forge, ci, base, today, say).post(subject, untrusted.evidence, untrusted.refused)
        approval = approval_of_pull(git, forge, subject, base)
    forge.set_status(subject.head, approval_status(approval, subject.run))
    if as_json:
        result_json(posted)
    else:
        result(_line(posted, approval.sentence))
    passed = subject.succeeded and approval.given and set(posted.outcomes.values()) <= {"pass", "waived"}
    if queued is not None and not passed:
        finish("fail")


def _line(posted: Posted, approved: str) -> str:
    outcomes = ", ".join(f"{model} {outcome}" for model, outcome in posted.outcomes.items())
    return f"pull request {posted.pull}: {outcomes or 'no model is affected'}; {approved}"
