"""``modelyard gate``."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from modelyard.commands.opening import open_checkout
from modelyard.evidence.statement import write_statement
from modelyard.proposal.judging import judged_report
from modelyard.report.terminal import render_terminal
from modelyard.terminal import finish, result, result_json
from modelyard.workspace import Workspace


@click.command()
@click.argument("model")
@click.option("--policy", help="Judge by this policy instead of the model's own.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@click.pass_context
def command(context: click.Context, model: str, policy: str | None, as_json: bool) -> None:
    """Judge the evidence by the model's policy.

    Ends with 0 when the candidate may be merged, 1 when a check failed, 3 when it is inconclusive and 4 when a check
    had nothing to judge.
    """
    repository, git = open_checkout(context)
    report = judged_report(repository, git, model, datetime.now(UTC).date(), policy)
    if policy is None:  # a what-if is not the verdict
        content = write_statement("verdict", model, report.bundle.artifact, report.verdict)
        Workspace(repository.root, model).write_evidence("verdict", content)
    if as_json:
        result_json(report.verdict)
    else:
        result(render_terminal(report))
    finish(report.verdict.outcome)
