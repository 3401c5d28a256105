"""``modelyard report``."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from modelyard.commands.opening import open_checkout
from modelyard.delivery.evidence_store import file_evidence
from modelyard.proposal.judging import judged_report
from modelyard.report.html import render_html
from modelyard.report.markdown import render_markdown
from modelyard.report.terminal import render_terminal
from modelyard.terminal import result, result_json, say
from modelyard.workspace import Workspace


@click.command()
@click.argument("model")
@click.option("--file", "keep", is_flag=True, help="File evidence and report on the branch modelyard/evidence.")
@click.option("--json", "as_json", is_flag=True, help="Print where the report lies as JSON.")
@click.pass_context
def command(context: click.Context, model: str, keep: bool, as_json: bool) -> None:
    """Render the verdict: terminal, Markdown and HTML.

    Writes .modelyard/evidence/MODEL/report.md (the pull request's comment) and report.html.
    """
    repository, git = open_checkout(context)
    report = judged_report(repository, git, model, datetime.now(UTC).date())
    workspace = Workspace(repository.root, model)
    paths = {
        "markdown": workspace.write("report.md", render_markdown(report).encode()),
        "html": workspace.write("report.html", render_html(report).encode()),
    }
    if keep:
        message = f"{model}: evidence about {report.bundle.artifact[:12]}"
        file_evidence(git, model, report.bundle.artifact, workspace.documents(), workspace.reports(), message)
    if as_json:
        result_json({"model": model, "outcome": report.verdict.outcome} | {k: str(p) for k, p in paths.items()})
        return
    result(render_terminal(report))
    for form, path in paths.items():
        say(f"{form}: {path}")
