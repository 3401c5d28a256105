"""``modelyard gate``."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from modelyard.commands.opening import open_checkout
from modelyard.proposal.judging import judged_report
from modelyard.proposal.reporting import write_verdict
from modelyard.report.terminal import render_terminal
from modelyard.terminal import finish, result, result_json


@click.command()
@click.argument("model")
@click.option("--policy", help="A what-if: judge by this policy instead of the model's own, and keep nothing.")
@click.option("--base", help="Judge by the rules of this revision, such as origin/main: what CI does.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@click.pass_context
def command(context: click.Context, model: str, policy: str | None, base: str | None, as_json: bool) -> None:
    """Judge the evidence by the model's policy.

    Ends with 0 when the candidate may be merged, 1 when a check failed, 3 when it is inconclusive and 4 when a check
    had nothing to judge.
    """
    repository, git = open_checkout(context)
    today = datetime.now(UTC).date()
    if policy:
        report = judged_report(repository, git, model, today, policy)
    else:
        report = write_verdict(repository, git, model, today, base)
    if as_json:
        result_json(report.verdict)
    else:
        result(render_terminal(report))
    finish(report.verdict.outcome)
