"""``modelyard report``."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from modelyard.candidate.judgement import file_reports, judged_report, write_reports
from modelyard.options import open_checkout
from modelyard.report.terminal.proposal import render_terminal
from modelyard.terminal import result, result_json, say


@click.command()
@click.argument("model")
@click.option("--file", "keep", is_flag=True, help="File the evidence and the report on the branch modelyard/evidence.")
@click.option("--base", metavar="REVISION", help="Judge by the rules of this revision, as CI does with origin/main.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome and the paths of the report as JSON.")
@click.pass_context
def command(context: click.Context, model: str, keep: bool, base: str | None, as_json: bool) -> None:
    """Render the verdict: terminal, Markdown and HTML.

    Writes .modelyard/evidence/MODEL/report.md (the pull request's comment) and report.html.
    """
    checkout = open_checkout(context)
    view = checkout.model(model)
    report = judged_report(view, datetime.now(UTC).date(), base=base)
    paths = write_reports(view, report)
    if keep:
        file_reports(view, report)
    if as_json:
        result_json({"model": model, "outcome": report.verdict.outcome} | {k: str(p) for k, p in paths.items()})
        return
    result(render_terminal(report))
    for form, path in paths.items():
        say(f"{form}: {path}")
