"""``modelyard doctor``."""

from __future__ import annotations

from pathlib import Path

import click

from modelyard.report.terminal.doctor import render_findings
from modelyard.setup.doctor import examine
from modelyard.terminal import finish, result, result_json


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--ci", is_flag=True, help="Check whether a run in CI would work: remotes, requirements, the forge.")
@click.pass_context
def command(context: click.Context, as_json: bool, ci: bool) -> None:
    """Check this machine and this checkout, and show what is missing.

    Each fault has a remedy. Ends with 1 when something is missing that every command needs.
    """
    folder: Path = context.obj
    findings = examine(folder, ci=ci)
    if as_json:
        result_json(findings)
    else:
        result(render_findings(findings))
    finish("fail" if any(finding.state == "missing" for finding in findings) else "pass")
